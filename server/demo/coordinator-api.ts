/**
 * What the demo asks the coordinator from outside, as any operator could: is it ready, how did each
 * transfer end, what do its counters say. By plain HTTP; the SDK is what is being shown.
 */
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Gid, ListAnswer, TransactionView } from '../../client-sdk/protocol/index.ts';
import type { Outcome } from './check.ts';
import type { ByMode, Counters } from './counters.ts';

const pollMs = 50;
/** The children keep this process alive; when they have ended, nobody waits for a poll any more. */
const unref = { ref: false } as const;
const requestTimeoutMs = 10_000;

/**
 * A port that nobody listens on now; it stays the coordinator's over all of its restarts. `wanted`:
 * this one, if it is free.
 */
export async function freePort(wanted = 0): Promise<number> {
  const port = (await listened(wanted)) ?? (await listened(0));
  if (port === null) throw new Error('no port of this machine is free');
  return port;
}

/** The port, which was listened on for a moment; null: it is somebody else's. */
async function listened(port: number): Promise<number | null> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<number | null>();
  server.once('error', () => resolve(null));
  server.listen(port, '127.0.0.1', () => {
    const address = server.address();
    const own = typeof address === 'object' && address !== null ? address.port : null;
    server.close(() => resolve(own));
  });
  return promise;
}

/** Resolves when the coordinator takes work; false after `waitMs`. */
export async function becameReady(url: string, waitMs: number): Promise<boolean> {
  const endsAt = performance.now() + waitMs;
  while (performance.now() < endsAt) {
    const response = await ask(`${url}/readyz`);
    if (response?.ok === true) return true;
    await pause(pollMs, undefined, unref);
  }
  return false;
}

/**
 * Whether none of the gids that begin like this is open any more; false after `waitMs`. A
 * coordinator that is away is waited for.
 */
export async function becameQuiet(url: string, prefix: string, waitMs: number): Promise<boolean> {
  const endsAt = performance.now() + waitMs;
  while (performance.now() < endsAt) {
    const response = await ask(`${url}/v1/transactions?outcome=open&limit=500`);
    if (response?.ok === true) {
      // Parse boundary: the body is documented in /openapi.json.
      const { transactions } = (await response.json()) as ListAnswer;
      if (!transactions.some(({ gid }) => gid.startsWith(prefix))) return true;
    }
    await pause(pollMs, undefined, unref);
  }
  return false;
}

/**
 * Outcomes of all these gids, from the coordinator's lists; what the lists don't show is asked one
 * by one. Throws when the coordinator does not answer.
 */
export async function readOutcomes(
  url: string,
  gids: ReadonlySet<Gid>,
): Promise<ReadonlyMap<Gid, Outcome>> {
  const outcomes = new Map<Gid, Outcome>();
  let cursor: string | null = null;
  do {
    const page: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const answer: ListAnswer = await read(`${url}/v1/transactions?limit=500${page}`);
    for (const one of answer.transactions) {
      if (gids.has(one.gid)) outcomes.set(one.gid, outcomeOf(one));
    }
    cursor = answer.nextCursor;
  } while (cursor !== null && outcomes.size < gids.size);
  for (const gid of gids) {
    if (outcomes.has(gid)) continue;
    const response = await ask(`${url}/v1/transactions/${gid}`);
    if (response?.ok !== true) continue;
    outcomes.set(gid, outcomeOf((await response.json()) as TransactionView));
  }
  return outcomes;
}

/** The counters of `/metrics`; null when the coordinator does not answer. */
export async function readCounters(url: string): Promise<Counters | null> {
  const response = await ask(`${url}/metrics`);
  if (response?.ok !== true) return null;
  const text = await response.text();
  const byMode = (name: string, labels = ''): ByMode => ({
    transaction: sample(text, `${name}{mode="transaction"${labels}}`),
    saga: sample(text, `${name}{mode="saga"${labels}}`),
  });
  const finished = 'settle_transactions_finished_total';
  return {
    begun: byMode('settle_transactions_begun_total'),
    committed: byMode(finished, ',outcome="committed"'),
    rolledBack: byMode(finished, ',outcome="rolledBack"'),
    durableWaits: byMode('settle_durable_waits_total'),
  };
}

function sample(text: string, series: string): number {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length + 1));
}

function outcomeOf(one: Pick<TransactionView, 'phase' | 'cause' | 'attention'>): Outcome {
  const { phase, cause, attention } = one;
  return { phase, cause: cause?.kind ?? null, hasAttention: attention !== null };
}

async function read<Body>(url: string): Promise<Body> {
  const response = await ask(url);
  if (response?.ok !== true) {
    throw new Error(`${url} answered ${response?.status ?? 'nothing'}`);
  }
  // Parse boundary: the body is documented in /openapi.json.
  return (await response.json()) as Body;
}

/** Null when nobody answers: not listening, or not in time. */
async function ask(url: string): Promise<Response | null> {
  try {
    return await fetch(url, { signal: AbortSignal.timeout(requestTimeoutMs) });
  } catch {
    return null;
  }
}
