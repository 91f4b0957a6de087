/**
 * How an initiator carries out one transfer, and what it may say afterwards. `ok`: it was told that
 * the transfer committed. `fail`: it was told, or is sure by the SDK's word, that it never will.
 * `info`: anything else, a time-out above all.
 */
import { type ErrorCode, type Settle, SettleError } from '@settle/client';
import { abandon } from '../../../server/demo/abandon.ts';
import type { Entry, Side } from '../../../server/demo/ledger.ts';
import type { SagaInput } from '../../../server/demo/teller-methods.ts';
import { bankOf, shardOf } from './cast.ts';
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

/** `url`: of the coordinator, for those transfers that speak plain HTTP with it. */
export function createTeller(settle: Settle, url: string): Teller {
  return {
    async attempt(transfer) {
      try {
        if (transfer.story === 'abandoned') return await runAbandoned(url, transfer);
        if (transfer.mode === 'saga') return await runSaga(settle, transfer);
        return await runTransaction(settle, transfer);
      } catch (error) {
        return whatItMeans(error);
      }
    },
  };
}

async function runTransaction(settle: Settle, transfer: Transfer): Promise<Told> {
  const { gid, from, to, cents, story } = transfer;
  await settle.transaction({ gid, name, timeout: timeoutMs }, async () => {
    await Promise.all([
      callBank(settle, 'debit', { account: from, cents }),
      callBank(settle, 'credit', { account: to, cents }),
    ]);
    if (story === 'regret') throw new Regret();
  });
  return { type: 'ok', code: 'committed' };
}

/** Calls a method of the bank that keeps the account. */
function callBank(settle: Settle, method: Side, entry: Entry): Promise<null> {
  return settle.remote<Entry, null>({ service: keeperOf(entry.account), method })(entry);
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
