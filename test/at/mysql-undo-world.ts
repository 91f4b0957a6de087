/** Sessions, steps and checksums for the tests of undo rows on MySQL, without a resource. */
import mysql from 'mysql2/promise';
import { onTestFinished } from 'vitest';
import { mysql2ResourceDatabase } from '../../client-sdk/resource/databases/mysql2.ts';
import type { Session } from '../../client-sdk/resource/facts.ts';
import { createMysqlCatalog } from '../../client-sdk/resource/mysql/catalog.ts';
import { Compounds } from '../../client-sdk/resource/mysql/compound.ts';
import { imageExpression, imageOf } from '../../client-sdk/resource/mysql/image-columns.ts';
import { withSettings } from '../../client-sdk/resource/mysql/session.ts';
import { createMysqlUndoStore } from '../../client-sdk/resource/mysql/undo-store.ts';
import type { Provided } from '../support/databases.ts';
import { startMysql } from './mysql-world.ts';
import { undoWorld } from './undo-world.ts';

/** Of the server of a test file; known once a session is open. */
export const compounds = new Compounds();

export const store = createMysqlUndoStore(compounds);

/** A catalogue that is never older than the test. */
export const freshCatalog = () => createMysqlCatalog(() => 0);

/** A session on a connection of its own, set as a resource sets it. */
export interface TestSession extends Session {
  readonly id: number;
  /** Puts the settings back and gives the connection back to its pool, of which it is the only one. */
  release(): void;
  readonly pool: mysql.Pool;
}

/** `odd`: settings of the connection before the resource gets it. */
export async function openSession(url: string, odd = ''): Promise<TestSession> {
  const pool = mysql.createPool({ uri: url, connectionLimit: 1 });
  onTestFinished(() => pool.end());
  if (odd !== '') await pool.query(odd);
  const database = mysql2ResourceDatabase(pool);
  const held = await withSettings(database, () => 5_000, compounds).acquire();
  onTestFinished(() => held.release());
  const { rows } = await held.query('select connection_id() as id');
  return {
    id: Number(rows[0]?.['id']),
    pool,
    release: () => held.release(),
    query: (text, parameters) => held.query(text, parameters),
  };
}

/** A new database with our tables and with this schema. */
export async function openDatabase(server: Provided, schema: readonly string[]) {
  const { url, pool } = await startMysql(server, schema);
  const session = await openSession(url);
  const { rows } = await session.query('select database() as db');
  const database = String(rows[0]?.['db']);
  return { url, pool, session, database, open: (odd?: string) => openSession(url, odd) };
}

export const { factsOf, imagesOf, stepBy, transact, branch, restore } = undoWorld({
  store,
  freshCatalog,
  begin: 'start transaction',
  imageExpression: (facts) => imageExpression(facts, 't'),
  imageOf,
});

/** Resolves once a transaction waits for a row. Databases of a test file have one server. */
export async function untilWaiting(pool: mysql.Pool): Promise<void> {
  for (let times = 0; times < 5_000; times += 1) {
    const [rows] = await pool.query(
      `show global status where variable_name = 'Innodb_row_lock_current_waits' and value > 0`,
    );
    if (Array.isArray(rows) && rows.length > 0) return;
  }
  throw new Error('nobody was seen to wait for a lock');
}
