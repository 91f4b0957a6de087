/**
 * The errors of the SDK: one class with a code of the table for everything Settle itself says, and
 * two that business methods throw to say what their failure means. Guards: an unknown outcome never
 * looks like a failed one; it has the code UNKNOWN.
 */
import { type ErrorCode, errorTable, type Gid, limits, type Problem } from './protocol/index.ts';

/** What may come with a {@link SettleError}. */
export interface SettleErrorOptions {
  /** The global transaction it is about. */
  readonly gid?: Gid | undefined;
  /**
   * What led to it: another error, or (ROLLED_BACK) the `Cause` of the decision as the coordinator
   * recorded it.
   */
  readonly cause?: unknown;
}

/**
 * Everything that Settle refuses or does not know. `code` is from the table in
 * `docs/reference/errors.md`; `detail` says what it was this time; `retryable` whether the same
 * request may succeed later without being changed. The message reads
 * `CODE: title — detail. remedy`.
 */
export class SettleError extends Error {
  override readonly name = 'SettleError';
  readonly code: ErrorCode;
  readonly detail: string;
  readonly gid: Gid | undefined;
  readonly retryable: boolean;

  constructor(code: ErrorCode, detail: string, options: SettleErrorOptions = {}) {
    super(
      message(code, detail, options.gid),
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.detail = detail;
    this.gid = options.gid;
    this.retryable = errorTable[code].retryable;
  }
}

/**
 * Thrown by a business method: it refuses for good and has changed nothing (HTTP 409). The message
 * is what the initiator sees as the detail of REFUSED; it is cut at 512 characters.
 */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
}

/**
 * Thrown by a business method: the outcome is not known, ask again, no sooner than `retryAfterMs`
 * if it is given. Any other error means the same without a wish for the delay.
 */
export class RetryableError extends Error {
  override readonly name = 'RetryableError';
  /** Milliseconds; undefined leaves the time to the coordinator's backoff. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: ErrorOptions & { readonly retryAfterMs?: number } = {}) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The error for a problem that the coordinator answered. */
export function problemError(problem: Problem, gid?: Gid): SettleError {
  return new SettleError(problem.code, problem.detail, { gid: problem.gid ?? gid });
}

/** What a thrown value says, at most 512 characters: for `reason`, for logs, for answers. */
export function reasonOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
  return text.slice(0, limits.detailLengthMax);
}

function message(code: ErrorCode, detail: string, gid: Gid | undefined): string {
  const { title, remedy } = errorTable[code];
  const what = detail === '' ? title : `${withoutDot(title)} — ${withoutDot(detail)}.`;
  return `${code}: ${what} ${remedy}${gid === undefined ? '' : ` (gid ${gid})`}`;
}

function withoutDot(sentence: string): string {
  return sentence.endsWith('.') ? sentence.slice(0, -1) : sentence;
}
