/** What a rule makes of an event: a record or none, how urgent it is, and what the asker hears. */
import type { BranchId, ErrorCode } from '../../client-sdk/protocol/index.ts';
import { keyOf } from './effect.ts';
import type { LogRecord } from './record.ts';

/** What the asker hears. Timers and participants' results hear nothing. */
export type Reply =
  | { readonly kind: 'none' }
  | { readonly kind: 'accepted'; readonly branchIds: readonly BranchId[] }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly detail: string };

/**
 * `urgent`: reply and new effects wait until the record is durable. `lazy`: effects go out at once,
 * for a lost record would only repeat calls that are idempotent; the record rides along.
 */
export type Urgency = 'urgent' | 'lazy';

/** What a mode (or a common rule) makes of an event. */
export interface Verdict {
  readonly record: LogRecord | null;
  readonly urgency: Urgency;
  readonly reply: Reply;
}

/** Nothing changes and nobody hears. */
export const nothing: Verdict = { record: null, urgency: 'lazy', reply: { kind: 'none' } };

/** Nothing changes; the asker hears that what was asked for is so already. */
export function accepted(branchIds: readonly BranchId[] = []): Verdict {
  return { record: null, urgency: 'lazy', reply: { kind: 'accepted', branchIds } };
}

/** Nothing changes; the asker hears why. */
export function refused(code: ErrorCode, detail: string): Verdict {
  return { record: null, urgency: 'lazy', reply: { kind: 'refused', code, detail } };
}

/** Nothing changes: a human cannot settle what is not owed. */
export function notAsked(owed: Parameters<typeof keyOf>[0]): Verdict {
  return refused('NOTHING_OWED', `${keyOf(owed)} is not asked now`);
}

/** A change that somebody asked for and waits for. */
export function urgent(record: LogRecord, branchIds: readonly BranchId[] = []): Verdict {
  return { record, urgency: 'urgent', reply: { kind: 'accepted', branchIds } };
}

/** A change that nobody asked for, but which must be durable before anything follows from it. */
export function decisive(record: LogRecord): Verdict {
  return { record, urgency: 'urgent', reply: { kind: 'none' } };
}

/** A change that may ride along with the next commit. */
export function lazy(record: LogRecord): Verdict {
  return { record, urgency: 'lazy', reply: { kind: 'none' } };
}
