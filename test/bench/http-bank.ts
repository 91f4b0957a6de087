/**
 * The bank of the bench without the SDK: a plain HTTP server that answers `POST /{method}/{operation}`
 * by its status, as docs/guides/saga.md tells participants in any language. It keeps nothing, so
 * every operation is idempotent.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Call } from '../../client-sdk/protocol/index.ts';
import { type Entry, isRefused, type Method } from './business.ts';

/** Longer than any pause between rounds: a connection that closes there would cost a retry. */
const keepAliveMs = 600_000;

/** Serves on a free port of the loopback; resolves with its origin, and how to end it. */
export async function serveBank(): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer({ keepAliveTimeout: keepAliveMs }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => answer(request, response, Buffer.concat(chunks).toString()));
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

function answer(request: IncomingMessage, response: ServerResponse, body: string): void {
  // Parse boundary: the coordinator sends a call as its protocol says.
  const { operation, payload } = JSON.parse(body) as Call;
  const method: Method = request.url?.startsWith('/credit/') ? 'credit' : 'debit';
  const isForward = operation === 'try' || operation === 'run';
  if (isForward && isRefused(method, payload as Entry)) response.statusCode = 409;
  response.end();
}
