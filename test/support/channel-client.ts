/**
 * A plain WebSocket that speaks the channel by hand: tests say exactly what goes over the wire, and
 * see exactly what comes back, which a real SDK would hide.
 */
import { type ClientOptions, WebSocket } from 'ws';
import type { ClientMessage, ServerMessage } from '../../client-sdk/protocol/index.ts';
import { Arrivals } from './arrivals.ts';

/** How a connection ended. */
export interface Closing {
  readonly code: number;
  readonly reason: string;
}

export class ChannelClient {
  readonly socket: WebSocket;
  /** Messages in order, and the number of messages of each frame. */
  readonly messages = new Arrivals<ServerMessage>();
  readonly frames = new Arrivals<number>();
  readonly closed: Promise<Closing>;
  /** Called for each message, besides keeping it. */
  onMessage: (message: ServerMessage) => void = () => {};

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(url, { perMessageDeflate: false, ...options });
    this.socket.on('message', (bytes) => {
      const frame = JSON.parse(String(bytes)) as ServerMessage[];
      this.frames.add(frame.length);
      for (const message of frame) {
        this.messages.add(message);
        this.onMessage(message);
      }
    });
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  async opened(): Promise<this> {
    if (this.socket.readyState === WebSocket.OPEN) return this;
    await new Promise((resolve, reject) => {
      this.socket.once('open', resolve);
      this.socket.once('error', reject);
    });
    return this;
  }

  /** Sends the messages as one frame. */
  send(...messages: readonly (ClientMessage | object)[]): void {
    this.socket.send(JSON.stringify(messages));
  }

  /** Says hello and waits for the welcome. */
  async hello(overrides: object = {}): Promise<this> {
    await this.opened();
    const before = this.messages.all.length;
    this.send(helloOf(overrides));
    await this.messages.count(before + 1);
    return this;
  }

  /** The reply or problem to a request; ids must be used once. */
  answerTo(id: number): ServerMessage | undefined {
    return this.messages.all.find((message) => {
      return 'id' in message && message.id === id && message.kind !== 'call';
    });
  }
}

/** A hello that is fine, with what a test wants otherwise. */
export function helloOf(overrides: object = {}): object {
  const fine = {
    version: 1,
    service: 'bank',
    instance: 'bank-1',
    methods: ['debit'],
    callsMax: 16,
  };
  return { kind: 'hello', ...fine, ...overrides };
}
