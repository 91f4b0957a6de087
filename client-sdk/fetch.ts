/**
 * A `fetch` that carries the global transaction along, for calls between services. It is for
 * business calls; the SDK itself does not use it. Invariant: a request leaves only after the begin
 * of its transaction is durable, so that the receiver may register branches at once.
 */
import { currentTransaction } from './context.ts';
import { errorOfResponse } from './problem.ts';

type Fetch = typeof globalThis.fetch;

/** How much of an error body is read for its reason; problems are far smaller. */
const errorCharactersMax = 64 * 1024;

/**
 * Wraps a `fetch`: inside a global transaction its headers go with every request (one that the
 * caller has set stays). Rejects with SettleError REFUSED for 409, ONGOING for 425, and with the
 * code of any other problem that a Settle service answered; every other response is returned as it
 * is, so check `response.ok`. Also rejects with the error of a begin that failed, and with what
 * `fetch` throws. Give the wrapper to your own services only: others have no use for the headers.
 */
export function settleFetch(fetch: Fetch = globalThis.fetch): Fetch {
  return async (input, init) => {
    const context = (await currentTransaction()?.headers()) ?? {};
    const response = await fetch(input, withHeaders(input, init, context));
    if (response.status < 400) return response;
    // A copy, for the caller may want to read the body of what we give back.
    const text = (await response.clone().text()).slice(0, errorCharactersMax);
    const error = errorOfResponse(response.status, text);
    if (error === undefined) return response;
    await response.body?.cancel();
    throw error;
  };
}

function withHeaders(
  input: Parameters<Fetch>[0],
  init: Parameters<Fetch>[1],
  context: Readonly<Record<string, string>>,
): Parameters<Fetch>[1] {
  const entries = Object.entries(context);
  if (entries.length === 0) return init;
  // As fetch itself does it: headers in `init` replace those of a Request.
  const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : {}));
  for (const [name, value] of entries) if (!headers.has(name)) headers.set(name, value);
  return { ...init, headers };
}
