/** Sessions, steps and checksums for the tests of undo rows on PostgreSQL, without a resource. */
import pg from 'pg';
import { onTestFinished } from 'vitest';
import { undoSchema } from '../../client-sdk/participant/undo-schema.ts';
import type { Session, TableFacts } from '../../client-sdk/resource/facts.ts';
import type { Image, Step } from '../../client-sdk/resource/image.ts';
import { createPostgresCatalog } from '../../client-sdk/resource/postgres/catalog.ts';
import { imageOf } from '../../client-sdk/resource/postgres/image-text.ts';
import { createPostgresUndoStore } from '../../client-sdk/resource/postgres/undo-store.ts';
import { rowKey } from '../../client-sdk/resource/row-key.ts';
import type { Restored } from '../../client-sdk/resource/undo-store.ts';
import type { Provided } from '../support/databases.ts';

export const store = createPostgresUndoStore();

/** A catalogue that is never older than the test. */
export const freshCatalog = () => createPostgresCatalog(() => 0);

/** A session with a pg client of its own. */
export interface TestSession extends Session {
  readonly pid: number;
}

export async function openSession(url: string): Promise<TestSession> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  onTestFinished(() => client.end());
  const { rows } = await client.query('select pg_backend_pid() as pid');
  return {
    pid: rows[0].pid,
    async query(text, parameters) {
      const answer = await client.query(text, parameters === undefined ? [] : [...parameters]);
      return { rows: answer.rows ?? [], count: answer.rowCount ?? 0 };
    },
  };
}

/** A new database with our tables and with this schema. */
export async function openDatabase(server: Provided, schema: string) {
  const url = await server.newDatabase();
  const session = await openSession(url);
  for (const statement of undoSchema('postgres')) await session.query(statement);
  if (schema !== '') await session.query(schema);
  return { url, session, open: () => openSession(url) };
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

async function imagesOf(session: Session, facts: TableFacts, where: string) {
  const { rows } = await session.query(
    `select settle_image(t.*) as image from ${facts.id} t where ${where}`,
  );
  const images = rows.map((row): Image => imageOf(facts, String(row['image'])));
  return new Map(images.map((image) => [rowKey(facts, image), image]));
}

/** A local transaction that ends with a commit, or with a rollback when it answers null. */
export async function transact<T>(session: Session, work: () => Promise<T>): Promise<T> {
  await session.query('begin isolation level read committed');
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

/** Resolves once this backend waits for a lock. */
export async function untilWaiting(session: Session, pid: number): Promise<void> {
  for (;;) {
    const { rows } = await session.query('select cardinality(pg_blocking_pids($1)) > 0 as waits', [
      pid,
    ]);
    if (rows[0]?.['waits'] === true) return;
  }
}
