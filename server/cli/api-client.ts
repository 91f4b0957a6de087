/**
 * The command line as a client of the HTTP API: one request, one answer, refusals as Failures with
 * the code that the server sent. It holds no connection and knows no retries: a person is watching.
 * Guard: a token goes into one header and nowhere else, never to another origin, never into a text.
 */
import { isErrorCode, isName, type Problem } from '../../client-sdk/protocol/index.ts';
import { Failure } from '../runtime/failure.ts';
import type { Secret } from '../runtime/secret.ts';

/** How long the command line waits for one answer. */
const requestTimeoutMs = 30_000;
/** The same, of work that reads or changes much: thousands of transactions, the whole audit. */
const longRequestTimeoutMs = 10 * 60_000;

/** Parameters of an address; undefined ones are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** Asks the API of one coordinator. */
export interface ApiClient {
  /**
   * GET of a path such as `/v1/transactions`. Throws Failure: UNREACHABLE, UNKNOWN (timed out), or the
   * code of the problem that was answered. `isLong`: it may take minutes.
   */
  get(path: string, query?: Query, options?: { readonly isLong: boolean }): Promise<unknown>;
  /**
   * POST of a JSON body, which may take minutes; throws the same, but UNREACHABLE only when nothing was
   * sent. After UNKNOWN it may have been done.
   */
  post(path: string, body: object): Promise<unknown>;
  /** Texts of `data:` of an event stream, until it ends or the signal says so; throws the same. */
  events(path: string, signal: AbortSignal): AsyncIterable<string>;
}

/** Who asks. */
export interface Caller {
  /** Sent as bearer token; null: there is none. */
  readonly token: Secret | null;
  /** Without a token: who he says he is, for the audit. */
  readonly user: string | undefined;
}

/** `baseUrl`: such as http://127.0.0.1:7400. Throws Failure INVALID_CONFIG for anything else. */
export function createApiClient(
  baseUrl: string,
  caller: Caller = { token: null, user: undefined },
): ApiClient {
  const base = URL.parse(baseUrl);
  if (base === null || !/^https?:$/.test(base.protocol)) {
    throw new Failure('INVALID_CONFIG', '--url takes an address such as http://127.0.0.1:7400.');
  }
  const own = headersOf(caller);
  const ask = async (url: URL, init: RequestInit, timeoutMs: number) => {
    const mayChange = init.method === 'POST';
    try {
      const response = await reach(url, { ...init, signal: AbortSignal.timeout(timeoutMs) });
      const body = await readJson(response);
      if (response.ok) return body;
      throw refusalOf(body, response.status);
    } catch (error) {
      throw mayChange ? unknownUnlessUnsent(error) : error;
    }
  };
  return {
    get(path, query = {}, { isLong } = { isLong: false }) {
      const url = new URL(path, base);
      for (const [name, value] of Object.entries(query)) {
        if (value !== undefined) url.searchParams.set(name, String(value));
      }
      return ask(url, { headers: own }, isLong ? longRequestTimeoutMs : requestTimeoutMs);
    },
    post(path, body) {
      const headers = { ...own, 'content-type': 'application/json' };
      const init = { method: 'POST', headers, body: JSON.stringify(body) };
      return ask(new URL(path, base), init, longRequestTimeoutMs);
    },
    async *events(path, signal) {
      const headers = { ...own, accept: 'text/event-stream' };
      const response = await reach(new URL(path, base), { headers, signal });
      if (!response.ok) throw refusalOf(await readJson(response), response.status);
      yield* eventsIn(response, signal);
    },
  };
}

/** The server takes a name of its own grammar only; another one would be refused with the request. */
function headersOf({ token, user }: Caller): Readonly<Record<string, string>> {
  if (token !== null) return { authorization: `Bearer ${token.reveal()}` };
  return user !== undefined && isName(user) ? { 'settle-operator': user } : {};
}

async function reach(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, redirect: 'error' });
  } catch (error) {
    if (error instanceof Error && error.name === 'TimeoutError') {
      throw new Failure('UNKNOWN', `No answer from ${url.origin} in time.`, { cause: error });
    }
    throw new Failure('UNREACHABLE', `Nothing answers at ${url.origin}.`, { cause: error });
  }
}

/** The request of a line that broke, or of a proxy that gave up, may have been carried out. */
function unknownUnlessUnsent(error: unknown): unknown {
  if (!(error instanceof Failure) || error.code !== 'UNREACHABLE') return error;
  if (wasNeverSent(error.cause)) return error;
  const detail = 'The answer was lost: it may have been done, which `settle audit list` tells.';
  return new Failure('UNKNOWN', detail, { cause: error });
}

/** Errors of looking up the address and of connecting to it; fetch has them as the cause of its own. */
const unsent: ReadonlySet<unknown> = new Set([
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'],
  'UND_ERR_CONNECT_TIMEOUT',
]);

function wasNeverSent(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && unsent.has(cause.code);
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (error) {
    const origin = URL.parse(response.url)?.origin ?? 'that address';
    if (error instanceof Error && error.name === 'TimeoutError') {
      throw new Failure('UNKNOWN', `No whole answer from ${origin} in time.`, { cause: error });
    }
    const detail = `What answers at ${origin} is no coordinator.`;
    throw new Failure('UNREACHABLE', detail, { cause: error });
  }
}

/** One `data:` line is one event of ours; names, ids and comments mean nothing here. */
async function* eventsIn(response: Response, signal: AbortSignal): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of response.body ?? []) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.startsWith('data:')) yield line.slice(5).trim();
    }
  } catch (error) {
    if (signal.aborted) return;
    throw new Failure('UNREACHABLE', 'The stream of events has broken off.', { cause: error });
  }
}

function refusalOf(body: unknown, status: number): Failure {
  const { code, detail } = (body ?? {}) as Partial<Problem>;
  if (typeof code === 'string' && isErrorCode(code)) return new Failure(code, detail ?? '');
  return new Failure('UNREACHABLE', `It answered ${status} without a code that we know.`);
}
