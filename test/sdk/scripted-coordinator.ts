/**
 * A coordinator for tests of the SDK: a real WebSocket server that speaks the channel's protocol and
 * answers as it is told. By itself it plays a coordinator for whom everything goes well.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  type Call,
  type CallAnswer,
  type ChannelVerb,
  type ClientMessage,
  closeCodes,
  type ErrorCode,
  errorTable,
  type ServerMessage,
} from '../../client-sdk/protocol/index.ts';

type Fields = Readonly<Record<string, unknown>>;
export type Hello = Extract<ClientMessage, { kind: 'hello' }>;

/** A request as it came, and the ways to deal with it. */
export interface Asked {
  readonly verb: ChannelVerb;
  readonly body: Fields;
  /** Which connection brought it, from 1. */
  readonly connection: number;
  reply(body: unknown): void;
  problem(code: ErrorCode, more?: { retryAfterMs?: number; detail?: string }): void;
  /** What a coordinator for whom all goes well would do. */
  usual(): void;
  /** Cuts the line without an answer. */
  cut(): void;
}

type Script = (asked: Asked) => void;

export class ScriptedCoordinator implements AsyncDisposable {
  readonly requests: Asked[] = [];
  readonly hellos: Hello[] = [];
  readonly frameSizes: number[] = [];
  requestsMax = 4_096;
  /** Answers hellos; set it to change that. */
  greet: (hello: Hello, welcome: () => void, close: (code: number) => void) => void = (
    _hello,
    welcome,
  ) => welcome();

  readonly #server: WebSocketServer;
  readonly #scripts = new Map<ChannelVerb, Script[]>();
  readonly #watchers = new Set<() => void>();
  readonly #answers = new Map<number, (answer: CallAnswer) => void>();
  #socket: WebSocket | null = null;
  #connections = 0;
  #lastCall = 0;
  #lastBranch = 0;

  constructor(server: WebSocketServer) {
    this.#server = server;
    server.on('connection', (socket) => this.#connected(socket));
  }

  static async start(port = 0): Promise<ScriptedCoordinator> {
    const server = new WebSocketServer({ port, host: '127.0.0.1', path: '/channel' });
    await once(server, 'listening');
    return new ScriptedCoordinator(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }
  get connections(): number {
    return this.#connections;
  }

  /** Scripts the next request of this verb that has no script yet; later ones go as usual. */
  next(verb: ChannelVerb, script: Script): this {
    const scripts = this.#scripts.get(verb) ?? [];
    scripts.push(script);
    this.#scripts.set(verb, scripts);
    return this;
  }

  /** Resolves when it holds; looked at after everything that happens here. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        const watcher = (): void => {
          this.#watchers.delete(watcher);
          resolve();
        };
        this.#watchers.add(watcher);
      });
    }
  }

  /** Requests of a verb so far. */
  of(verb: ChannelVerb): readonly Asked[] {
    return this.requests.filter((asked) => asked.verb === verb);
  }

  /** Verbs in the order in which they came. */
  get verbs(): readonly ChannelVerb[] {
    return this.requests.map((asked) => asked.verb);
  }

  /** Calls a method over the newest connection. */
  call(call: Call): Promise<CallAnswer> {
    const id = ++this.#lastCall;
    const answered = new Promise<CallAnswer>((resolve) => this.#answers.set(id, resolve));
    this.send({ kind: 'call', id, call });
    return answered;
  }

  send(...messages: readonly ServerMessage[]): void {
    this.#socket?.send(JSON.stringify(messages));
  }

  sendRaw(text: string): void {
    this.#socket?.send(text);
  }

  /** Resolves when everything that the client has sent by now is here: its pong comes after it. */
  async roundTrip(): Promise<void> {
    const socket = this.#socket;
    if (socket === null) return;
    const pong = once(socket, 'pong');
    socket.ping();
    await pong;
  }

  ping(): void {
    this.#socket?.ping();
  }

  /** Cuts the newest connection as a dead network would. */
  cut(): void {
    this.#socket?.terminate();
  }

  stopping(): void {
    this.#socket?.close(closeCodes.stopping, 'stopping');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #connected(socket: WebSocket): void {
    const connection = ++this.#connections;
    this.#socket = socket;
    socket.on('error', () => socket.terminate());
    socket.on('close', () => this.#happened());
    socket.on('message', (data) => {
      const messages = JSON.parse(String(data)) as readonly ClientMessage[];
      this.frameSizes.push(messages.length);
      for (const message of messages) this.#take(message, socket, connection);
      this.#happened();
    });
    this.#happened();
  }

  #take(message: ClientMessage, socket: WebSocket, connection: number): void {
    switch (message.kind) {
      case 'hello': {
        this.hellos.push(message);
        const { requestsMax } = this;
        const welcome = { kind: 'welcome', version: 1, node: 'scripted', requestsMax } as const;
        this.greet(
          message,
          () => socket.send(JSON.stringify([welcome])),
          (code) => socket.close(code, 'refused by the script'),
        );
        return;
      }
      case 'answer':
        this.#answers.get(message.id)?.(message.answer);
        this.#answers.delete(message.id);
        return;
      case 'request': {
        const asked = this.#asked(message, socket, connection);
        this.requests.push(asked);
        const script = this.#scripts.get(asked.verb)?.shift();
        if (script === undefined) asked.usual();
        else script(asked);
        return;
      }
      default:
        message satisfies never;
    }
  }

  #asked(
    request: Extract<ClientMessage, { kind: 'request' }>,
    socket: WebSocket,
    connection: number,
  ): Asked {
    const { id, verb } = request;
    const body = request.body as Fields;
    const send = (message: ServerMessage): void => socket.send(JSON.stringify([message]));
    const asked: Asked = {
      verb,
      body,
      connection,
      reply: (answer) => send({ kind: 'reply', id, body: answer }),
      problem: (code, { detail = 'by the script', ...more } = {}) => {
        const { status, title, remedy } = errorTable[code];
        const problem = { type: 'about:blank', title, status, code, detail, remedy, ...more };
        send({ kind: 'problem', id, problem });
      },
      usual: () => asked.reply(this.#usual(verb, body)),
      cut: () => socket.terminate(),
    };
    return asked;
  }

  #usual(verb: ChannelVerb, body: Fields): unknown {
    switch (verb) {
      case 'begin':
      case 'register': {
        const branches = (body['branches'] ?? []) as readonly unknown[];
        return answer(body, 'active', { branchIds: branches.map(() => ++this.#lastBranch) });
      }
      case 'decide':
        return answer(body, body['direction'] === 'commit' ? 'committed' : 'rolledBack');
      case 'submit':
        return { ...answer(body, 'committed'), mode: 'saga', results: {} };
      case 'try':
        return { result: null };
      case 'get':
        return answer(body, 'active');
      case 'list':
        return { transactions: [], nextCursor: null };
      case 'reportWaits':
        return { giveWay: null };
      default:
        return verb satisfies never;
    }
  }

  #happened(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

/** The body of an answer. */
export function answer(body: Fields, phase: string, more: object = {}): object {
  return {
    gid: body['gid'],
    mode: 'transaction',
    phase,
    cause: null,
    deadlineAtMs: null,
    ...more,
  };
}
