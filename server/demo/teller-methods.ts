/**
 * How an initiator carries out one transfer: as a TCC transaction, as a saga, or as a transaction
 * that it abandons. Invariant: `committed` and `rolledBack` are what the coordinator said, or what
 * it alone can say any more; everything else is `unknown`, to be settled by asking.
 */
import { type Settle, SettleError } from '@settle/client';
import { abandon } from './abandon.ts';
import type { Entry, Side } from './ledger.ts';
import { type Bank, bankOf, shardOf, type Transfer } from './workload.ts';

/** Input of the saga; all of its steps get it. */
export type SagaInput = Pick<Transfer, 'from' | 'fees' | 'to' | 'cents' | 'feeCents'>;

/** What came of an attempt. */
export type Attempt = 'committed' | 'rolledBack' | 'abandoned' | 'unknown';

/** What the coordinator knows. `nobody`: there is no such gid. */
export type Knowledge = 'committed' | 'rolledBack' | 'undecided' | 'nobody';

/** Carries out transfers of one initiator. */
export interface TellerMethods {
  /** May be repeated with the same transfer: its gid makes it the same one. Never rejects. */
  attempt(transfer: Transfer): Promise<Attempt>;
  /** Never rejects: a coordinator that cannot be asked leaves it `undecided`. */
  ask(transfer: Transfer): Promise<Knowledge>;
}

/** Name of the transactions and sagas. */
const name = 'demo-transfer';
/** Undecided after this time a transfer rolls back; long enough for a restart in between. */
const timeoutMs = 10_000;

/** `url`: of the coordinator, for those transfers that are spoken with it by plain HTTP. */
export function createTellerMethods(settle: Settle, url: string): TellerMethods {
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
    ask: (transfer) => ask(settle, transfer),
  };
}

async function runTransaction(
  settle: Settle,
  { gid, from, to, cents }: Transfer,
): Promise<Attempt> {
  await settle.transaction({ gid, name, timeout: timeoutMs }, async () => {
    // Started together, so they share the one durable record that begins the transaction.
    await Promise.all([
      callBank(settle, 'debit', { account: from, cents }),
      callBank(settle, 'credit', { account: to, cents }),
    ]);
  });
  return 'committed';
}

/** Calls a method of the bank that keeps the account. */
function callBank(settle: Settle, method: Side, entry: Entry): Promise<null> {
  return settle.remote<Entry, null>({ service: keeperOf(entry.account), method })(entry);
}

async function runSaga(settle: Settle, transfer: Transfer): Promise<Attempt> {
  const { gid: id, from, fees, to, cents, feeCents } = transfer;
  // Which services take part depends on the accounts, so the saga is put together for each one.
  const saga = settle
    .saga<SagaInput>(name)
    .step('withdraw', { participant: { service: keeperOf(from), method: 'withdraw' } })
    .step('fee', { participant: { service: keeperOf(fees), method: 'fee' } })
    .step('deposit', { participant: { service: keeperOf(to), method: 'deposit' } });
  const { phase } = await settle.run(saga, { from, fees, to, cents, feeCents }, { id });
  return phase === 'committed' ? 'committed' : 'unknown';
}

async function runAbandoned(url: string, transfer: Transfer): Promise<Attempt> {
  const begin = await abandon(transfer, { url, name, keeperOf });
  return begin.ok ? 'abandoned' : 'unknown';
}

async function ask(settle: Settle, { gid }: Transfer): Promise<Knowledge> {
  try {
    const { phase } = await settle.get(gid);
    switch (phase) {
      case 'committing':
      case 'committed':
        return 'committed';
      case 'rollingBack':
      case 'rolledBack':
        return 'rolledBack';
      case 'active':
        return 'undecided';
      default:
        return phase satisfies never;
    }
  } catch (error) {
    return error instanceof SettleError && error.code === 'NOT_FOUND' ? 'nobody' : 'undecided';
  }
}

function whatItMeans(error: unknown): Attempt {
  if (!(error instanceof SettleError)) return 'unknown';
  // Refused: only this initiator could have committed it, and it will not.
  return error.code === 'ROLLED_BACK' || error.code === 'REFUSED' ? 'rolledBack' : 'unknown';
}

function keeperOf(account: string): Bank {
  return bankOf(shardOf(account));
}
