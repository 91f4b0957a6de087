/** Sessions, steps and checksums for the tests of undo rows on PostgreSQL, without a resource. */
import pg from 'pg';
import { onTestFinished } from 'vitest';
import { undoSchema } from '../../client-sdk/participant/undo-schema.ts';
import type { Session } from '../../client-sdk/resource/facts.ts';
import { createPostgresCatalog } from '../../client-sdk/resource/postgres/catalog.ts';
import { imageOf } from '../../client-sdk/resource/postgres/image-text.ts';
import { createPostgresUndoStore } from '../../client-sdk/resource/postgres/undo-store.ts';
import type { Provided } from '../support/databases.ts';
import { undoWorld } from './undo-world.ts';

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

export const { factsOf, stepBy, transact, branch, restore } = undoWorld({
  store,
  freshCatalog,
  begin: 'begin isolation level read committed',
  imageExpression: () => 'settle_image(t.*)',
  imageOf,
});

/** Resolves once this backend waits for a lock. */
export async function untilWaiting(session: Session, pid: number): Promise<void> {
  for (;;) {
    const { rows } = await session.query('select cardinality(pg_blocking_pids($1)) > 0 as waits', [
      pid,
    ]);
    if (rows[0]?.['waits'] === true) return;
  }
}
