/**
 * The parse boundary of the channel: from the text of a frame to messages that may be trusted in
 * their shape. Request bodies are left `unknown`; the validators look at them. Pure.
 */
import {
  type CallAnswer,
  type ChannelVerb,
  channelVersion,
  isName,
  type Json,
  limits,
} from '../../client-sdk/protocol/index.ts';
import type { ChannelLimits } from './channel-limits.ts';
import { fitsBytes, isShallow } from './json-size.ts';

/** A message as it came, kind and id checked. */
export type Incoming =
  | { readonly kind: 'hello'; readonly fields: Fields }
  | {
      readonly kind: 'request';
      readonly id: number;
      readonly verb: unknown;
      readonly body: unknown;
    }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown };

/** Any JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

/** A hello that may be taken. */
export interface Hello {
  readonly service: string;
  readonly instance: string;
  readonly methods: readonly string[];
  readonly callsMax: number;
}

/** The messages of a frame, or why it is none: a phrase for people that repeats nothing of it. */
export function parseFrame(text: string): readonly Incoming[] | string {
  const frame = parseJson(text);
  if (!Array.isArray(frame)) return 'a frame must be a JSON array of messages';
  if (frame.length > limits.frameMessagesMax) {
    return `a frame has at most ${limits.frameMessagesMax} messages`;
  }
  const messages: Incoming[] = [];
  for (const value of frame) {
    const message = incoming(value);
    if (typeof message === 'string') return message;
    messages.push(message);
  }
  return messages;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function incoming(value: unknown): Incoming | string {
  if (!isObject(value)) return 'a message must be an object';
  const { kind, id } = value;
  if (kind === 'hello') return { kind, fields: value };
  if (kind !== 'request' && kind !== 'answer') return 'unknown kind of message';
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0) {
    return 'an id must be a whole number from 0';
  }
  if (kind === 'request') return { kind, id, verb: value['verb'], body: value['body'] };
  return { kind, id, answer: value['answer'] };
}

/** The hello, or why it cannot be taken. */
export function parseHello(fields: Fields, bounds: ChannelLimits): Hello | string {
  const { version, service, instance, methods, callsMax } = fields;
  if (version !== channelVersion) return `this coordinator speaks version ${channelVersion} only`;
  if (typeof service !== 'string' || !isName(service)) return 'hello: service is not a name';
  if (typeof instance !== 'string' || !isName(instance)) return 'hello: instance is not a name';
  if (!Array.isArray(methods)) return 'hello: methods must be a list';
  if (methods.length > bounds.methodsMax) return `hello: more than ${bounds.methodsMax} methods`;
  if (!methods.every((name) => typeof name === 'string' && isName(name))) {
    return 'hello: a method is not a name';
  }
  const isCount = typeof callsMax === 'number' && Number.isSafeInteger(callsMax);
  if (!isCount || callsMax < 0 || callsMax > bounds.callsMax) {
    return `hello: callsMax must be from 0 to ${bounds.callsMax}`;
  }
  return { service, instance, methods, callsMax };
}

const verbs: ReadonlySet<unknown> = new Set<ChannelVerb>([
  'begin',
  'register',
  'try',
  'decide',
  'submit',
  'get',
  'list',
  'reportWaits',
]);

/** True for a verb of the channel. */
export function isVerb(verb: unknown): verb is ChannelVerb {
  return verbs.has(verb);
}

/**
 * The answer of a participant, in bounds: texts cut, waits capped. What is no answer, or too large,
 * is `unknown`: the operation may have happened.
 */
export function parseAnswer(value: unknown, bounds: ChannelLimits): CallAnswer {
  if (!isObject(value)) return unknownAnswer('the answer is not an object');
  const { outcome } = value;
  switch (outcome) {
    case 'done':
      return doneAnswer(value['result'] ?? null);
    case 'refused':
      return { outcome, error: textOf(value['error'], 'refused without a reason') };
    case 'ongoing':
      return { outcome, ...retryAfterOf(value, bounds) };
    case 'unknown': {
      const error = textOf(value['error'], 'no reason was given');
      const asked = value['asked'] === false ? { asked: false as const } : {};
      return { outcome, error, ...retryAfterOf(value, bounds), ...asked };
    }
    default:
      return unknownAnswer('the answer has no known outcome');
  }
}

/** What every confirm, cancel and undo answers. */
const doneWithNothing: CallAnswer = { outcome: 'done', result: null };

function doneAnswer(result: unknown): CallAnswer {
  if (result === null) return doneWithNothing;
  if (!isShallow(result, limits.jsonDepthMax)) {
    return unknownAnswer(`the result nests deeper than ${limits.jsonDepthMax}`);
  }
  if (!fitsBytes(result, limits.payloadBytesMax)) {
    return unknownAnswer(`the result is larger than ${limits.payloadBytesMax} bytes of JSON`);
  }
  return { outcome: 'done', result: result as Json };
}

function unknownAnswer(error: string): CallAnswer {
  return { outcome: 'unknown', error };
}

function textOf(value: unknown, fallback: string): string {
  return typeof value === 'string' ? value.slice(0, limits.detailLengthMax) : fallback;
}

function retryAfterOf(value: Fields, bounds: ChannelLimits): { retryAfterMs?: number } {
  const { retryAfterMs } = value;
  if (typeof retryAfterMs !== 'number' || !(retryAfterMs >= 0)) return {};
  return { retryAfterMs: Math.min(retryAfterMs, bounds.retryAfterMsMax) };
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
