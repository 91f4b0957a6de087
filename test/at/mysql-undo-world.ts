/** Sessions, steps and checksums for the tests of undo rows on MySQL, without a resource. */
import mysql from 'mysql2/promise';
import { onTestFinished } from 'vitest';
import { mysql2ResourceDatabase } from '../../client-sdk/resource/databases/mysql2.ts';
import type { Session, TableFacts } from '../../client-sdk/resource/facts.ts';
import type { Image, Step } from '../../client-sdk/resource/image.ts';
import { createMysqlCatalog } from '../../client-sdk/resource/mysql/catalog.ts';
import { imageExpression, imageOf } from '../../client-sdk/resource/mysql/image-columns.ts';
import { withSettings } from '../../client-sdk/resource/mysql/session.ts';
import { createMysqlUndoStore } from '../../client-sdk/resource/mysql/undo-store.ts';
import { rowKey } from '../../client-sdk/resource/row-key.ts';
import type { Restored } from '../../client-sdk/resource/undo-store.ts';
import type { Provided } from '../support/databases.ts';
import { startMysql } from './mysql-world.ts';

export const store = createMysqlUndoStore();

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
  const held = await withSettings(mysql2ResourceDatabase(pool), () => 5_000).acquire();
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

/** What a resource does with one statement, in its simplest form: images taken around it. */
export async function stepBy(
  session: Session,
  table: string,
  { where, change }: { readonly where: string; readonly change: string },
): Promise<readonly Step[]> {
  const facts = await factsOf(session, table);
  const before = await imagesOf(session, facts, where);
  await session.query(change);
  const after = await imagesOf(session, facts, where);
  return [...new Set([...before.keys(), ...after.keys()])].map((key) => ({
    table: facts.id,
    key,
    before: before.get(key) ?? null,
    after: after.get(key) ?? null,
  }));
}

export async function factsOf(session: Session, table: string): Promise<TableFacts> {
  const [schema, name] = table.includes('.') ? table.split('.') : [null, table];
  return freshCatalog().factsOf(session, { schema: schema ?? null, name: name ?? '' });
}

export async function imagesOf(session: Session, facts: TableFacts, where: string) {
  const { rows } = await session.query(
    `select ${imageExpression(facts, 't')} as image from ${facts.id} t where ${where}`,
  );
  const images = rows.map((row): Image => imageOf(facts, String(row['image'])));
  return new Map(images.map((image) => [rowKey(facts, image), image]));
}

/** A local transaction that ends with a commit, or with a rollback when it answers null. */
export async function transact<T>(session: Session, work: () => Promise<T>): Promise<T> {
  await session.query('start transaction');
  try {
    const value = await work();
    await session.query(value === null ? 'rollback' : 'commit');
    return value;
  } catch (error) {
    await session.query('rollback');
    throw error;
  }
}

/** Runs the changes in one local transaction of this branch, with undo rows, and commits. */
export async function branch(
  session: Session,
  { gid, branchId }: { readonly gid: string; readonly branchId: number },
  changes: () => Promise<readonly Step[]>,
): Promise<void> {
  await transact(session, async () => {
    const holders = await store.insert(session, { gid, branchId }, await changes());
    if (holders.length > 0) throw new Error(`held by ${holders.map((one) => one.gid).join()}`);
  });
}

/** As phase two does. What is dirty is rolled back. */
export async function restore(session: Session, gid: string): Promise<Restored> {
  let dirty: Restored | null = null;
  const done = await transact(session, async () => {
    const restored = await store.restore(session, freshCatalog(), gid);
    if (restored.kind === 'restored') return restored;
    dirty = restored;
    return null;
  });
  if (done !== null) return done;
  if (dirty === null) throw new Error('neither restored nor dirty');
  return dirty;
}

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
