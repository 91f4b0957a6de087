/**
 * What participants of the bench do: nothing, or one row through the barrier. The last branch is a
 * `credit`, all others are `debit`s; a credit of nothing is refused, which is how a rollback comes
 * about. The business is as small as it can be: the bench measures what is around it.
 */
import { type BranchCall, type Settle, TerminalError } from '@settle/client';
import type pg from 'pg';
import { createBarrierTable } from '../../client-sdk/participant/index.ts';
import { createEntryTable, insertEntry, openBank } from './bank-rows.ts';

/** Payload of a branch, input of a saga. A type, for interfaces are no JSON. */
export type Entry = { readonly account: string; readonly cents: number };

/** Name of the service that all participants are instances of. */
export const bankService = 'bank';

/** Methods of the branches, in their order. */
export function methodsOf(branches: number): readonly Method[] {
  return Array.from({ length: branches }, (_, index) =>
    index === branches - 1 ? 'credit' : 'debit',
  );
}

export type Method = 'debit' | 'credit';

/** Whether this method refuses this entry. */
export function isRefused(method: Method, entry: Entry): boolean {
  return method === 'credit' && entry.cents <= 0;
}

/** The bank's methods as branches that may be called where they live. */
export type BankCalls = Readonly<Record<Method, BranchCall<Entry, null>>>;

/** What the methods do besides refusing. */
export interface Bank {
  /** Each try or run writes a row there; null: nowhere. */
  readonly pool: pg.Pool | null;
  /** Told of each call; null: nobody is. Not together with a pool. */
  readonly called: (() => void) | null;
}

/** Offers both methods for two-phase transactions. */
export function offerTccMethods(settle: Settle, bank: Bank): BankCalls {
  return { debit: offerTcc(settle, 'debit', bank), credit: offerTcc(settle, 'credit', bank) };
}

/** Offers both methods as steps of sagas. */
export function offerSteps(settle: Settle, { pool }: Bank): void {
  offerStep(settle, 'debit', pool);
  offerStep(settle, 'credit', pool);
}

function refuseNothing(method: Method, entry: Entry): null {
  if (isRefused(method, entry)) throw new TerminalError('nothing to move');
  return null;
}

function offerTcc(settle: Settle, method: Method, bank: Bank): BranchCall<Entry, null> {
  const { pool, called } = bank;
  if (called !== null) {
    const told = (): null => {
      called();
      return null;
    };
    return settle.tcc<Entry, null>(method, {
      try: (_, entry) => told() ?? refuseNothing(method, entry),
      confirm: told,
      cancel: told,
    });
  }
  if (pool === null) {
    return settle.tcc<Entry, null>(method, {
      try: (_, entry) => refuseNothing(method, entry),
      confirm: () => null,
      cancel: () => null,
    });
  }
  return settle.tcc<Entry, null, pg.Pool>(method, {
    db: pool,
    try: (trx, entry, { gid, branchId }) => writeRow(trx, method, entry, [gid, branchId]),
    confirm: () => null,
    cancel: (trx, _, { gid, branchId }) => trx.query(deleteRow, [gid, branchId]),
  });
}

function offerStep(settle: Settle, method: Method, pool: pg.Pool | null): void {
  if (pool === null) {
    settle.step<Entry, null>(method, {
      run: (_, { input }) => refuseNothing(method, input),
      undo: () => null,
    });
    return;
  }
  settle.step<Entry, null, unknown, pg.Pool>(method, {
    db: pool,
    run: (trx, { input, call }) => writeRow(trx, method, input, [call.gid, call.branchId]),
    undo: (trx, { call }) => trx.query(deleteRow, [call.gid, call.branchId]),
  });
}

const deleteRow = 'delete from entry where gid = $1 and branch_id = $2';

async function writeRow(
  trx: pg.PoolClient,
  method: Method,
  entry: Entry,
  branch: readonly [gid: string, branchId: number],
): Promise<null> {
  const { account, cents } = entry;
  if (isRefused(method, entry)) throw new TerminalError('nothing to move');
  await trx.query({ ...insertEntry, values: [...branch, account, cents] });
  return null;
}

/** Creates the tables of an empty database. */
export async function createBank(url: string): Promise<void> {
  const pool = openBank(url);
  try {
    await createBarrierTable(pool);
    await pool.query(createEntryTable);
  } finally {
    await pool.end();
  }
}
