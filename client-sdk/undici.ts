/**
 * An undici interceptor that carries the global transaction along, for calls between services:
 * `new Agent().compose(settleInterceptor())`. It changes nothing but the headers; statuses are the
 * caller's to read. Invariant: as in `fetch.ts`, a request leaves only after the begin is durable.
 */
import type { Dispatcher } from 'undici';
import { type ContextHeaders, currentTransaction } from './context.ts';

type Handler = Dispatcher.DispatchHandler;
type Controller = Parameters<NonNullable<Handler['onResponseError']>>[0];

/**
 * Adds the context headers inside a global transaction (one that the caller has set stays), and
 * nothing outside of one. A begin that failed ends the request with its SettleError. Compose it
 * last, so that it sees the request in the caller's own context: `compose(retry, settle)`.
 */
export function settleInterceptor(): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) => {
    const transaction = currentTransaction();
    if (transaction === undefined) return dispatch(options, handler);
    transaction.headers().then(
      (context) => {
        try {
          dispatch({ ...options, headers: withContext(options.headers, context) }, handler);
        } catch (error) {
          // Thrown at the caller if it were not for the wait; a handler has this way to hear it.
          fail(handler, error);
        }
      },
      (error: unknown) => fail(handler, error),
    );
    // Under way as far as the caller is concerned: there is no queue to be full yet.
    return true;
  };
}

function fail(handler: Handler, thrown: unknown): void {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  handler.onResponseError?.(ended(error), error);
}

/** The controller of a request that never started. */
function ended(reason: Error): Controller {
  return {
    aborted: true,
    paused: false,
    reason,
    abort: () => undefined,
    pause: () => undefined,
    resume: () => undefined,
  };
}

type Headers = Exclude<Dispatcher.DispatchOptions['headers'], undefined>;

type Pair = [string, string | string[] | undefined];

/** undici takes a flat list, a list of pairs, or an object. */
function withContext(headers: Headers | undefined, context: ContextHeaders): Headers {
  if (headers === null || headers === undefined) return { ...context };
  if (Array.isArray(headers) && headers.every((item) => typeof item === 'string')) {
    const names = headers.filter((_, index) => index % 2 === 0);
    return [...headers, ...missing(context, names).flat()];
  }
  if (Symbol.iterator in headers) {
    // Parse boundary: what is iterable and no flat list is a list of pairs, by undici's own types.
    const pairs = [...(headers as Iterable<Pair>)];
    const names = pairs.map(([name]) => name);
    // A set, for undici takes an array for a flat list whatever is in it.
    return new Set<Pair>([...pairs, ...missing(context, names)]);
  }
  return { ...headers, ...Object.fromEntries(missing(context, Object.keys(headers))) };
}

function missing(context: ContextHeaders, names: readonly string[]): [string, string][] {
  const taken = new Set(names.map((name) => name.toLowerCase()));
  return Object.entries(context).filter(([name]) => !taken.has(name));
}
