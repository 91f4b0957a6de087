/** What the tests of resources on MySQL share: databases with our tables, and what stands in them. */
import { Kysely, MysqlDialect } from 'kysely';
import { createPool } from 'mysql2';
import mysql from 'mysql2/promise';
import { onTestFinished } from 'vitest';
import { barrierSchema } from '../../client-sdk/participant/barrier-schema.ts';
import { undoSchema } from '../../client-sdk/participant/undo-schema.ts';
import type { Provided } from '../support/databases.ts';

/** A new database with our tables and with these statements run on it; its URL and a pool. */
export async function startMysql(server: Provided, schema: readonly string[]) {
  const url = await server.newDatabase();
  const pool = mysql.createPool({ uri: url, connectionLimit: 20, charset: 'utf8mb4' });
  onTestFinished(() => pool.end());
  for (const text of [barrierSchema('mysql'), ...undoSchema('mysql'), ...schema]) {
    await pool.query(text);
  }
  return { url, pool };
}

/** Kysely over a pool of its own; ends with the test. */
export function kyselyOnMysql<Tables>(url: string): Kysely<Tables> {
  const pool = createPool({ uri: url, connectionLimit: 10 });
  const db = new Kysely<Tables>({ dialect: new MysqlDialect({ pool }) });
  onTestFinished(() => db.destroy());
  return db;
}

/** All rows of a table as texts of JSON, in the order of its first column. */
export async function mysqlRows(pool: mysql.Pool, table: string): Promise<readonly string[]> {
  const [rows] = await pool.query({ sql: `select * from ${table} order by 1`, rowsAsArray: true });
  return Array.isArray(rows) ? rows.map((row) => JSON.stringify(row)) : [];
}

/** Undo rows that stand. */
export async function mysqlUndoRows(pool: mysql.Pool): Promise<number> {
  return (await mysqlRows(pool, 'settle_undo')).length;
}
