/**
 * A shard's database: its tables, its accounts and wallets, and how to open it. Neither the ledger
 * nor the entries of wallets have a key of gids, on purpose: that work is done once, or undone, is the
 * product's task, and only a table that would take a row twice can show that it failed.
 */
import { type Generated, Kysely, MysqlDialect, PostgresDialect, sql } from 'kysely';
import { createPool } from 'mysql2';
import pg from 'pg';
import { barrierSchema } from '../../../client-sdk/participant/barrier-schema.ts';
import { undoSchema } from '../../../client-sdk/participant/undo-schema.ts';
import type { LedgerTables } from '../../../server/demo/ledger.ts';
import {
  accountsOf,
  openingCents,
  purseName,
  type Shard,
  storeOf,
  walletName,
  walletsPerShard,
} from './cast.ts';

interface BarrierTable {
  readonly gid: string;
  readonly branch_id: number;
  readonly operation: string;
  readonly state: 'done' | 'blocked';
}

/** Changed by kind `at` alone. Money is in integer cents. */
interface WalletTables {
  /** `version` counts the changes that stand. */
  readonly wallet: {
    readonly wallet: string;
    readonly opening: number;
    readonly cents: number;
    readonly version: number;
  };
  /** One for each change of a wallet: what it was, and what the wallet was after it. */
  readonly wallet_entry: {
    readonly entry: Generated<number>;
    readonly gid: string;
    readonly wallet: string;
    readonly amount: number;
    readonly cents: number;
    readonly version: number;
  };
}

/** Changed by kind `at` alone, too. */
interface PurseTable {
  readonly purse: string;
  readonly opening: number;
  readonly cents: number;
  /** Counts the changes that stand; `mark` adds up what each was, see purses.ts. */
  readonly version: number;
  readonly mark: number | string;
}

interface UndoTable {
  readonly gid: string;
  readonly table_name: string;
  readonly row_key: string;
}

/** The tables of a shard, those of the product included. */
export type ShardTables = LedgerTables &
  WalletTables & {
    readonly purse: PurseTable;
    readonly settle_barrier: BarrierTable;
    readonly settle_undo: UndoTable;
  };
export type ShardDatabase = Kysely<ShardTables>;

/** Calls in flight at one bank; a link that is cut holds its connections until it heals. */
const connectionsMaxDefault = 20;

/** Opens the database; connects when it is used. `destroy()` closes it. */
export function openShard(
  shard: Shard,
  url: string,
  connectionsMax = connectionsMaxDefault,
): ShardDatabase {
  if (storeOf[shard] === 'mysql') {
    const pool = createPool({ uri: url, connectionLimit: connectionsMax });
    return new Kysely<ShardTables>({ dialect: new MysqlDialect({ pool }) });
  }
  const pool = new pg.Pool({ connectionString: url, max: connectionsMax });
  // A link that breaks ends idle clients, and clients between two queries of a transaction: both
  // tell it by an event that ends the process when nobody listens.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return new Kysely<ShardTables>({ dialect: new PostgresDialect({ pool }) });
}

const tables = [
  `create table account (
    account varchar(32) primary key, opening integer not null, cents integer not null,
    held integer not null default 0 check (held >= 0), is_closed integer not null)`,
  `create table reservation (
    gid varchar(64) not null, branch_id integer not null, account varchar(32) not null,
    cents integer not null)`,
  `create table ledger (
    gid varchar(64) not null, branch_id integer not null, operation varchar(16) not null,
    account varchar(32) not null, cents integer not null, ~change~ integer not null)`,
  'create index reservation_gid on reservation (gid)',
  'create index ledger_gid on ledger (gid)',
  `create table wallet (
    wallet varchar(32) primary key, opening integer not null,
    cents integer not null check (cents >= 0), version integer not null)`,
  `create table wallet_entry (
    entry bigint ~identity~ primary key, gid varchar(64) not null, wallet varchar(32) not null,
    amount integer not null, cents integer not null, version integer not null)`,
  `create table purse (
    purse varchar(32) primary key, opening integer not null,
    cents integer not null check (cents >= 0), version integer not null, mark bigint not null)`,
];

/** Creates tables and accounts in an empty database. */
export async function createShard(shard: Shard, db: ShardDatabase): Promise<void> {
  const store = storeOf[shard];
  const quote = store === 'mysql' ? '`' : '"';
  const identity = store === 'mysql' ? 'auto_increment' : 'generated always as identity';
  for (const table of tables) {
    const text = table.replaceAll('~identity~', identity).replaceAll('~', quote);
    await sql.raw(text).execute(db);
  }
  for (const table of [barrierSchema(store), ...undoSchema(store)])
    await sql.raw(table).execute(db);
  const accounts = accountsOf(shard).map(({ account, isClosed }) => ({
    account,
    opening: openingCents,
    cents: openingCents,
    held: 0,
    is_closed: isClosed ? 1 : 0,
  }));
  await db.insertInto('account').values(accounts).execute();
  await createWallets(shard, db);
}

async function createWallets(shard: Shard, db: ShardDatabase): Promise<void> {
  const wallets = Array.from({ length: walletsPerShard }, (_, number) => ({
    wallet: walletName(shard, number),
    opening: openingCents,
    cents: openingCents,
    version: 0,
  }));
  await db.insertInto('wallet').values(wallets).execute();
  const purses = wallets.map(({ wallet: _, ...row }, number) => {
    return { purse: purseName(shard, number), ...row, mark: 0 };
  });
  await db.insertInto('purse').values(purses).execute();
}

/**
 * What `--break undo` does to a shard: a rollback finds one undo row less than its branch wrote, the
 * newest. A trigger takes it away in the rollback's own local transaction, so that no line of the
 * product knows of it.
 */
export async function forgetUndo(shard: Shard, db: ShardDatabase): Promise<void> {
  if (storeOf[shard] === 'mysql') {
    await sql`create trigger forget_undo after insert on settle_barrier for each row
      delete from settle_undo where new.operation = 'rollback' and gid = new.gid
        order by undo_id desc limit 1`.execute(db);
    return;
  }
  await sql`create function forget_undo() returns trigger language plpgsql as $$ begin
    delete from settle_undo
      where undo_id = (select max(undo_id) from settle_undo where gid = new.gid);
    return new; end $$`.execute(db);
  await sql`create trigger forget_undo after insert on settle_barrier for each row
    when (new.operation = 'rollback') execute function forget_undo()`.execute(db);
}
