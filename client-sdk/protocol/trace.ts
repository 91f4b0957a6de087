/**
 * The port to tracing, which SDK and coordinator share: spans, and how a trace travels. Whoever has no
 * tracer makes no span; what came along is passed on all the same. Invariant: a span says who, what
 * and how it ended; it never holds a payload, a result or the text of an error.
 */
import type { EpochMs } from './words.ts';

/**
 * A place in a trace, as W3C Trace Context writes it: `00-<trace id>-<span id>-<flags>`. Only version
 * 00, and no ids of nothing but zeros. The flag 01 says that the trace is sampled.
 * https://www.w3.org/TR/trace-context/#traceparent-header
 */
export type Traceparent = `00-${string}-${string}-${string}`;

/** Its grammar, all-zero ids left out. */
export const traceparentPattern = '^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$';

const expression = new RegExp(traceparentPattern);

/** Whether the value can be one; anything else counts as none. */
export function isTraceparent(value: unknown): value is Traceparent {
  return typeof value === 'string' && expression.test(value);
}

/** Whether both are in one trace. */
export function isSameTrace(one: Traceparent, other: Traceparent): boolean {
  return one.slice(3, 35) === other.slice(3, 35);
}

/** What is known of a span: names of Settle begin with `settle.`, see docs/operations/tracing.md. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** How a span begins. */
export interface SpanStart {
  /** `client` asks somebody who answers by a span of kind `server`. */
  readonly kind: 'internal' | 'client' | 'server';
  /** `active`: the one that the running code is in, if any. A place, here or elsewhere. Null: none. */
  readonly parent: 'active' | Traceparent | null;
  readonly attributes: SpanAttributes;
  /** Default: now. */
  readonly startedAtMs?: EpochMs;
}

/** How a span ends. */
export interface SpanEnd {
  /** A code, never a text; with it the span counts as failed. */
  readonly error?: string;
  readonly attributes?: SpanAttributes;
  /** Default: now. */
  readonly endedAtMs?: EpochMs;
}

/** A span that has begun. */
export interface TraceSpan {
  /** To be sent along: what others do because of it belongs to it. Undefined while nobody records. */
  readonly traceparent: Traceparent | undefined;
  /** Runs with it as the active one, through promises as well. */
  run<T>(work: () => T): T;
  /** Call it once. */
  end(how?: SpanEnd): void;
}

/** Where spans go. Never throws, whatever becomes of them. */
export interface Tracer {
  start(name: string, how: SpanStart): TraceSpan;
  /** The place of the running code. */
  active(): Traceparent | undefined;
  /** Runs outside of every span: for what outlives the code that started it. */
  outside<T>(work: () => T): T;
}
