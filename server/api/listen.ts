/**
 * The app on its port: what cannot be listened on becomes a Failure, and a close never waits longer
 * than a moment for callers who hold their connection open.
 */
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../runtime/clock.ts';
import { Failure } from '../runtime/failure.ts';

/** How long a close waits for answers that are on their way before it cuts the connections. */
const closeGraceMs = 1_000;

/** One app on one port. */
export interface Listener {
  /** Port 0 takes any free one. Throws Failure PORT_TAKEN or INVALID_CONFIG. */
  open(host: string, port: number): Promise<void>;
  /** `http://host:port` once open. */
  url(): string;
  /** Never rejects; safe to repeat, and before `open`. */
  close(): Promise<void>;
}

/** Wraps the app; takes no port yet. */
export function listen(app: FastifyInstance, clock: Clock): Listener {
  let url = '';
  return {
    async open(host, port) {
      try {
        url = await app.listen({ host, port });
      } catch (error) {
        throw listenFailure(error, `${host}:${port}`);
      }
    },
    url: () => url,
    async close() {
      const cancel = clock.after(closeGraceMs, () => app.server.closeAllConnections());
      await app.close();
      cancel();
    },
  };
}

function listenFailure(error: unknown, address: string): Failure {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'EADDRINUSE') return new Failure('PORT_TAKEN', `${address} is in use.`);
  const detail = `host and port: it is not possible to listen on ${address} (${code}).`;
  return new Failure('INVALID_CONFIG', detail, { cause: error });
}
