/** A participant over plain HTTP: a real server that answers each request as the test says. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net';
import type { Call } from '../../client-sdk/protocol/index.ts';
import { Arrivals } from './arrivals.ts';

/** One request as it came. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** What a test does with a request. */
export type Respond = (response: ServerResponse, request: SeenRequest) => void;

export class HttpParticipant {
  readonly requests = new Arrivals<SeenRequest>();
  /** Connections that were opened. */
  readonly connections = new Arrivals<Socket>();
  respond: Respond = (response) => void response.end();
  readonly #server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method = '', url: path = '', headers } = request;
        const seen = { method, path, headers, body: Buffer.concat(chunks).toString() };
        this.requests.add(seen);
        this.respond(response, seen);
      });
    });
    this.#server.on('connection', (socket) => this.connections.add(socket));
  }

  /** Listens on any free port, or on the one given. */
  static async open(port = 0): Promise<HttpParticipant> {
    const participant = new HttpParticipant();
    await listen(participant.#server, port);
    return participant;
  }

  get origin(): string {
    return originOf(this.#server);
  }

  get calls(): readonly Call[] {
    return this.requests.all.map(({ body }) => JSON.parse(body) as Call);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A raw TCP server, for what no HTTP server would say. */
export interface RawServer {
  readonly origin: string;
  close(): Promise<void>;
}

/** Calls back with each connection once its first bytes are here. */
export async function openRawServer(asked: (socket: Socket) => void): Promise<RawServer> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => asked(socket));
  });
  await listen(server);
  return {
    origin: originOf(server),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An origin where nobody listens: taken, then given back. */
export async function freeOrigin(): Promise<string> {
  const server = createTcpServer();
  await listen(server);
  const origin = originOf(server);
  await new Promise((resolve) => server.close(resolve));
  return origin;
}

function listen(server: Server, port = 0): Promise<void> {
  return new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
}

function originOf(server: Server): string {
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}`;
}
