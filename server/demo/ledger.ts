/**
 * A shard's tables and the business methods of a bank: reserve, settle and release for TCC, do
 * and undo for saga steps. No processes and no coordinator here. Invariant: every change of money
 * writes a ledger row (gid, branch, operation, amount) in the same local transaction, so that the
 * check can join money with outcomes.
 */
import { DatabaseSync } from 'node:sqlite';
import type { Transaction } from 'kysely';
import { TerminalError } from '../../client-sdk/errors.ts';
import { barrierSchema } from '../../client-sdk/participant/barrier-schema.ts';
import type { BranchId, Gid, Operation } from '../../client-sdk/protocol/index.ts';
import { accountsOf, type OpeningAccount, type Shard } from './workload.ts';

/** The tables of a shard, besides the barrier's. Money is in integer cents. */
export interface LedgerTables {
  /** `cents` is free to spend, `held` is reserved by debits that were tried; both are its money. */
  readonly account: {
    readonly account: string;
    readonly opening: number;
    readonly cents: number;
    readonly held: number;
    readonly is_closed: number;
  };
  /** A branch that was tried and is neither confirmed nor cancelled. */
  readonly reservation: {
    readonly gid: string;
    readonly branch_id: number;
    readonly account: string;
    readonly cents: number;
  };
  /** What was done, once per branch and operation. `change` is what the account's money grew by. */
  readonly ledger: {
    readonly gid: string;
    readonly branch_id: number;
    readonly operation: string;
    readonly account: string;
    readonly cents: number;
    readonly change: number;
  };
}

type Trx = Transaction<LedgerTables>;

/** What one branch or step does: with which account, for how much. */
export interface Entry {
  readonly account: string;
  readonly cents: number;
}

/** What the ledger has to know of a call. */
export interface Doing {
  readonly gid: Gid;
  readonly branchId: BranchId;
  readonly operation: Operation;
}

/** Money is reserved by `try`, leaves with `confirm` (debit) or comes with it (credit). */
export type Side = 'debit' | 'credit';

const schema = `
create table account (
  account text primary key, opening integer not null, cents integer not null,
  held integer not null default 0 check (held >= 0), is_closed integer not null
) strict, without rowid;
create table reservation (
  gid text not null, branch_id integer not null, account text not null, cents integer not null,
  primary key (gid, branch_id)
) strict, without rowid;
create table ledger (
  gid text not null, branch_id integer not null, operation text not null, account text not null,
  cents integer not null, change integer not null, primary key (gid, branch_id, operation)
) strict, without rowid;
${barrierSchema('sqlite')};`;

/** Creates a shard's file with its tables and accounts, durably. Throws when it is there already. */
export function createShard(path: string, shard: Shard): void {
  createLedger(path, accountsOf(shard));
}

/** The same with these accounts. */
export function createLedger(path: string, accounts: readonly OpeningAccount[]): void {
  const db = new DatabaseSync(path);
  try {
    db.exec(`pragma journal_mode = wal; pragma synchronous = full; begin; ${schema}`);
    const insert = db.prepare(
      'insert into account (account, opening, cents, is_closed) values (?, ?, ?, ?)',
    );
    for (const { account, cents, isClosed } of accounts) {
      insert.run(account, cents, cents, isClosed ? 1 : 0);
    }
    db.exec('commit');
  } finally {
    db.close();
  }
}

/** Try: a debit takes the money aside, a credit makes sure that it will be welcome. */
export async function reserve(trx: Trx, side: Side, entry: Entry, call: Doing): Promise<null> {
  const { account, cents } = entry;
  if (side === 'debit') await withhold(trx, entry);
  else await mustBeOpen(trx, account);
  const { gid, branchId: branch_id } = call;
  await trx.insertInto('reservation').values({ gid, branch_id, account, cents }).execute();
  await note(trx, entry, 0, call);
  return null;
}

/** Confirm: what was set aside leaves for good; what was announced arrives. */
export async function settleReservation(
  trx: Trx,
  side: Side,
  entry: Entry,
  call: Doing,
): Promise<void> {
  const { account, cents } = entry;
  await dropReservation(trx, call);
  if (side === 'debit') {
    const changed = await trx
      .updateTable('account')
      .set((row) => ({ held: row('held', '-', cents) }))
      .where('account', '=', account)
      .executeTakeFirst();
    mustBeOne(changed.numUpdatedRows, account);
  } else {
    await add(trx, account, cents);
  }
  await note(trx, entry, side === 'debit' ? -cents : cents, call);
}

/** Cancel: what was set aside is free again; what was announced will not come. */
export async function release(trx: Trx, side: Side, entry: Entry, call: Doing): Promise<void> {
  const { account, cents } = entry;
  await dropReservation(trx, call);
  if (side === 'debit') {
    const changed = await trx
      .updateTable('account')
      .set((row) => ({ held: row('held', '-', cents), cents: row('cents', '+', cents) }))
      .where('account', '=', account)
      .executeTakeFirst();
    mustBeOne(changed.numUpdatedRows, account);
  }
  await note(trx, entry, 0, call);
}

/** Saga step: moves the money at once. Refuses what the account does not have. */
export async function move(trx: Trx, side: Side, entry: Entry, call: Doing): Promise<null> {
  const { account, cents } = entry;
  if (side === 'debit') {
    await spend(trx, entry);
  } else {
    await mustBeOpen(trx, account);
    await add(trx, account, cents);
  }
  await note(trx, entry, side === 'debit' ? -cents : cents, call);
  return null;
}

/**
 * Undo of a saga step: moves it back. It must not refuse, so the balance may fall below zero
 * when the money was spent in between: with sagas such money was visible, that is their nature.
 */
export async function moveBack(trx: Trx, side: Side, entry: Entry, call: Doing): Promise<void> {
  const { account, cents } = entry;
  const change = side === 'debit' ? cents : -cents;
  await add(trx, account, change);
  await note(trx, entry, change, call);
}

async function withhold(trx: Trx, { account, cents }: Entry): Promise<void> {
  const changed = await trx
    .updateTable('account')
    .set((row) => ({ cents: row('cents', '-', cents), held: row('held', '+', cents) }))
    .where('account', '=', account)
    .where('cents', '>=', cents)
    .executeTakeFirst();
  if (changed.numUpdatedRows !== 1n) throw notEnough(account, cents);
}

async function spend(trx: Trx, { account, cents }: Entry): Promise<void> {
  const changed = await trx
    .updateTable('account')
    .set((row) => ({ cents: row('cents', '-', cents) }))
    .where('account', '=', account)
    .where('cents', '>=', cents)
    .executeTakeFirst();
  if (changed.numUpdatedRows !== 1n) throw notEnough(account, cents);
}

function notEnough(account: string, cents: number): TerminalError {
  return new TerminalError(`account ${account} does not have ${cents} cents to spend`);
}

async function mustBeOpen(trx: Trx, account: string): Promise<void> {
  const row = await trx
    .selectFrom('account')
    .select('is_closed')
    .where('account', '=', account)
    .executeTakeFirst();
  if (row?.is_closed !== 0) throw new TerminalError(`account ${account} is closed`);
}

async function add(trx: Trx, account: string, cents: number): Promise<void> {
  const changed = await trx
    .updateTable('account')
    .set((row) => ({ cents: row('cents', '+', cents) }))
    .where('account', '=', account)
    .executeTakeFirst();
  mustBeOne(changed.numUpdatedRows, account);
}

async function dropReservation(trx: Trx, { gid, branchId }: Doing): Promise<void> {
  const dropped = await trx
    .deleteFrom('reservation')
    .where('gid', '=', gid)
    .where('branch_id', '=', branchId)
    .executeTakeFirst();
  mustBeOne(dropped.numDeletedRows, `reservation ${gid}/${branchId}`);
}

function note(trx: Trx, entry: Entry, change: number, call: Doing): Promise<unknown> {
  const { gid, branchId: branch_id, operation } = call;
  return trx
    .insertInto('ledger')
    .values({ gid, branch_id, operation, ...entry, change })
    .execute();
}

/** Anything else is a broken ledger: thrown, so the outcome is unknown and a human will look. */
function mustBeOne(rows: bigint, what: string): void {
  if (rows !== 1n) throw new Error(`expected to change one row of ${what}, changed ${rows}`);
}
