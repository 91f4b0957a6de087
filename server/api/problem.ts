/**
 * Refusals as the edge sends them: RFC 9457 problem details, built from the one table of codes.
 * Nothing here knows a route or a frame; HTTP and channel answer with the same body.
 */
import {
  type ErrorCode,
  errorTable,
  type Gid,
  limits,
  type Problem,
} from '../../client-sdk/protocol/index.ts';

/** Media type of every refusal (RFC 9457 §3). */
export const problemType = 'application/problem+json; charset=utf-8';

/** What may be added to a problem: the gid it is about, and when to ask again. */
export interface ProblemExtras {
  readonly gid?: Gid | undefined;
  readonly retryAfterMs?: number | undefined;
}

/**
 * The body of a refusal. `detail` is for people and is cut at 512 characters; status, title and
 * remedy come from the table, so that one code always looks the same.
 */
export function problemOf(code: ErrorCode, detail: string, extras: ProblemExtras = {}): Problem {
  const entry = errorTable[code];
  return {
    type: `/docs/errors#${code}`,
    title: entry.title,
    status: entry.status,
    code,
    detail: detail.slice(0, limits.detailLengthMax),
    remedy: entry.remedy,
    ...(extras.gid === undefined ? {} : { gid: extras.gid }),
    ...(extras.retryAfterMs === undefined ? {} : { retryAfterMs: extras.retryAfterMs }),
  };
}

/** Value of Retry-After (RFC 9110 §10.2.3): whole seconds, rounded up, at least one. */
export function retryAfterSeconds(retryAfterMs: number): string {
  return String(Math.max(1, Math.ceil(retryAfterMs / 1000)));
}
