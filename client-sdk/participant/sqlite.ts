/**
 * Node's built-in SQLite for Kysely's `SqliteDialect`, and nothing more: no pool, no migrations.
 * Importing this file is what loads `node:sqlite` (Node 22.16 or newer). Invariant: a commit that
 * was reported is on disk.
 */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';

/** What `SqliteDialect` expects of a database. */
export interface NodeSqlite {
  close(): void;
  prepare(sql: string): NodeSqliteStatement;
}

/** What `SqliteDialect` expects of a prepared statement. */
export interface NodeSqliteStatement {
  /** Whether the statement gives rows (a select, or one with `returning`). */
  readonly reader: boolean;
  all(parameters: readonly unknown[]): unknown[];
  run(parameters: readonly unknown[]): {
    readonly changes: number | bigint;
    readonly lastInsertRowid: number | bigint;
  };
  iterate(parameters: readonly unknown[]): IterableIterator<unknown>;
}

/** Options of {@link nodeSqlite}. */
export interface NodeSqliteOptions {
  /**
   * Milliseconds that a statement waits for another process's write lock, default 5,000; then
   * SQLITE_BUSY, which a participant answers as `unknown`. The wait blocks this process's thread.
   */
  readonly busyTimeoutMs?: number;
}

/**
 * Opens (or creates) a database file: `new SqliteDialect({ database: nodeSqlite('bank.db') })`. WAL,
 * so that readers do not wait; synchronous=FULL, so that a commit survives a power cut. One
 * instance per file and process: Kysely runs its transactions one after another, whereas two
 * instances in one process would block the thread that has to release the lock.
 */
export function nodeSqlite(path: string, options: NodeSqliteOptions = {}): NodeSqlite {
  const db = new DatabaseSync(path, { timeout: options.busyTimeoutMs ?? 5_000 });
  db.exec('pragma journal_mode = wal; pragma synchronous = full');
  const prepared = new Map<string, NodeSqliteStatement>();
  return {
    close: () => db.close(),
    prepare(sql) {
      const known = prepared.get(sql);
      if (known !== undefined) return known;
      if (prepared.size >= statementsMax) prepared.clear();
      const statement = statementOf(db, sql);
      prepared.set(sql, statement);
      return statement;
    },
  };
}

/**
 * Statements that are kept prepared: a process has few texts, and preparing one takes longer than
 * most of them run. A process that makes up ever new texts must not keep them all.
 */
const statementsMax = 256;

function statementOf(db: DatabaseSync, sql: string): NodeSqliteStatement {
  const statement = db.prepare(sql);
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...bound(parameters)),
    run: (parameters) => statement.run(...bound(parameters)),
    // One of its own: a run of the same text meanwhile would end the iteration.
    iterate: (parameters) => db.prepare(sql).iterate(...bound(parameters)),
  };
}

/** SQLite itself refuses what it cannot store; booleans are the one convention to be translated. */
function bound(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters.map((value) => {
    if (typeof value === 'boolean') return value ? 1 : 0;
    // Parse boundary: node:sqlite throws ERR_INVALID_ARG_TYPE for anything it does not take.
    return value as SQLInputValue;
  });
}
