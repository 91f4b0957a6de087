/**
 * The three error classes of the SDK. Codes, statuses and remedies live in the one table of the
 * protocol; nothing here maps them to HTTP or to answers.
 */
import { type ErrorCode, errorTable, type Gid } from './protocol/index.ts';

/** What every call of the SDK throws. `code` is one of the table in docs/reference/errors.md. */
export class SettleError extends Error {
  override readonly name = 'SettleError';
  readonly code: ErrorCode;
  /** What happened this time, for people; at most 512 characters when it came from a server. */
  readonly detail: string;
  readonly gid: Gid | undefined;
  /** Whether the same request may succeed later without being changed. */
  readonly retryable: boolean;

  constructor(
    code: ErrorCode,
    detail: string,
    more: { readonly gid?: Gid | undefined; readonly cause?: unknown } = {},
  ) {
    super(`${code}: ${detail}`, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.detail = detail;
    this.gid = more.gid;
    this.retryable = errorTable[code].retryable;
  }
}

/** Thrown by a handler: the participant refuses for good, nothing of this call has happened. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
}

/** Thrown by a handler: not now; ask again, at the earliest after `retryAfterMs`. */
export class RetryableError extends Error {
  override readonly name = 'RetryableError';
  /** Milliseconds; undefined leaves the time to the coordinator's backoff. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    more: { readonly retryAfterMs?: number; readonly cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.retryAfterMs = more.retryAfterMs;
  }
}
