/**
 * Messages to frames and back. Guards: a frame has at most 64 messages and 1 MiB, and nothing that
 * is not a message of the protocol gets further than here.
 */
import {
  type CallAnswer,
  type ChannelVerb,
  type ClientMessage,
  isErrorCode,
  limits,
  type Problem,
  type ServerMessage,
} from '../protocol/index.ts';

/** Collects messages into frames. */
export interface FrameWriter {
  /** Adds one message, as JSON text. It leaves at 64 messages, at 1 MiB, or when the tick ends. */
  write(message: string): void;
  /** Sends what has been collected now. */
  flush(): void;
  /** Forgets what has been collected; later writes are ignored. */
  drop(): void;
}

/** UTF-8 needs at most three bytes for one unit of a JavaScript string. */
const bytesPerUnitMax = 3;

/** What a message and its frame add to a body: brackets, kind, id and verb. */
const envelopeBytesMax = 128;

/** A writer that hands finished frames to `send`. */
export function frameWriter(send: (frame: string) => void): FrameWriter {
  /** The frame without its last bracket: as text, for a list would have to be joined. */
  let text = '';
  let messages = 0;
  let bytesMax = 2;
  let isDropped = false;
  let isScheduled = false;

  function flush(): void {
    if (messages === 0) return;
    const frame = `${text}]`;
    messages = 0;
    bytesMax = 2;
    send(frame);
  }

  function endOfTick(): void {
    isScheduled = false;
    flush();
  }

  return {
    write(message) {
      if (isDropped) return;
      const bytes = bytesAtMost(message);
      if (bytesMax + bytes > limits.bodyBytesMax) flush();
      text = messages === 0 ? `[${message}` : `${text},${message}`;
      messages += 1;
      bytesMax += bytes;
      if (messages >= limits.frameMessagesMax) flush();
      else if (!isScheduled) {
        isScheduled = true;
        setImmediate(endOfTick);
      }
    },
    flush,
    drop() {
      isDropped = true;
      messages = 0;
    },
  };
}

/** Exact bytes only for long texts: counting the short ones would cost more than it saves. */
function bytesAtMost(message: string): number {
  const bound = message.length * bytesPerUnitMax + 1;
  return bound < limits.bodyBytesMax / limits.frameMessagesMax
    ? bound
    : Buffer.byteLength(message) + 1;
}

/** Whether a text, with a few bytes around it, fits into a frame of its own. */
export function fitsFrame(text: string): boolean {
  const bytesMax = limits.bodyBytesMax - envelopeBytesMax;
  return text.length * bytesPerUnitMax <= bytesMax || Buffer.byteLength(text) <= bytesMax;
}

/** A request. Its body is JSON text already: what is sent again is not encoded again. */
export function requestMessage(id: number, verb: ChannelVerb, body: string): string {
  return `{"kind":"request","id":${id},"verb":"${verb}","body":${body}}`;
}

/** The answer to a call. Most say only that phase two is done: their text is always the same. */
export function answerMessage(id: number, answer: CallAnswer): string {
  const isEmpty = answer.outcome === 'done' && answer.result === null;
  const text = isEmpty ? '{"outcome":"done","result":null}' : JSON.stringify(answer);
  return `{"kind":"answer","id":${id},"answer":${text}}`;
}

/** The first message of a connection. */
export function helloMessage(hello: Extract<ClientMessage, { kind: 'hello' }>): string {
  return JSON.stringify(hello);
}

/** The messages of a frame; null when it is none. Unknown kinds are left out, for newer servers. */
export function parseFrame(text: string): readonly ServerMessage[] | null {
  const values = parseJson(text);
  if (!Array.isArray(values)) return null;
  const messages: ServerMessage[] = [];
  for (const value of values) {
    if (!isObject(value)) return null;
    const message = parseMessage(value);
    if (message !== null) messages.push(message);
  }
  return messages;
}

function parseMessage(value: Readonly<Record<string, unknown>>): ServerMessage | null {
  const { kind, id } = value;
  if (kind === 'welcome') {
    const requestsMax = typeof value.requestsMax === 'number' ? value.requestsMax : 1;
    return { kind, version: Number(value.version), node: String(value.node), requestsMax };
  }
  if (typeof id !== 'number') return null;
  if (kind === 'problem') return { kind, id, problem: parseProblem(value.problem) };
  // The coordinator is trusted with the shape of a reply's body and of a call (methods check their
  // own payload), so what was parsed is the message: copies of it would be garbage at once.
  if (kind === 'reply' || (kind === 'call' && isObject(value.call))) {
    return value as unknown as ServerMessage;
  }
  return null;
}

/** A code this version does not know is INTERNAL, with the text kept: never taken for a refusal. */
function parseProblem(value: unknown): Problem {
  const problem = (isObject(value) ? value : {}) as unknown as Problem;
  if (typeof problem.code === 'string' && isErrorCode(problem.code)) return problem;
  const detail = `the coordinator answered ${JSON.stringify(value)?.slice(0, limits.detailLengthMax)}`;
  return { type: 'about:blank', title: '', status: 500, code: 'INTERNAL', detail, remedy: '' };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
