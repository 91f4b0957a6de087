/**
 * A bank for recovery tests: two SQLite shards behind the real SDK, and a gate before everything that
 * comes second (confirm, cancel, the saga's last step, undo). While it is shut, transactions stay open.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely, SqliteDialect } from 'kysely';
import {
  type BranchCall,
  connect,
  RetryableError,
  type Settle,
  TerminalError,
} from '../../client-sdk/index.ts';
import { barrierSchema } from '../../client-sdk/participant/barrier-schema.ts';
import { nodeSqlite } from '../../client-sdk/participant/sqlite.ts';

interface Tables {
  readonly account: { readonly id: string; readonly cents: number; readonly held: number };
  readonly entry: { readonly gid: string; readonly operation: string; readonly cents: number };
}

/** One side of a transfer. */
export interface Entry {
  readonly cents: number;
  /** The credit refuses it, so that a saga rolls back. */
  readonly isRefused?: boolean;
}

/** The bank, connected. */
export interface GatedBank {
  readonly settle: Settle;
  readonly debit: BranchCall<Entry, null>;
  readonly credit: BranchCall<Entry, null>;
  readonly transfer: ReturnType<typeof transferSaga>;
  openGate(): void;
  close(): Promise<void>;
}

/** Opens the shards in the folder and connects. */
export async function openGatedBank(url: string, folder: string): Promise<GatedBank> {
  const source = openShard(join(folder, 'source.db'));
  const target = openShard(join(folder, 'target.db'));
  let isOpen = false;
  const pass = () => {
    if (!isOpen) throw new RetryableError('the gate is shut', { retryAfterMs: 100 });
  };
  const settle = await connect({ url, service: 'bank' });
  const debit = settle.tcc('debit', {
    db: source,
    try: async (trx, { cents }: Entry) => {
      await trx
        .updateTable('account')
        .set((row) => ({ cents: row('cents', '-', cents), held: row('held', '+', cents) }))
        .execute();
      return null;
    },
    confirm: async (trx, { cents }, { gid }) => {
      pass();
      await trx
        .updateTable('account')
        .set((row) => ({ held: row('held', '-', cents) }))
        .execute();
      await trx.insertInto('entry').values({ gid, operation: 'debit', cents }).execute();
    },
    cancel: async (trx, { cents }) => {
      pass();
      await trx
        .updateTable('account')
        .set((row) => ({ cents: row('cents', '+', cents), held: row('held', '-', cents) }))
        .execute();
    },
  });
  const credit = settle.tcc('credit', {
    db: target,
    try: async (_trx, { isRefused }: Entry) => {
      if (isRefused) throw new TerminalError('the account is closed');
      return null;
    },
    confirm: async (trx, { cents }, { gid }) => {
      pass();
      await add(trx, cents);
      await trx.insertInto('entry').values({ gid, operation: 'credit', cents }).execute();
    },
    cancel: async () => pass(),
  });
  const transfer = transferSaga(settle, { source, target }, pass);
  await settle.ready();
  return {
    settle,
    debit,
    credit,
    transfer,
    openGate() {
      isOpen = true;
    },
    async close() {
      await settle.close();
      await source.destroy();
      await target.destroy();
    },
  };
}

function transferSaga(
  settle: Settle,
  shards: { readonly source: Kysely<Tables>; readonly target: Kysely<Tables> },
  pass: () => void,
) {
  return settle
    .saga<Entry>('transfer')
    .step('debit', {
      db: shards.source,
      run: async (trx, { input, call }) => {
        await add(trx, -input.cents);
        const entry = { gid: call.gid, operation: 'debit', cents: input.cents };
        await trx.insertInto('entry').values(entry).execute();
      },
      undo: async (trx, { input, call }) => {
        pass();
        await add(trx, input.cents);
        await trx.deleteFrom('entry').where('gid', '=', call.gid).execute();
      },
    })
    .step('credit', {
      db: shards.target,
      attempts: 1_000,
      run: async (trx, { input, call }) => {
        if (input.isRefused) throw new TerminalError('the account is closed');
        pass();
        await add(trx, input.cents);
        const entry = { gid: call.gid, operation: 'credit', cents: input.cents };
        await trx.insertInto('entry').values(entry).execute();
      },
      undo: async () => pass(),
    });
}

async function add(trx: Kysely<Tables>, cents: number): Promise<void> {
  await trx
    .updateTable('account')
    .set((row) => ({ cents: row('cents', '+', cents) }))
    .execute();
}

function openShard(path: string): Kysely<Tables> {
  const db = new DatabaseSync(path);
  db.exec(`create table account (id text primary key, cents integer not null, held integer not null);
    create table entry (gid text, operation text, cents integer, primary key (gid, operation));
    insert into account values ('a', 1000000, 0); ${barrierSchema('sqlite')}`);
  db.close();
  return new Kysely<Tables>({ dialect: new SqliteDialect({ database: nodeSqlite(path) }) });
}

/** What the shards hold, read from their files. */
export interface Books {
  readonly cents: number;
  readonly held: number;
  /** Operations with an entry, by gid. */
  readonly entries: ReadonlyMap<string, readonly string[]>;
}

/** Reads both files, past the SDK. */
export function readBooks(folder: string): Books {
  let cents = 0;
  let held = 0;
  const entries = new Map<string, string[]>();
  for (const name of ['source.db', 'target.db']) {
    const db = new DatabaseSync(join(folder, name), { readOnly: true });
    const account = db.prepare('select cents, held from account').get();
    cents += Number(account?.['cents']);
    held += Number(account?.['held']);
    for (const row of db.prepare('select gid, operation from entry').all()) {
      const gid = String(row['gid']);
      entries.set(gid, [...(entries.get(gid) ?? []), String(row['operation'])]);
    }
    db.close();
  }
  return { cents, held, entries };
}
