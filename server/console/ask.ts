/**
 * How the console asks the coordinator: `/v1` over HTTP, and nothing else. Every answer is a value,
 * also a refusal and a lost connection. Guards: nothing is taken for done that was not answered so.
 */
import type { Problem } from '../../client-sdk/protocol/requests.ts';
import { operatorName } from './preferences.ts';

/** Why there is no answer. `status` 0: the coordinator could not be reached. */
export interface Refused {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly remedy: string;
}

/** An answer, or why there is none. */
export type Answered<T> =
  | { readonly ok: true; readonly body: T }
  | { readonly ok: false; readonly refused: Refused };

/** Event of the window: the coordinator does not know us any more. */
export const sessionOver = 'settle:session-over';

/** What a screen says of a route that this coordinator does not have. */
export const notOffered: Refused = {
  status: 404,
  code: 'NOT_OFFERED',
  detail: 'This coordinator does not offer it yet.',
  remedy: 'Use a newer server.',
};

const unreachable: Refused = {
  status: 0,
  code: 'UNREACHABLE',
  detail: 'The coordinator does not answer.',
  remedy: 'Check that `settle server` runs; this page tries again by itself.',
};

/** Longer than any answer may wait at the server, but not for ever. */
const patienceMs = 30_000;

/** `GET`. The type of the answer is what the protocol says of that route. */
export function look<T>(path: string): Promise<Answered<T>> {
  return ask<T>(path, { method: 'GET' });
}

/** `POST` of JSON, on the record of whoever is logged in, or says who he is. */
export function tell<T>(path: string, body: unknown): Promise<Answered<T>> {
  const who = operatorName();
  const headers = {
    'content-type': 'application/json',
    ...(who === '' ? {} : { 'settle-operator': who }),
  };
  return ask<T>(path, { method: 'POST', headers, body: JSON.stringify(body) });
}

/** `DELETE`, for the session. */
export function take(path: string): Promise<Answered<null>> {
  return ask<null>(path, { method: 'DELETE' });
}

/** A path with its query; what is undefined or empty is left out. */
export function withQuery(
  path: string,
  query: Readonly<Record<string, string | number | boolean | undefined>>,
): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, String(value)]],
  );
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}

async function ask<T>(path: string, init: RequestInit): Promise<Answered<T>> {
  try {
    const response = await fetch(path, { ...init, signal: AbortSignal.timeout(patienceMs) });
    if (response.status === 204) return { ok: true, body: null as T };
    if (response.status === 401 && path !== '/v1/session') dispatchEvent(new Event(sessionOver));
    const body: unknown = await response.json();
    // The one cast of an answer to what the protocol says of it.
    if (response.ok) return { ok: true, body: body as T };
    return { ok: false, refused: refusedBy(response.status, body as Partial<Problem>) };
  } catch {
    return { ok: false, refused: unreachable };
  }
}

function refusedBy(status: number, problem: Partial<Problem>): Refused {
  const { code = 'UNKNOWN', detail = `It answered ${status}.`, remedy = '' } = problem;
  if (status === 404 && detail.startsWith('No such address')) return notOffered;
  return { status, code, detail, remedy };
}
