/**
 * The databases of the example: orders on PostgreSQL, stock and parcels on MariaDB (or MySQL), and
 * wallets on four shards, which are PostgreSQL databases. URLs, tables and plain connections only:
 * what is read here is read outside of Settle.
 */
import { barrierSchema, undoSchema } from '@settle/client/participant';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import pg from 'pg';
import { type Advice, withServers } from '../servers.ts';

/** Connection URLs. */
export interface Urls {
  readonly orders: string;
  readonly stock: string;
  readonly parcels: string;
  /** The shards, in the order that the router counts. */
  readonly wallets: readonly string[];
}

/** The tables of orders, for Kysely. Money is in whole cents. */
export interface OrderTables {
  purchase: { id: string; buyer: string; seller: string; cents: number };
  line: { purchase_id: string; article: string; pieces: number };
}

/** The table of stock. */
export interface StockTables {
  article: { name: string; available: number };
}

/** The table of each shard of wallets. */
export interface WalletTables {
  wallet: { owner: string; cents: number };
}

const orders = `
  create table purchase (id text primary key, buyer text not null, seller text not null,
    cents integer not null);
  create table line (purchase_id text not null references purchase, article text not null,
    pieces integer not null, primary key (purchase_id, article))`;
const wallet = 'create table wallet (owner text primary key, cents integer not null)';
const article = 'create table article (name varchar(40) primary key, available int not null)';
const parcel = `create table parcel (id bigint auto_increment primary key,
  purchase varchar(40) not null)`;

/** Empty databases for one run, or what to do to have some. */
export function findDatabases(): Promise<
  ({ readonly urls: Urls; readonly origin: string } & AsyncDisposable) | Advice
> {
  return withServers(async ({ postgres, mysql, origin }) => {
    const [stock, parcels] = [await mysql.newDatabase(), await mysql.newDatabase()];
    const wallets: string[] = [];
    for (let shard = 0; shard < 4; shard += 1) wallets.push(await postgres.newDatabase());
    return { urls: { orders: await postgres.newDatabase(), stock, parcels, wallets }, origin };
  });
}

/** Creates the tables, and what `settle migrate --participant URL` creates: barrier and undo. */
export async function createTables({ orders: url, stock, parcels, wallets }: Urls): Promise<void> {
  const postgres = [barrierSchema('postgres'), ...undoSchema('postgres')];
  const mysql = [barrierSchema('mysql'), ...undoSchema('mysql')];
  await onPostgres(url, [...postgres, orders]);
  for (const shard of wallets) await onPostgres(shard, [...postgres, wallet]);
  await onMysql(stock, [...mysql, article]);
  await onMysql(parcels, [...mysql, parcel]);
}

/** Runs the statements on a connection of its own; answers the rows of the last one. */
export async function onPostgres<Row extends pg.QueryResultRow>(
  url: string,
  statements: readonly string[],
): Promise<readonly Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    let rows: readonly Row[] = [];
    for (const text of statements) rows = (await client.query<Row>(text)).rows;
    return rows;
  } finally {
    await client.end();
  }
}

/** The same on MariaDB or MySQL. */
export async function onMysql<Row>(
  url: string,
  statements: readonly string[],
): Promise<readonly Row[]> {
  const connection = await createConnection(url);
  try {
    let rows: readonly (Row & RowDataPacket)[] = [];
    for (const text of statements) {
      const [answer] = await connection.query<(Row & RowDataPacket)[]>(text);
      rows = answer;
    }
    return rows;
  } finally {
    await connection.end();
  }
}

/** A pool whose lost connections fail the query that used them, not the process. */
export function openPool(url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url });
  const report = (error: Error) => console.error(`lost a connection: ${error.message}`);
  pool.on('error', report);
  pool.on('connect', (client) => client.on('error', report));
  return pool;
}
