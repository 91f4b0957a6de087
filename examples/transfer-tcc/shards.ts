/**
 * The databases of the example: accounts sharded over two PostgreSQL databases and one of MariaDB
 * (or MySQL), the shop's own in PostgreSQL and the points in MariaDB. Tables and connections only. The shard of an
 * account is in its name: `west/eva` lives in west.
 */
import { createBarrierTable } from '@settle/client/participant';
import { Kysely, MysqlDialect, PostgresDialect } from 'kysely';
import { createPool } from 'mysql2';
import type { Pool } from 'mysql2/promise';
import pg from 'pg';

/** The tables of a shard, besides the barrier's. Money is in whole cents. */
export interface BankTables {
  account: {
    id: string;
    /** Free to spend. */
    cents: number;
    /** Taken aside by debits that are not decided yet; still money of this account. */
    held: number;
    /** Announced by credits that are not decided yet; not here yet. */
    announced: number;
    is_open: number;
  };
}

/** Connection URLs: north and south are PostgreSQL, west is MariaDB or MySQL. */
export interface ShardUrls {
  readonly north: string;
  readonly south: string;
  readonly west: string;
}

/** The shards by name. */
export type Shards = Readonly<Record<keyof ShardUrls, Kysely<BankTables>>>;

/** Connects to the three shards; one type for both kinds of database. */
export function openShards(urls: ShardUrls): Shards {
  const open = (url: string) => new PostgresDialect({ pool: openPool(url) });
  return {
    north: new Kysely({ dialect: open(urls.north) }),
    south: new Kysely({ dialect: open(urls.south) }),
    west: new Kysely({ dialect: new MysqlDialect({ pool: createPool(urls.west) }) }),
  };
}

/** A pool whose lost connections fail the query that used them, not the process. */
export function openPool(url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url });
  const report = (error: Error) => console.error(`lost a connection: ${error.message}`);
  pool.on('error', report);
  pool.on('connect', (client) => client.on('error', report));
  return pool;
}

/** The shard that keeps an account. */
export function shardOf(shards: Shards, account: string): Kysely<BankTables> {
  const name = account.split('/')[0];
  if (name !== 'north' && name !== 'south' && name !== 'west') {
    throw new Error(`no shard keeps ${account}`);
  }
  return shards[name];
}

/** Creates the tables, the barrier's too, and the accounts. The databases must be empty. */
export async function createAccounts(
  shards: Shards,
  accounts: Readonly<Record<string, number>>,
): Promise<void> {
  for (const shard of Object.values(shards)) {
    await shard.schema
      .createTable('account')
      .addColumn('id', 'varchar(64)', (column) => column.primaryKey())
      .addColumn('cents', 'integer', (column) => column.notNull())
      .addColumn('held', 'integer', (column) => column.notNull())
      .addColumn('announced', 'integer', (column) => column.notNull())
      .addColumn('is_open', 'integer', (column) => column.notNull())
      .execute();
    await createBarrierTable(shard);
  }
  for (const [id, cents] of Object.entries(accounts)) {
    const is_open = id.endsWith('/closed') ? 0 : 1;
    await shardOf(shards, id)
      .insertInto('account')
      .values({ id, cents, held: 0, announced: 0, is_open })
      .execute();
  }
}

/** Creates the shop's table of orders, with its barrier. */
export async function createOrders(pool: pg.Pool): Promise<void> {
  await pool.query('create table purchase (id text primary key, state text not null)');
  await createBarrierTable(pool);
}

/** Creates the table of points, with its barrier. */
export async function createPoints(pool: Pool): Promise<void> {
  await pool.query(
    'create table points (account varchar(64) primary key, points int, promised int)',
  );
  await createBarrierTable(pool);
}
