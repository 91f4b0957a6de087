/**
 * A shard's database: its tables, its accounts, and how to open it. The ledger has no unique key
 * on purpose: that a branch does its work once is the barrier's task, and only a ledger that would
 * take a row twice can show that it failed.
 */
import { Kysely, MysqlDialect, PostgresDialect, sql } from 'kysely';
import { createPool } from 'mysql2';
import pg from 'pg';
import { barrierSchema } from '../../../client-sdk/participant/barrier-schema.ts';
import type { LedgerTables } from '../../../server/demo/ledger.ts';
import { accountsOf, openingCents, type Shard, storeOf } from './cast.ts';

interface BarrierTable {
  readonly gid: string;
  readonly branch_id: number;
  readonly operation: string;
  readonly state: 'done' | 'blocked';
}

/** The tables of a shard, the barrier's included. */
export type ShardTables = LedgerTables & { readonly settle_barrier: BarrierTable };
export type ShardDatabase = Kysely<ShardTables>;

/** Calls in flight at one bank; a link that is cut holds its connections until it heals. */
const connectionsMax = 20;

/** Opens the database; connects when it is used. `destroy()` closes it. */
export function openShard(shard: Shard, url: string): ShardDatabase {
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
];

/** Creates tables and accounts in an empty database. */
export async function createShard(shard: Shard, db: ShardDatabase): Promise<void> {
  const store = storeOf[shard];
  const quote = store === 'mysql' ? '`' : '"';
  for (const table of [...tables, barrierSchema(store)]) {
    await sql.raw(table.replaceAll('~', quote)).execute(db);
  }
  const accounts = accountsOf(shard).map(({ account, isClosed }) => ({
    account,
    opening: openingCents,
    cents: openingCents,
    held: 0,
    is_closed: isClosed ? 1 : 0,
  }));
  await db.insertInto('account').values(accounts).execute();
}
