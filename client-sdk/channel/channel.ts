/**
 * The channel as the rest of the SDK sees it: requests go out, calls come in, and connections come
 * and go underneath. Guards: a call is answered on the connection that brought it or not at all;
 * the coordinator always knows the current list of methods.
 */
import { SettleError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Host } from '../participant/host.ts';
import {
  type Call,
  type CallAnswer,
  channelVersion,
  closeCodes,
  type ServerMessage,
} from '../protocol/index.ts';
import { openConnection } from './connection.ts';
import { answerMessage, fitsFrame, helloMessage } from './frame.ts';
import { type Backoff, keepConnected } from './reconnect.ts';
import { createRequests, type Requests } from './requests.ts';

/** Everything a channel needs to know. */
export interface ChannelOptions {
  /** `ws:` or `wss:` address, with the path `/channel`. */
  readonly url: string;
  readonly token?: string | undefined;
  readonly service: string;
  readonly instance: string;
  /** Calls that this process takes at once. */
  readonly callsMax: number;
  readonly silenceMsMax: number;
  readonly backoff: Backoff;
  /** How long `close` waits for what is under way. */
  readonly drainMsMax: number;
}

/** One client's line to the coordinator. */
export interface Channel extends Pick<Requests, 'request'> {
  /** A coordinator has welcomed the present connection. */
  readonly isConnected: boolean;
  /**
   * Resolves when a coordinator has welcomed the present list of methods. Rejects when it refuses
   * to speak with us (INVALID_REQUEST), and after `timeoutMs` with UNREACHABLE.
   */
  ready(timeoutMs: number): Promise<void>;
  /**
   * Takes no more calls, waits for what is under way (at most `drainMsMax`, not at all without a
   * connection), then closes. What still waits for an answer is rejected. No timer stays.
   */
  close(): Promise<void>;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: SettleError) => void;
}

/** Connects now, and again whenever the connection is lost, until `close`. */
export function openChannel(options: ChannelOptions, host: Host, logger: Logger): Channel {
  const requests = createRequests(() => checkIdle());
  const waiters = new Set<Waiter>();
  const fields = { service: options.service, url: options.url };
  /** Counts connections: an answer belongs to the one that brought its call. */
  let term = 0;
  let callsRunning = 0;
  let hellosUnanswered = 0;
  let isOpen = false;
  let isWelcome = false;
  let isHelloDue = false;
  let lastReason = 'no answer yet';
  let closing: Promise<void> | null = null;
  let drained: () => void = () => undefined;

  const line = keepConnected(
    (events) => openConnection(options, events),
    { opened, message: receive, closed: lost },
    options.backoff,
  );
  const stopListening = host.onChange(() => {
    // Methods are usually defined in a row: one hello for all of a tick.
    if (isHelloDue || !isOpen) return;
    isHelloDue = true;
    setImmediate(() => {
      if (isHelloDue && closing === null) sayHello();
    });
  });

  function opened(): void {
    isOpen = true;
    sayHello();
  }

  function sayHello(): void {
    isHelloDue = false;
    hellosUnanswered += 1;
    const isTaking = closing === null;
    const hello = {
      kind: 'hello',
      version: channelVersion,
      service: options.service,
      instance: options.instance,
      methods: isTaking ? host.methods() : [],
      callsMax: isTaking ? options.callsMax : 0,
    } as const;
    line.connection?.send(helloMessage(hello));
  }

  function lost(code: number, reason: string): void {
    if (isWelcome) logger.warn({ ...fields, code, reason }, 'the channel was lost');
    else logger.debug({ ...fields, code, reason }, 'the coordinator was not reached');
    term += 1;
    isOpen = false;
    isWelcome = false;
    isHelloDue = false;
    hellosUnanswered = 0;
    lastReason = reason;
    requests.disconnected(reason);
    // Nothing under way can be answered any more: who drains may stop waiting.
    checkIdle();
    if (code === closeCodes.protocolError) {
      logger.error({ ...fields, reason }, 'the coordinator refuses to speak with this client');
      const refusal = new SettleError('INVALID_REQUEST', `the coordinator said: ${reason}`);
      for (const waiter of waiters) waiter.reject(refusal);
    }
  }

  function receive(message: ServerMessage): void {
    switch (message.kind) {
      case 'welcome':
        welcomed(message.requestsMax, message.node);
        return;
      case 'reply':
        requests.reply(message.id, message.body);
        return;
      case 'problem':
        requests.problem(message.id, message.problem);
        return;
      case 'call':
        void answer(message.id, message.call);
        return;
      default:
        message satisfies never;
    }
  }

  function welcomed(requestsMax: number, node: string): void {
    hellosUnanswered = Math.max(0, hellosUnanswered - 1);
    line.worked();
    if (!isWelcome) {
      isWelcome = true;
      logger.info({ ...fields, node }, 'connected');
      requests.connected((text) => line.connection?.send(text), requestsMax);
    }
    if (isReady()) for (const waiter of waiters) waiter.resolve();
  }

  function isReady(): boolean {
    return isWelcome && hellosUnanswered === 0 && !isHelloDue;
  }

  async function answer(id: number, call: Call): Promise<void> {
    const itsTerm = term;
    const places = isAboutInstance(call) ? 0 : 1;
    callsRunning += places;
    let text: string;
    try {
      const isBusy = places > 0 && callsRunning > options.callsMax;
      text = answerMessage(id, isBusy ? busyAnswer(options) : await host.answer(call));
      if (!fitsFrame(text)) text = unknownMessage(id, 'the answer is larger than a frame');
    } catch (error) {
      logger.error({ ...fields, gid: call.gid, method: call.method, error }, 'no answer was made');
      text = unknownMessage(id, 'the answer could not be encoded');
    }
    callsRunning -= places;
    if (itsTerm === term) line.connection?.send(text);
    checkIdle();
  }

  async function ready(timeoutMs: number): Promise<void> {
    if (closing !== null) throw new SettleError('UNREACHABLE', 'this client is closed');
    if (isReady()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { resolve, reject };
    waiters.add(waiter);
    const timer = setTimeout(() => {
      const detail = `no welcome from ${options.url} within ${timeoutMs} ms: ${lastReason}`;
      reject(new SettleError('UNREACHABLE', detail));
    }, timeoutMs);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      waiters.delete(waiter);
    }
  }

  function checkIdle(): void {
    if (!isWelcome || (callsRunning === 0 && requests.pending === 0)) drained();
  }

  async function drain(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    drained = resolve;
    const timer = setTimeout(resolve, options.drainMsMax);
    checkIdle();
    await promise;
    clearTimeout(timer);
  }

  async function close(): Promise<void> {
    stopListening();
    if (isWelcome) sayHello();
    await drain();
    await line.stop();
    requests.end();
    const closed = new SettleError('UNREACHABLE', 'this client was closed');
    for (const waiter of waiters) waiter.reject(closed);
  }

  return {
    request: requests.request,
    get isConnected() {
      return isWelcome;
    },
    ready,
    close: () => {
      // Set before close() runs: its hello must say that no calls are taken.
      if (closing === null) {
        const { promise, resolve } = Promise.withResolvers<void>();
        closing = promise;
        void close().then(resolve);
      }
      return closing;
    },
  };
}

/** Whoever is busy, or takes no calls, still says that it is there; that takes no call's place. */
function isAboutInstance({ operation }: Call): boolean {
  return operation === 'ping' || operation === 'holders';
}

function busyAnswer({ instance, callsMax }: ChannelOptions): CallAnswer {
  const error = `${instance} takes ${callsMax} calls at once`;
  return { outcome: 'unknown', error, retryAfterMs: 100, asked: false };
}

function unknownMessage(id: number, error: string): string {
  return answerMessage(id, { outcome: 'unknown', error });
}
