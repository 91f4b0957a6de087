/**
 * The endpoint `/channel`: takes WebSockets off the HTTP server and keeps their hearts beating. What
 * is said on a connection is channel-connection.ts. Guards: the number of connections is bounded,
 * pages in browsers cannot open one, and a stop tells every SDK to connect elsewhere.
 */
import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { type ErrorCode, errorTable } from '../../client-sdk/protocol/index.ts';
import type { Coordinator } from '../engine/coordinator.ts';
import type { Clock } from '../runtime/clock.ts';
import { type Access, mayAct } from './access.ts';
import { type AttachChannel, ChannelConnection, type ConnectionEnd } from './channel-connection.ts';
import { type ChannelLimits, channelLimits } from './channel-limits.ts';
import { problemOf, problemType, retryAfterSeconds } from './problem.ts';
import type { Validators } from './schemas.ts';
import { Turn } from './turn.ts';

/** Where the endpoint writes; any pino logger will do. */
export interface ChannelLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
}

/** What the endpoint needs from the rest. */
export interface ChannelOptions {
  readonly coordinator: Coordinator;
  readonly validators: Validators;
  readonly access: Access;
  /** The channel transport's. */
  readonly attach: AttachChannel;
  /** Name of this coordinator. */
  readonly node: string;
  readonly clock: Clock;
  readonly log: ChannelLog;
  readonly limits?: Partial<ChannelLimits>;
}

/** The endpoint while it serves. */
export interface ChannelEndpoint {
  /** Connections that are open now, greeted or not. */
  connections(): number;
  /**
   * Takes no more connections, closes those there are with code 4503, and resolves when all are
   * gone, after `goodbyeMs` at the latest. Call it before the HTTP server's own close, which would
   * wait for them. Safe to repeat.
   */
  close(): Promise<void>;
}

/** Serves `/channel` on the server, which may listen already or later. Other upgrades get a 404. */
export function attachChannel(server: Server, options: ChannelOptions): ChannelEndpoint {
  return new Endpoint(server, options);
}

class Endpoint implements ChannelEndpoint {
  readonly #server: Server;
  readonly #options: ChannelOptions;
  readonly #limits: ChannelLimits;
  readonly #sockets: WebSocketServer;
  readonly #live = new Set<ChannelConnection>();
  readonly #turn: Turn;
  #disarm: (() => void) | null = null;
  #isStopping = false;

  constructor(server: Server, options: ChannelOptions) {
    this.#server = server;
    this.#options = options;
    this.#limits = { ...channelLimits, ...options.limits };
    this.#turn = new Turn(options.clock.soon, this.#limits.turnMessagesMax);
    // closeTimeout is missing in the published types.
    const settings = {
      noServer: true,
      clientTracking: true,
      perMessageDeflate: false,
      maxPayload: this.#limits.frameBytesMax,
      closeTimeout: this.#limits.goodbyeMs,
    };
    this.#sockets = new WebSocketServer(settings);
    server.on('upgrade', this.#upgrade);
  }

  connections(): number {
    return this.#live.size;
  }

  async close(): Promise<void> {
    this.#isStopping = true;
    this.#disarm?.();
    this.#disarm = null;
    for (const connection of [...this.#live]) connection.stop();
    await Promise.all(
      [...this.#sockets.clients].map((socket) => {
        return new Promise<void>((resolve) => socket.once('close', () => resolve()));
      }),
    );
    this.#server.off('upgrade', this.#upgrade);
  }

  readonly #upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const refusal = this.#refusalOf(request);
    if (refusal !== null) {
      refuseUpgrade(socket, refusal);
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const { coordinator, validators, attach, node, clock } = this.#options;
      const { soon } = clock;
      const turn = this.#turn;
      const ports = { coordinator, validators, attach, node, soon, turn, limits: this.#limits };
      const connection = new ChannelConnection(webSocket, ports, (end) => {
        this.#live.delete(connection);
        this.#note(end);
      });
      this.#live.add(connection);
      if (this.#disarm === null) this.#arm();
    });
  };

  #refusalOf(request: IncomingMessage): Refusal | null {
    const path = request.url?.split('?', 1)[0];
    if (path !== '/channel') return { code: 'NOT_FOUND', detail: 'Upgrade is for /channel only.' };
    // Browsers name the page's origin and check nothing for WebSockets, so any page that a user has
    // open could reach a coordinator on this machine (cross-site WebSocket hijacking, CWE-1385).
    if (request.headers.origin !== undefined) {
      return { code: 'UNAUTHORIZED', detail: 'Pages in browsers may not open the channel.' };
    }
    const identity = this.#options.access.identify(request.headers);
    if (identity === null)
      return { code: 'UNAUTHORIZED', detail: 'The channel takes tokens only.' };
    if (!mayAct(identity, ['service'])) {
      return { code: 'FORBIDDEN', detail: `${identity.who} is a ${identity.role}.` };
    }
    if (this.#isStopping) return { code: 'STOPPING', detail: 'Connect to another coordinator.' };
    const { connectionsMax } = this.#limits;
    if (this.#sockets.clients.size < connectionsMax) return null;
    return { code: 'OVERLOADED', detail: `There are ${connectionsMax} connections already.` };
  }

  #arm(): void {
    this.#disarm = this.#options.clock.after(this.#limits.heartbeatMs, () => {
      for (const connection of [...this.#live]) connection.beat();
      this.#disarm = null;
      if (this.#live.size > 0) this.#arm();
    });
  }

  #note({ service, instance, reason }: ConnectionEnd): void {
    const { log } = this.#options;
    log.debug({ service, instance, reason }, 'a channel connection is over');
  }
}

interface Refusal {
  readonly code: ErrorCode;
  readonly detail: string;
}

function refuseUpgrade(socket: Duplex, { code, detail }: Refusal): void {
  const { status, retryable } = errorTable[code];
  const body = JSON.stringify(problemOf(code, detail));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'connection: close',
    `content-type: ${problemType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    ...(retryable ? [`retry-after: ${retryAfterSeconds(1_000)}`] : []),
  ];
  // Who is refused may be gone already; there is nobody to tell.
  socket.on('error', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
