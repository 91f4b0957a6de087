/** What the tests of resources share: a coordinator process, a service, databases with our tables. */
import { join } from 'node:path';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { onTestFinished } from 'vitest';
import { connect, type Settle } from '../../client-sdk/index.ts';
import { barrierSchema } from '../../client-sdk/participant/barrier-schema.ts';
import { undoSchema } from '../../client-sdk/participant/undo-schema.ts';
import type { Provided } from '../support/databases.ts';
import { scratchFolder, startServerCommand } from '../support/settle-command.ts';

/** A coordinator of its own with an embedded log, and how to end it. */
export async function startCoordinator(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const folder = await scratchFolder();
  const log = `sqlite:${join(folder.path, 'log.db')}`;
  const args = ['--log', log, '--retry-initial', '20ms'];
  const server = await startServerCommand(args, { folder: folder.path });
  return {
    url: server.url,
    async stop() {
      server.signal('SIGKILL');
      await server.ended;
      await folder.remove();
    },
  };
}

/** A client that closes with the test. */
export async function startService(url: string, service = 'shop'): Promise<Settle> {
  const settle = await connect({ url, service });
  onTestFinished(() => settle.close());
  return settle;
}

/** A new database with the participant's tables and with these statements run on it. */
export async function startDatabase(server: Provided, schema: string): Promise<pg.Pool> {
  const pool = new pg.Pool({ connectionString: await server.newDatabase(), max: 20 });
  onTestFinished(() => pool.end());
  for (const text of [barrierSchema('postgres'), ...undoSchema('postgres')]) await pool.query(text);
  await pool.query(schema);
  return pool;
}

/** Kysely over the pool; ends with the pool. */
export function kyselyOver<Tables>(pool: pg.Pool): Kysely<Tables> {
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
}

/** All rows of a table as texts, in the order of its first column. */
export async function rowsOf(pool: pg.Pool, table: string): Promise<readonly string[]> {
  const { rows } = await pool.query(`select t::text as row from ${table} t order by 1`);
  return rows.map(({ row }) => String(row));
}

/** Undo rows that stand. */
export async function undoRows(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query('select count(*)::int as count from settle_undo');
  return Number(rows[0]?.count);
}

/** Resolves once a session of this database waits for a lock. */
export async function untilWaiting(pool: pg.Pool): Promise<void> {
  for (;;) {
    const { rowCount } = await pool.query(`select 1 from pg_stat_activity
      where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`);
    if (rowCount !== 0) return;
  }
}
