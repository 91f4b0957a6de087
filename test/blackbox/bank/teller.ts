/**
 * How an initiator carries out one transfer, and what it may say afterwards. `ok`: it was told that
 * the transfer committed. `fail`: it was told, or is sure by the SDK's word, that it never will.
 * `info`: anything else, a time-out above all.
 */
import { type Settle, SettleError } from '@settle/client';
import { abandon } from '../../../server/demo/abandon.ts';
import type { Entry, Side } from '../../../server/demo/ledger.ts';
import type { SagaInput } from '../../../server/demo/teller-methods.ts';
import { bankOf, type Desk, shardOf } from './cast.ts';
import { leavesOpen, Regret, type Told } from './told.ts';
import type { Transfer } from './transfers.ts';
import type { WalletTransfer } from './wallet-transfers.ts';

export interface Teller {
  /** Never rejects. */
  attempt(transfer: Transfer | WalletTransfer): Promise<Told>;
}

const name = 'bank-transfer';
const timeoutMs = 5_000;
const sagaTimeoutMs = 10_000;
const httpTimeoutMs = 5_000;

/**
 * `url`: of the coordinator, for those transfers that speak plain HTTP with it; `deskUrls`: where
 * those of kind `at` are carried out.
 */
export function createTeller(
  settle: Settle,
  url: string,
  deskUrls: Readonly<Record<Desk, string>>,
): Teller {
  return {
    async attempt(transfer) {
      try {
        if (transfer.mode === 'at') return await askDesk(deskUrls[transfer.desk], transfer);
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

/** As long as it takes: a desk that dies ends the connection, and one that is frozen goes on. */
async function askDesk(url: string, transfer: WalletTransfer): Promise<Told> {
  const response = await fetch(`${url}/transfer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(transfer),
  });
  // Parse boundary: `office.ts` answers so.
  return (await response.json()) as Told;
}

function whatItMeans(error: unknown): Told {
  if (error instanceof Regret) return { type: 'fail', code: 'regret' };
  if (!(error instanceof SettleError)) return { type: 'info', code: String(error) };
  return { type: leavesOpen(error) ? 'info' : 'fail', code: error.code };
}

function keeperOf(account: string): string {
  return bankOf(shardOf(account));
}
