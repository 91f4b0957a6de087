/**
 * A transfer that its initiator abandons, spoken with the coordinator by plain HTTP as curl would.
 * Invariant: no decision is ever sent, so its deadline alone can end it.
 */
import type { Side } from './ledger.ts';
import type { Transfer } from './workload.ts';

/** Short, because abandoned ones are what everybody would wait for at the end of a run. */
const timeoutMs = 2_000;

/** How a transfer is begun before it is abandoned. */
export interface AbandonOptions {
  /** Base of the coordinator's API. */
  readonly url: string;
  /** Name of the global transaction. */
  readonly name: string;
  /** The service that keeps an account. */
  keeperOf(account: string): string;
  /** When to give up each request, in ms; without it, as late as `fetch` does. */
  readonly requestTimeoutMs?: number;
}

/**
 * Begins the transfer, asks for its tries and goes away, whatever they answer. Returns the answer
 * to the begin; one that is not ok is followed by nothing. Rejects as `fetch` does when the begin
 * has no answer.
 */
export async function abandon(
  { gid, from, to, cents }: Pick<Transfer, 'gid' | 'from' | 'to' | 'cents'>,
  { url, name, keeperOf, requestTimeoutMs }: AbandonOptions,
): Promise<Response> {
  const branch = (account: string, method: Side) => ({
    participant: { service: keeperOf(account), method },
    payload: { account, cents },
  });
  const branches = [branch(from, 'debit'), branch(to, 'credit')];
  const post = (path: string, body: object) => postJson(`${url}${path}`, body, requestTimeoutMs);
  const begin = await post('/v1/transactions', { gid, name, timeoutMs, branches });
  if (!begin.ok) return begin;
  const tries = [1, 2].map((id) => post(`/v1/transactions/${gid}/branches/${id}/try`, {}));
  // Whatever they answered, or whether they did: nobody stays to hear it.
  await Promise.allSettled(tries);
  return begin;
}

async function postJson(url: string, body: object, timeoutMs?: number): Promise<Response> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    ...(timeoutMs !== undefined && { signal: AbortSignal.timeout(timeoutMs) }),
  });
  await response.arrayBuffer();
  return response;
}
