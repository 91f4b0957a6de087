/**
 * Errors of the SDK as HTTP problems (RFC 9457) and back, for services that speak plain HTTP to
 * each other. The coordinator's own API has its own copy of the shape; the codes are shared.
 * Invariant: what is not known never travels as a refusal.
 */
import { problemError, RetryableError, SettleError, TerminalError } from './errors.ts';
import {
  type CallAnswer,
  type ErrorCode,
  errorTable,
  isErrorCode,
  isGid,
  limits,
  type Problem,
} from './protocol/index.ts';

/** Media type of every refusal (RFC 9457 §3). */
export const problemType = 'application/problem+json';

/** What a problem is besides its code and its detail. */
export interface ProblemExtras {
  readonly gid?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  /** Instead of the status of the table. */
  readonly status?: number;
}

/** A problem from the table; the detail is cut at 512 characters. */
export function problemOf(code: ErrorCode, detail: string, extras: ProblemExtras = {}): Problem {
  const { status, title, remedy } = errorTable[code];
  const { gid, retryAfterMs } = extras;
  return {
    type: `/docs/errors#${code}`,
    title,
    status: extras.status ?? status,
    code,
    detail: detail.slice(0, limits.detailLengthMax),
    remedy,
    ...(gid === undefined ? {} : { gid }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

/**
 * The problem for an error that a handler threw: TerminalError is REFUSED (409), RetryableError is
 * UNKNOWN with status 503, because only there Retry-After is usual; a SettleError has the status
 * of the table. Undefined for any other error: it is not ours to answer.
 */
export function problemOfError(error: unknown): Problem | undefined {
  if (error instanceof TerminalError) return problemOf('REFUSED', error.message);
  if (error instanceof RetryableError) {
    return problemOf('UNKNOWN', error.message, { status: 503, retryAfterMs: error.retryAfterMs });
  }
  if (error instanceof SettleError) return problemOf(error.code, error.detail, { gid: error.gid });
  return undefined;
}

/**
 * The problem for an answer that is not `done`, by the strict result protocol over HTTP: refused is
 * 409, ongoing 425, unknown 503.
 */
export function problemOfAnswer(answer: Exclude<CallAnswer, { outcome: 'done' }>): Problem {
  switch (answer.outcome) {
    case 'refused':
      return problemOf('REFUSED', answer.error);
    case 'ongoing':
      return problemOf('ONGOING', '', { retryAfterMs: answer.retryAfterMs });
    case 'unknown':
      return problemOf('UNKNOWN', answer.error, {
        status: 503,
        retryAfterMs: answer.retryAfterMs,
      });
    default:
      return answer satisfies never;
  }
}

/**
 * Value of Retry-After (RFC 9110 §10.2.3): whole seconds, rounded up. Undefined below one second:
 * the caller's own backoff is finer than the header.
 */
export function retryAfterOf(problem: Problem): string | undefined {
  const { retryAfterMs } = problem;
  if (retryAfterMs === undefined || retryAfterMs < 1_000) return undefined;
  return String(Math.ceil(retryAfterMs / 1_000));
}

/**
 * The error that a response means, by its status and the start of its body; undefined when it is no
 * refusal of Settle: another status without a code of the table.
 */
export function errorOfResponse(status: number, body: string): SettleError | undefined {
  const told = parseProblem(body);
  if (status >= 400 && told !== undefined && isErrorCode(told.code)) {
    const gid = told.gid !== undefined && isGid(told.gid) ? told.gid : undefined;
    return problemError(problemOf(told.code, told.detail, { gid }));
  }
  const detail = (told?.detail ?? body).slice(0, limits.detailLengthMax);
  if (status === 409) return new SettleError('REFUSED', detail);
  if (status === 425) return new SettleError('ONGOING', detail);
  return undefined;
}

interface ToldProblem {
  readonly code: string;
  readonly detail: string;
  readonly gid: string | undefined;
}

/** What can be read of a body that claims to be a problem; undefined when it is no JSON object. */
function parseProblem(body: string): ToldProblem | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const told: Readonly<Record<string, unknown>> = { ...parsed };
  const text = [told['detail'], told['error'], told['message'], told['title']].find(isText);
  return {
    code: isText(told['code']) ? told['code'] : '',
    detail: text ?? '',
    gid: isText(told['gid']) ? told['gid'] : undefined,
  };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
