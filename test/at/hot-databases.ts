/**
 * Databases whose few rows many writers want: how a row is taken and set through Settle on each kind,
 * and what stands there, looked at past Settle. What the writers do is in `hot-world.ts`.
 */
import type mysql from 'mysql2/promise';
import type pg from 'pg';
import type { Settle } from '../../client-sdk/index.ts';
import type { Provided } from '../support/databases.ts';
import { mysqlUndoRows, startMysql } from './mysql-world.ts';
import { startDatabase, undoRows } from './world.ts';

/** Rows of each database, with ids from 1. */
export const rowsOfEach = 25;
/** In each row at the start. */
export const centsOfEach = 1_000;
/** Two writers that wait for each other in two databases are told apart by nothing else. */
export const lockTimeoutMs = 1_000;

/** A row as it is stored; `version` counts its committed changes, if none is lost. */
export interface HotRow {
  readonly id: number;
  readonly cents: number;
  readonly version: number;
}

/** One database. */
export interface HotDatabase {
  /** Reads under a lock, through Settle. */
  take(id: number): Promise<HotRow>;
  /** Writes the row if it still has the version before this one, through Settle: rows changed. */
  set(row: HotRow): Promise<number>;
  /** Counts the version up and adds the cents in one statement, through Settle: rows changed. */
  add(id: number, cents: number): Promise<number>;
  /** All rows, past Settle. */
  rows(): Promise<readonly HotRow[]>;
  /** How many locks stand, past Settle. */
  undoRows(): Promise<number>;
}

const table =
  'create table account (id integer primary key, cents bigint not null, version bigint not null)';
const ids = Array.from({ length: rowsOfEach }, (_, index) => index + 1);
const filling = `insert into account values ${ids.map((id) => `(${id}, ${centsOfEach}, 0)`)}`;
const taking = 'select id, cents, version from account where id = ';
const adding = 'update account set version = version + 1, cents = cents +';
const all = 'select id, cents, version from account order by id';

/** A new database on this server, as a resource of this name. */
export async function startHotDatabase(
  settle: Settle,
  server: Provided,
  resource: string,
): Promise<HotDatabase> {
  return server.store === 'mysql'
    ? onMysql(settle, server, resource)
    : onPostgres(settle, server, resource);
}

async function onPostgres(
  settle: Settle,
  server: Provided,
  resource: string,
): Promise<HotDatabase> {
  const plain = await startDatabase(server, `${table}; ${filling}`);
  const front: pg.Pool = settle.at(plain, { resource, lockTimeoutMs });
  return {
    async take(id) {
      return rowOf((await front.query(`${taking} $1 for update`, [id])).rows[0]);
    },
    async set({ id, cents, version }) {
      const text = 'update account set cents = $2, version = $3 where id = $1 and version = $4';
      return (await front.query(text, [id, cents, version, version - 1])).rowCount ?? 0;
    },
    async add(id, cents) {
      return (await front.query(`${adding} $1 where id = $2`, [cents, id])).rowCount ?? 0;
    },
    async rows() {
      return (await plain.query(all)).rows.map(rowOf);
    },
    undoRows: () => undoRows(plain),
  };
}

async function onMysql(settle: Settle, server: Provided, resource: string): Promise<HotDatabase> {
  const { pool: plain } = await startMysql(server, [table, filling]);
  const front: mysql.Pool = settle.at(plain, { resource, lockTimeoutMs });
  return {
    async take(id) {
      const [rows] = await front.query<mysql.RowDataPacket[]>(`${taking} ? for update`, [id]);
      return rowOf(rows[0]);
    },
    async set({ id, cents, version }) {
      const text = 'update account set cents = ?, version = ? where id = ? and version = ?';
      const values = [cents, version, id, version - 1];
      return (await front.execute<mysql.ResultSetHeader>(text, values))[0].affectedRows;
    },
    async add(id, cents) {
      const text = `${adding} ? where id = ?`;
      return (await front.execute<mysql.ResultSetHeader>(text, [cents, id]))[0].affectedRows;
    },
    async rows() {
      return (await plain.query<mysql.RowDataPacket[]>(all))[0].map(rowOf);
    },
    undoRows: () => mysqlUndoRows(plain),
  };
}

/** Drivers give bigints as texts or as numbers. */
function rowOf(row: Readonly<Record<string, unknown>> | undefined): HotRow {
  if (row === undefined) throw new Error('there is no such row');
  return {
    id: Number(row['id']),
    cents: Number(row['cents']),
    version: Number(row['version']),
  };
}
