/**
 * The few things that the migration runner asks of a database, for each dialect, over a connection
 * that the caller owns. The drivers' connections fit by shape; no driver is imported here.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from '../server/runtime/failure.ts';

/** Which SQL. `mysql` stands for MariaDB too. */
export type Dialect = 'sqlite' | 'postgres' | 'mysql';

/** A value in a statement. */
export type SqlValue = string | number | null;

/** One row, by column name. */
export type SqlRow = Readonly<Record<string, unknown>>;

/** One connection, used by one runner at a time. */
export interface Executor {
  readonly dialect: Dialect;
  /** Runs one statement. Throws what the driver throws. */
  run(sql: string, values: readonly SqlValue[]): Promise<readonly SqlRow[]>;
  /** `?, ?` or `$1, $2`. */
  placeholders(count: number): string;
  /**
   * Runs the work while no other runner is at work on this database: in one transaction where DDL
   * is transactional (SQLite, PostgreSQL), else under a named lock (MySQL). Waits up to a minute,
   * then throws (LOG_UNAVAILABLE under MySQL, the driver's error elsewhere).
   */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
}

const lockWaitMsMax = 60_000;

/** The part of `node:sqlite`'s DatabaseSync that is used. */
export interface SqliteHandle {
  exec(sql: string): void;
  prepare(sql: string): { all(...values: SqlValue[]): unknown[] };
}

/**
 * Over an open DatabaseSync. BEGIN IMMEDIATE is the lock; it is asked for again and again in short
 * waits, because a long one would hold up the thread, and with it a runner in the same process.
 */
export function sqliteExecutor(handle: SqliteHandle): Executor {
  const run = async (sql: string, values: readonly SqlValue[]) =>
    handle.prepare(sql).all(...values) as readonly SqlRow[];
  return {
    dialect: 'sqlite',
    run,
    placeholders: (count) => Array(count).fill('?').join(', '),
    async exclusively(work) {
      const before = handle.prepare('pragma busy_timeout').all()[0] as SqlRow;
      handle.exec('pragma busy_timeout = 10');
      try {
        return await inTransaction({ run, begin: () => beginImmediate(handle) }, work);
      } finally {
        handle.exec(`pragma busy_timeout = ${Number(before['timeout'])}`);
      }
    },
  };
}

async function beginImmediate(handle: SqliteHandle): Promise<void> {
  const deadlineMs = performance.now() + lockWaitMsMax;
  for (;;) {
    try {
      handle.exec('begin immediate');
      return;
    } catch (error) {
      const isBusy = error instanceof Error && 'errcode' in error && error.errcode === 5;
      if (!isBusy || performance.now() > deadlineMs) throw error;
      await delay(10);
    }
  }
}

/** The part of a `pg` Client (or PoolClient, never a Pool) that is used. */
export interface PostgresConnection {
  query(sql: string, values: unknown[]): Promise<{ readonly rows: readonly SqlRow[] }>;
}

/** Over a connected pg Client. The lock ends with its transaction, whatever becomes of the client. */
export function postgresExecutor(connection: PostgresConnection): Executor {
  const run = async (sql: string, values: readonly SqlValue[]) =>
    (await connection.query(sql, [...values])).rows;
  return {
    dialect: 'postgres',
    run,
    placeholders: (count) => Array.from({ length: count }, (_, i) => `$${i + 1}`).join(', '),
    exclusively: (work) =>
      inTransaction({ run, begin: () => run('begin', []) }, async () => {
        await run(`set local lock_timeout = ${lockWaitMsMax}`, []);
        // The number is ours alone: the first bytes of "settle", as an integer.
        await run('select pg_advisory_xact_lock(1936028780)', []);
        return work();
      }),
  };
}

/** The part of a `mysql2/promise` Connection that is used. */
export interface MysqlConnection {
  query(sql: string, values: unknown[]): Promise<readonly [unknown, ...unknown[]]>;
}

/** Over a connected mysql2 connection. The lock is per database and ends with the connection. */
export function mysqlExecutor(connection: MysqlConnection): Executor {
  const run = async (sql: string, values: readonly SqlValue[]) => {
    const [rows] = await connection.query(sql, [...values]);
    return Array.isArray(rows) ? (rows as readonly SqlRow[]) : [];
  };
  // Named locks belong to the whole server and take 64 characters; hence the digest.
  const lockName = `concat('settle:', md5(database()))`;
  return {
    dialect: 'mysql',
    run,
    placeholders: (count) => Array(count).fill('?').join(', '),
    async exclusively(work) {
      const [answer] = await run(
        `select get_lock(${lockName}, ${lockWaitMsMax / 1000}) as got`,
        [],
      );
      if (Number(answer?.['got']) !== 1) {
        throw new Failure('LOG_UNAVAILABLE', 'Another process has been migrating for a minute.');
      }
      try {
        return await work();
      } finally {
        await run(`select release_lock(${lockName})`, []);
      }
    },
  };
}

interface TransactionStart {
  readonly run: Executor['run'];
  readonly begin: () => Promise<unknown>;
}

async function inTransaction<T>(start: TransactionStart, work: () => Promise<T>): Promise<T> {
  await start.begin();
  try {
    const result = await work();
    await start.run('commit', []);
    return result;
  } catch (error) {
    // The first error is the one to tell; a connection that is gone has rolled back already.
    await start.run('rollback', []).catch(() => undefined);
    throw error;
  }
}
