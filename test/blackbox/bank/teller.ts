/**
 * How an initiator carries out one transfer, and what it may say afterwards. `ok`: it was told that
 * the transfer committed. `fail`: it was told, or is sure by the SDK's word, that it never will.
 * `info`: anything else, a time-out above all.
 */
import { type BranchCall, type ErrorCode, type Settle, SettleError } from '@settle/client';
import { abandon } from '../../../server/demo/abandon.ts';
import type { Entry, Side } from '../../../server/demo/ledger.ts';
import type { SagaInput } from '../../../server/demo/teller-methods.ts';
import { bankOf, shardOf, shards } from './cast.ts';
import type { Transfer } from './transfers.ts';

/** What a completion in the history says. */
export interface Told {
  readonly type: 'ok' | 'fail' | 'info';
  /** A phase, a code of the SDK, or `regret`. */
  readonly code: string;
}

export interface Teller {
  /** Never rejects. */
  attempt(transfer: Transfer): Promise<Told>;
}

const name = 'bank-transfer';
const timeoutMs = 5_000;
const sagaTimeoutMs = 10_000;
const httpTimeoutMs = 5_000;

/** Thrown by an initiator that changes its mind; nobody but it could have committed. */
class Regret extends Error {}

type Calls = Readonly<Record<Side, ReadonlyMap<string, BranchCall<Entry, null>>>>;

/** `url`: of the coordinator, for those transfers that speak plain HTTP with it. */
export function createTeller(settle: Settle, url: string): Teller {
  const callsTo = (method: Side) =>
    new Map(
      shards.map((shard) => {
        const service = bankOf(shard);
        return [service, settle.remote<Entry, null>({ service, method })];
      }),
    );
  const calls: Calls = { debit: callsTo('debit'), credit: callsTo('credit') };
  return {
    async attempt(transfer) {
      try {
        if (transfer.story === 'abandoned') return await runAbandoned(url, transfer);
        if (transfer.mode === 'saga') return await runSaga(settle, transfer);
        return await runTransaction(settle, calls, transfer);
      } catch (error) {
        return whatItMeans(error);
      }
    },
  };
}

async function runTransaction(settle: Settle, calls: Calls, transfer: Transfer): Promise<Told> {
  const { gid, from, to, cents, story } = transfer;
  await settle.transaction({ gid, name, timeout: timeoutMs }, async () => {
    await Promise.all([
      callOf(calls, 'debit', from)({ account: from, cents }),
      callOf(calls, 'credit', to)({ account: to, cents }),
    ]);
    if (story === 'regret') throw new Regret();
  });
  return { type: 'ok', code: 'committed' };
}

function callOf(calls: Calls, side: Side, account: string): BranchCall<Entry, null> {
  const call = calls[side].get(keeperOf(account));
  if (call === undefined) throw new RangeError(`nobody keeps account ${account}`);
  return call;
}

async function runSaga(settle: Settle, transfer: Transfer): Promise<Told> {
  const { gid: id, from, fees, to, cents, feeCents } = transfer;
  const saga = settle
    .saga<SagaInput>(name, { timeout: sagaTimeoutMs })
    .step('withdraw', { participant: { service: keeperOf(from), method: 'withdraw' } })
    .step('fee', { participant: { service: keeperOf(fees), method: 'fee' } })
    .step('deposit', { participant: { service: keeperOf(to), method: 'deposit' } });
  const { phase } = await settle.run(saga, { from, fees, to, cents, feeCents }, { id });
  return { type: phase === 'committed' ? 'ok' : 'info', code: phase };
}

/** Begins and tries, and goes away. It hears nothing, so it knows nothing. */
async function runAbandoned(url: string, transfer: Transfer): Promise<Told> {
  const options = { url, name, keeperOf, requestTimeoutMs: httpTimeoutMs };
  const { ok, status } = await abandon(transfer, options);
  return { type: 'info', code: ok ? 'abandoned' : `begin answered ${status}` };
}

/** The SDK says that with any other code the decision, or the saga, certainly was not taken. */
const unknownCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['UNKNOWN', 'INTERNAL']);

function whatItMeans(error: unknown): Told {
  if (error instanceof Regret) return { type: 'fail', code: 'regret' };
  if (!(error instanceof SettleError)) return { type: 'info', code: String(error) };
  return { type: unknownCodes.has(error.code) ? 'info' : 'fail', code: error.code };
}

function keeperOf(account: string): string {
  return bankOf(shardOf(account));
}
