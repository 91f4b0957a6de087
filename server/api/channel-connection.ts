/**
 * One connection of an SDK process: hello, requests to the coordinator, answers to its calls. It
 * guards the windows of both directions and that nothing is answered after the connection is over.
 *
 * ```
 * open ──hello──► greeted ──► over      a bad frame, a dead peer, a lost socket, a stop: over
 * ```
 */
import type { WebSocket } from 'ws';
import {
  type BeginRequest,
  type CallAnswer,
  type ChannelVerb,
  channelVersion,
  closeCodes,
  type DecideRequest,
  type ErrorCode,
  type GetRequest,
  type Gid,
  isGid,
  type ListRequest,
  type RegisterRequest,
  type ReportWaitsRequest,
  type ServerMessage,
  type SubmitRequest,
  type TryRequest,
} from '../../client-sdk/protocol/index.ts';
import type { Answer, Coordinator } from '../engine/coordinator.ts';
import type { ChannelLimits } from './channel-limits.ts';
import {
  type Fields,
  type Hello,
  type Incoming,
  isVerb,
  parseAnswer,
  parseFrame,
  parseHello,
} from './channel-messages.ts';
import { FrameBatcher } from './frame-batcher.ts';
import { bytesOf } from './json-size.ts';
import { type ProblemExtras, problemOf } from './problem.ts';
import type { Validators } from './schemas.ts';
import type { Turn } from './turn.ts';

/** A participant as it is attached to the transport that calls it. */
export interface AttachedChannel {
  answered(id: number, answer: CallAnswer): void;
  hello(update: { readonly methods: readonly string[]; readonly callsMax: number }): void;
  detached(): void;
}

/** How participants are attached; the channel transport gives it. */
export type AttachChannel = (
  connection: Hello & { send(message: ServerMessage): void },
) => AttachedChannel;

/** What all connections of an endpoint share. */
export interface ConnectionPorts {
  readonly coordinator: Coordinator;
  readonly validators: Validators;
  readonly attach: AttachChannel;
  /** Name of this coordinator, told in `welcome`. */
  readonly node: string;
  readonly limits: ChannelLimits;
  /** Calls back at the end of the tick. */
  readonly soon: (callback: () => void) => void;
  /** Shared by all connections of the endpoint. */
  readonly turn: Turn;
}

/** What came of it, for the log. */
export interface ConnectionEnd {
  readonly service: string | null;
  readonly instance: string | null;
  readonly reason: string;
}

/** A connection from its handshake to its end; the endpoint gives it its heartbeats. */
export class ChannelConnection {
  readonly #socket: WebSocket;
  readonly #ports: ConnectionPorts;
  readonly #frames: FrameBatcher;
  readonly #ended: (end: ConnectionEnd) => void;
  #hello: Hello | null = null;
  #attached: AttachedChannel | null = null;
  #unanswered = 0;
  #beats = 0;
  #silentBeats = 0;
  #isOver = false;
  /** Why nothing is read: it has brought enough for this turn, or does not read what it was sent. */
  #isTurnOver = false;
  #isClogged = false;

  /** Listens at once. `ended` is called exactly once, when the connection is over for us. */
  constructor(socket: WebSocket, ports: ConnectionPorts, ended: (end: ConnectionEnd) => void) {
    this.#socket = socket;
    this.#ports = ports;
    this.#ended = ended;
    this.#frames = new FrameBatcher({
      soon: ports.soon,
      send: (frame) => this.#transmit(frame),
      frameChars: ports.limits.frameChars,
    });
    socket.on('message', (bytes, isBinary) => {
      // ws gives one Buffer per message with its default binaryType.
      if (isBinary) this.refuse('frames are text');
      else this.#receive(bytes as Buffer);
    });
    socket.on('pong', () => {
      this.#silentBeats = 0;
    });
    socket.on('error', (error) => this.#end(error.message));
    socket.on('close', (code) => this.#end(`closed with code ${code}`));
  }

  /** One beat of the heart: pings, or ends what has been silent for too long. */
  beat(): void {
    if (this.#isOver) return;
    const { silentBeatsMax } = this.#ports.limits;
    if (this.#silentBeats >= silentBeatsMax) {
      return this.#cut(`no sign of life for ${silentBeatsMax} heartbeats`);
    }
    if (this.#hello === null && this.#beats >= silentBeatsMax) return this.refuse('no hello came');
    this.#beats += 1;
    this.#silentBeats += 1;
    this.#socket.ping();
  }

  /** Closes because the peer broke the protocol; `reason` is ASCII, for people, at most 123 bytes. */
  refuse(reason: string): void {
    if (this.#isOver) return;
    this.#end(reason);
    this.#socket.close(closeCodes.protocolError, reason);
  }

  /** Sends what is due and closes, so that the SDK connects elsewhere. */
  stop(): void {
    if (this.#isOver) return;
    this.#frames.flush();
    this.#end('the coordinator is stopping');
    this.#socket.close(closeCodes.stopping, 'stopping');
  }

  #receive(bytes: Buffer): void {
    if (this.#isOver) return;
    this.#silentBeats = 0;
    const messages = parseFrame(bytes.toString());
    if (typeof messages === 'string') {
      this.refuse(messages);
      return;
    }
    for (const message of messages) {
      if (this.#isOver) return;
      this.#take(message, bytes.length);
    }
    if (!this.#ports.turn.take(messages.length) || this.#isTurnOver) return;
    this.#isTurnOver = true;
    this.#socket.pause();
    this.#ports.turn.next(this.#nextTurn);
  }

  readonly #nextTurn = (): void => {
    this.#isTurnOver = false;
    this.#readOn();
  };

  #readOn(): void {
    if (!this.#isTurnOver && !this.#isClogged && this.#socket.isPaused) this.#socket.resume();
  }

  #take(message: Incoming, frameBytes: number): void {
    const { messageBytesMax } = this.#ports.limits;
    const isTooLong = frameBytes > messageBytesMax && bytesOf(message) > messageBytesMax;
    switch (message.kind) {
      case 'hello':
        if (isTooLong) this.refuse(`a message has at most ${messageBytesMax} bytes`);
        else this.#greet(message.fields);
        return;
      case 'request':
        if (this.#hello === null) this.refuse('the first message must be hello');
        else if (isTooLong) this.#refuseLong(message.id);
        else this.#request(message.id, message.verb, message.body);
        return;
      case 'answer':
        if (this.#attached === null) return this.refuse('the first message must be hello');
        this.#attached.answered(message.id, parseAnswer(message.answer, this.#ports.limits));
        return;
      default:
        message satisfies never;
    }
  }

  #greet(fields: Fields): void {
    const { limits: bounds, node, attach } = this.#ports;
    const hello = parseHello(fields, bounds);
    if (typeof hello === 'string') return this.refuse(hello);
    const before = this.#hello;
    const isOther =
      before !== null && (before.service !== hello.service || before.instance !== hello.instance);
    if (isOther) return this.refuse('hello: service and instance of a connection are fixed');
    this.#hello = hello;
    const { requestsMax } = bounds;
    this.#frames.push({ kind: 'welcome', version: channelVersion, node, requestsMax });
    if (this.#attached !== null) this.#attached.hello(hello);
    else this.#attached = attach({ ...hello, send: (message) => this.#frames.push(message) });
  }

  #request(id: number, verb: unknown, body: unknown): void {
    const { validators, limits: bounds } = this.#ports;
    const { requestsMax, retryAfterMs } = bounds;
    if (this.#unanswered >= requestsMax) {
      const detail = `This connection has ${requestsMax} unanswered requests already.`;
      return this.#problem(id, 'OVERLOADED', detail, { retryAfterMs });
    }
    if (!isVerb(verb)) return this.#problem(id, 'INVALID_REQUEST', 'verb: is not a known verb');
    const fault = validators[verb](body);
    if (fault !== null) return this.#problem(id, fault.code, fault.detail, { gid: gidOf(body) });
    this.#unanswered += 1;
    this.#ask(verb, body, (answer) => {
      this.#unanswered -= 1;
      if (answer.ok) this.#frames.push({ kind: 'reply', id, body: answer.body });
      else {
        const { code, detail, retryAfterMs: laterMs } = answer;
        this.#problem(id, code, detail, { gid: gidOf(body), retryAfterMs: laterMs });
      }
    });
  }

  /** The validators have checked the body: this is where it gets its type. */
  #ask(verb: ChannelVerb, body: unknown, answered: (answer: Answer<unknown>) => void): void {
    const { coordinator } = this.#ports;
    switch (verb) {
      case 'begin':
        return coordinator.begin(body as BeginRequest, answered);
      case 'register':
        return coordinator.register(body as RegisterRequest, answered);
      case 'try':
        return coordinator.tryBranch(body as TryRequest, answered);
      case 'decide':
        return coordinator.decide(body as DecideRequest, answered);
      case 'submit':
        return coordinator.submit(body as SubmitRequest, answered);
      case 'get':
        return coordinator.get(body as GetRequest, answered);
      case 'list':
        return coordinator.list(body as ListRequest, answered);
      case 'reportWaits':
        return coordinator.reportWaits(body as ReportWaitsRequest, answered);
      default:
        verb satisfies never;
    }
  }

  #refuseLong(id: number): void {
    const { messageBytesMax } = this.#ports.limits;
    this.#problem(id, 'LIMIT_EXCEEDED', `A message has at most ${messageBytesMax} bytes.`);
  }

  #problem(id: number, code: ErrorCode, detail: string, extras?: ProblemExtras): void {
    this.#frames.push({ kind: 'problem', id, problem: problemOf(code, detail, extras) });
  }

  #transmit(frame: string): void {
    const { unsentBytesPause, unsentBytesMax } = this.#ports.limits;
    this.#socket.send(frame, this.#sent);
    const { bufferedAmount } = this.#socket;
    if (bufferedAmount > unsentBytesMax) this.#cut('the peer does not read');
    else if (bufferedAmount > unsentBytesPause) {
      this.#isClogged = true;
      this.#socket.pause();
    }
  }

  /** A frame has left. An error is told by the socket's own events, too. */
  readonly #sent = (): void => {
    if (!this.#isClogged) return;
    this.#isClogged = this.#socket.bufferedAmount > this.#ports.limits.unsentBytesPause;
    this.#readOn();
  };

  #cut(reason: string): void {
    this.#end(reason);
    this.#socket.terminate();
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#frames.stop();
    this.#attached?.detached();
    const { service = null, instance = null } = this.#hello ?? {};
    this.#ended({ service, instance, reason });
  }
}

function gidOf(body: unknown): Gid | undefined {
  if (typeof body !== 'object' || body === null || !('gid' in body)) return undefined;
  return typeof body.gid === 'string' && isGid(body.gid) ? body.gid : undefined;
}
