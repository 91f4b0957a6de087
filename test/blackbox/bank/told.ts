/** What may be said of a transfer by who carried it out, and what the SDK's errors mean for it. */
import type { ErrorCode, SettleError } from '@settle/client';

/** What a completion in the history says. */
export interface Told {
  /** `ok`: it committed. `fail`: it certainly never will. `info`: nobody told. */
  readonly type: 'ok' | 'fail' | 'info';
  /** A phase, a code of the SDK, or `regret`. */
  readonly code: string;
}

/** Thrown by an initiator that changes its mind; nobody but it could have committed. */
export class Regret extends Error {}

/** The SDK says that with any other code the decision, or the saga, certainly was not taken. */
const unknownCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['UNKNOWN', 'INTERNAL']);

/** Whether it may still commit. */
export function leavesOpen(error: SettleError): boolean {
  return unknownCodes.has(error.code);
}
