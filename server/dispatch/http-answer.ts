/**
 * What an HTTP response says about an operation. The status alone decides (2xx done, 409 refused,
 * 425 ongoing, anything else unknown); the body only brings the result or the reason. Pure.
 */
import { isUtf8 } from 'node:buffer';
import type { CallAnswer, Json } from '../../client-sdk/protocol/index.ts';
import { limits } from '../../client-sdk/protocol/index.ts';
import { retryAfterMsMax } from './limits.ts';

/** A response as far as it was read. */
export interface HttpResponse {
  readonly status: number;
  /** Value of Retry-After (RFC 9110 §10.2.3), if any. */
  readonly retryAfter: string | null;
  readonly body: Buffer;
  /** False when the body broke off or was longer than its bound. */
  readonly isComplete: boolean;
}

/** The answer; `nowMs` is for a Retry-After that names a date. Never throws. */
export function answerOf(response: HttpResponse, nowMs: number): CallAnswer {
  const { status } = response;
  if (status >= 200 && status < 300) return doneAnswer(response);
  if (status === 409) return { outcome: 'refused', error: reasonOf(response) };
  const retryAfterMs = retryAfterMsOf(response.retryAfter, nowMs);
  if (status === 425) {
    return retryAfterMs === null ? { outcome: 'ongoing' } : { outcome: 'ongoing', retryAfterMs };
  }
  const mayAskLater = status === 429 || status === 503;
  const unknown = unknownAnswer(unknownError(response));
  return mayAskLater && retryAfterMs !== null ? { ...unknown, retryAfterMs } : unknown;
}

/** Asked, and nobody knows what came of it. The text is cut at 512 characters. */
export function unknownAnswer(error: string): CallAnswer & { outcome: 'unknown' } {
  return { outcome: 'unknown', error: cut(error) };
}

function doneAnswer({ status, body, isComplete }: HttpResponse): CallAnswer {
  if (!isComplete) return unknownAnswer(`HTTP ${status}, but the body is cut short or too long`);
  if (body.length === 0) return { outcome: 'done', result: null };
  const result = isUtf8(body) ? parsed(body.toString()) : undefined;
  if (result === undefined) return unknownAnswer(`HTTP ${status}, but the body is not JSON`);
  if (depthOf(result) <= limits.jsonDepthMax) return { outcome: 'done', result };
  return unknownAnswer(`HTTP ${status}, but the JSON nests deeper than ${limits.jsonDepthMax}`);
}

/** Undefined when the text is not JSON; JSON itself has no undefined. */
function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** Depth of nesting; looks no deeper than one past the limit. */
function depthOf(value: Json, depth = 0): number {
  if (value === null || typeof value !== 'object' || depth > limits.jsonDepthMax) return depth;
  let deepest = depth + 1;
  for (const inner of Object.values(value)) deepest = Math.max(deepest, depthOf(inner, depth + 1));
  return deepest;
}

function unknownError(response: HttpResponse): string {
  const { status } = response;
  if (status >= 300 && status < 400) return `HTTP ${status}: redirects are not followed`;
  const reason = reasonOf(response);
  return reason === '' ? `HTTP ${status}` : `HTTP ${status}: ${reason}`;
}

/** Detail of a problem (RFC 9457), or the usual names for it, or the text itself; one line, cut. */
function reasonOf({ body }: HttpResponse): string {
  const text = body.toString();
  const problem = parsed(text);
  if (problem !== null && typeof problem === 'object' && !Array.isArray(problem)) {
    const named = problem as { readonly [key: string]: Json };
    for (const key of ['detail', 'error', 'message', 'title']) {
      const value = named[key];
      if (typeof value === 'string' && value !== '') return cut(value);
    }
  }
  return cut(typeof problem === 'string' ? problem : text);
}

function cut(text: string): string {
  return text.slice(0, limits.detailLengthMax);
}

/** Seconds or an HTTP date, from now, 0 .. one hour; null when absent or neither. */
export function retryAfterMsOf(value: string | null, nowMs: number): number | null {
  if (value === null) return null;
  const text = value.trim();
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), retryAfterMsMax);
}
