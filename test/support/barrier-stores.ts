/** Participants' databases for the barrier's suite, one for each way to open them. */
import { CompiledQuery, type Kysely } from 'kysely';
import type { Pool as MysqlPool, PoolConnection } from 'mysql2/promise';
import type { Pool as PgPool, PoolClient } from 'pg';
import type { BarrierStore, Rows } from '../conformance/barrier.ts';

/** A store over Kysely. Handlers' transactions are told by their shape: the suite knows none. */
export function kyselyStore(db: Kysely<unknown>, waiterSeen: () => Promise<void>): BarrierStore {
  const run = async (on: Kysely<unknown>, sql: string): Promise<Rows> => {
    const { rows } = await on.executeQuery(CompiledQuery.raw(sql));
    return rows as Rows;
  };
  return {
    db,
    execute: (trx, sql) => run(trx as Kysely<unknown>, sql),
    query: (sql) => run(db, sql),
    waiterSeen,
    close: () => db.destroy(),
  };
}

/** A store over a plain pg Pool. */
export function pgStore(pool: PgPool): BarrierStore {
  return {
    db: pool,
    execute: async (trx, sql) => (await (trx as PoolClient).query(sql)).rows,
    query: async (sql) => (await pool.query(sql)).rows,
    waiterSeen: pgWaiterSeen(pool),
    close: () => pool.end(),
  };
}

/** A store over a plain mysql2/promise Pool. */
export function mysqlStore(pool: MysqlPool): BarrierStore {
  const run = async (on: MysqlPool | PoolConnection, sql: string) => {
    const [rows] = await on.query(sql);
    return rows as Rows;
  };
  return {
    db: pool,
    execute: (trx, sql) => run(trx as PoolConnection, sql),
    query: (sql) => run(pool, sql),
    waiterSeen: mysqlWaiterSeen(pool),
    close: () => pool.end(),
  };
}

/** Asks pg_stat_activity until a session of this database waits for a lock. */
export function pgWaiterSeen(pool: PgPool): () => Promise<void> {
  return () =>
    until(async () => {
      const { rowCount } = await pool.query(
        `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return rowCount !== 0;
    });
}

/**
 * Asks the server until a transaction waits for a row lock. A status variable, because
 * information_schema.innodb_trx is a copy that is not renewed while somebody keeps reading it.
 */
export function mysqlWaiterSeen(pool: MysqlPool): () => Promise<void> {
  return () =>
    until(async () => {
      const [rows] = await pool.query(
        `show global status where variable_name = 'Innodb_row_lock_current_waits' and value > 0`,
      );
      return Array.isArray(rows) && rows.length > 0;
    });
}

// The query itself is the pause. Bounded, so that a wait that never comes fails one test only.
async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let times = 0; times < 5_000; times += 1) if (await isSo()) return;
  throw new Error('no transaction was seen to wait for a lock');
}
