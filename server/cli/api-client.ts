/**
 * The command line as a client of the HTTP API: one request, one answer, refusals as Failures with
 * the code that the server sent. It holds no connection and knows no retries: a person is watching.
 */
import { isErrorCode, type Problem } from '../../client-sdk/protocol/index.ts';
import { Failure } from '../runtime/failure.ts';

/** How long the command line waits for one answer. */
const requestTimeoutMs = 30_000;

/** Reads from the API of one coordinator. */
export interface ApiClient {
  /**
   * GET of a path such as `/v1/transactions`. Undefined parameters are left out. Throws Failure:
   * UNREACHABLE, UNKNOWN (timed out), or the code of the problem that was answered.
   */
  get(path: string, query?: Readonly<Record<string, string | undefined>>): Promise<unknown>;
}

/** `baseUrl`: such as http://127.0.0.1:7400. Throws Failure INVALID_CONFIG for anything else. */
export function createApiClient(baseUrl: string): ApiClient {
  const base = URL.parse(baseUrl);
  if (base === null || !/^https?:$/.test(base.protocol)) {
    throw new Failure('INVALID_CONFIG', '--url takes an address such as http://127.0.0.1:7400.');
  }
  return {
    async get(path, query = {}) {
      const url = new URL(path, base);
      for (const [name, value] of Object.entries(query)) {
        if (value !== undefined) url.searchParams.set(name, value);
      }
      const response = await reach(url);
      const body = await readJson(response);
      if (response.ok) return body;
      throw refusalOf(body, response.status);
    },
  };
}

async function reach(url: URL): Promise<Response> {
  try {
    return await fetch(url, { signal: AbortSignal.timeout(requestTimeoutMs), redirect: 'error' });
  } catch (error) {
    if (error instanceof Error && error.name === 'TimeoutError') {
      throw new Failure('UNKNOWN', `No answer from ${url.origin} in time.`, { cause: error });
    }
    throw new Failure('UNREACHABLE', `Nothing answers at ${url.origin}.`, { cause: error });
  }
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (error) {
    const detail = `What answers at ${new URL(response.url).origin} is no coordinator.`;
    throw new Failure('UNREACHABLE', detail, { cause: error });
  }
}

function refusalOf(body: unknown, status: number): Failure {
  const { code, detail } = (body ?? {}) as Partial<Problem>;
  if (typeof code === 'string' && isErrorCode(code)) return new Failure(code, detail ?? '');
  return new Failure('UNREACHABLE', `It answered ${status} without a code that we know.`);
}
