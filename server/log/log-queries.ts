/**
 * The reading queries of the logs on a database server, built by Kysely for the dialect and run by
 * the store on its own connections. Searches are in search-queries.ts. Writing is not here: each
 * store writes in its own way.
 */
import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  MysqlAdapter,
  MysqlIntrospector,
  MysqlQueryCompiler,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { Gid } from '../../client-sdk/protocol/index.ts';
import type { IndexRow, LogRow } from './log.ts';
import { indexColumnNames } from './server-log.ts';

/** A column that may come as text: PostgreSQL's driver does so with 64 bit numbers. */
type BigInteger = number | string;

interface LogTables {
  readonly transaction_log: LogRowStored;
  /** Index rows without an outcome. */
  readonly open_transaction: IndexRowStored;
  /** Index rows with an outcome. */
  readonly global_transaction: IndexRowStored;
}

type IndexTable = 'open_transaction' | 'global_transaction';

/** A row of `transaction_log` as a driver gives it. */
export interface LogRowStored {
  readonly gid: string;
  readonly seq: number;
  readonly shard: number;
  readonly epoch: BigInteger;
  readonly at_ms: BigInteger;
  readonly records: string;
}

/** A row of `open_transaction` or `global_transaction` as a driver gives it. */
export interface IndexRowStored {
  readonly gid: string;
  readonly shard: number;
  readonly mode: IndexRow['mode'];
  readonly name: string;
  readonly outcome: IndexRow['outcome'];
  readonly cause: string | null;
  readonly attention: string | null;
  readonly started_at_ms: BigInteger;
  readonly deadline_at_ms: BigInteger | null;
  readonly finished_at_ms: BigInteger | null;
  readonly labels: string;
}

/** Whose SQL. The log on SQLite has searches of this kind, and its other queries by hand. */
export type SearchDialect = 'postgres' | 'mysql' | 'sqlite';

/** The queries, compiled for one dialect: text with placeholders, and its parameters. */
export interface LogQueries {
  /** Rows of the gids, by gid and seq, from the primary key. */
  read(gids: readonly Gid[]): CompiledQuery<LogRowStored>;
  /** Open gids in order: a range of the primary key of the open ones. */
  openGids(afterGid: Gid, limit: number): CompiledQuery<{ readonly gid: string }>;
  /** Index rows of the gids, from the primary keys. */
  find(gids: readonly Gid[]): CompiledQuery<IndexRowStored>;
}

/** The queries in the dialect of the store. */
export function logQueries(dialect: 'postgres' | 'mysql'): LogQueries {
  const db = compiling<LogTables>(dialect);
  return {
    read: (gids) =>
      db
        .selectFrom('transaction_log')
        .select(['gid', 'seq', 'shard', 'epoch', 'at_ms', 'records'])
        .where('gid', 'in', gids)
        .orderBy('gid')
        .orderBy('seq')
        .compile(),
    openGids: (afterGid, limit) =>
      db
        .selectFrom('open_transaction')
        .select('gid')
        .where('gid', '>', afterGid)
        .orderBy('gid')
        .limit(limit)
        .compile(),
    find: (gids) => {
      const rowsIn = (table: IndexTable) =>
        db.selectFrom(table).select(indexColumnNames).where('gid', 'in', gids);
      return rowsIn('open_transaction').unionAll(rowsIn('global_transaction')).compile();
    },
  };
}

/** A Kysely that only compiles: it has no connection. */
export function compiling<Tables>(dialect: SearchDialect): Kysely<Tables> {
  const createDriver = () => new DummyDriver();
  switch (dialect) {
    case 'postgres':
      return new Kysely({
        dialect: {
          createDriver,
          createAdapter: () => new PostgresAdapter(),
          createIntrospector: (db) => new PostgresIntrospector(db),
          createQueryCompiler: () => new PostgresQueryCompiler(),
        },
      });
    case 'mysql':
      return new Kysely({
        dialect: {
          createDriver,
          createAdapter: () => new MysqlAdapter(),
          createIntrospector: (db) => new MysqlIntrospector(db),
          createQueryCompiler: () => new MysqlQueryCompiler(),
        },
      });
    case 'sqlite':
      return new Kysely({
        dialect: {
          createDriver,
          createAdapter: () => new SqliteAdapter(),
          createIntrospector: (db) => new SqliteIntrospector(db),
          createQueryCompiler: () => new SqliteQueryCompiler(),
        },
      });
    default:
      return dialect satisfies never;
  }
}

/** The row as the port knows it. */
export function logRowOf(stored: LogRowStored): LogRow {
  return {
    gid: stored.gid,
    seq: stored.seq,
    shard: stored.shard,
    epoch: Number(stored.epoch),
    atMs: Number(stored.at_ms),
    records: stored.records,
  };
}

/** The row as the port knows it. Its JSON columns were written by us: malformed ones throw. */
export function indexRowOf(stored: IndexRowStored): IndexRow {
  return {
    gid: stored.gid,
    shard: stored.shard,
    mode: stored.mode,
    name: stored.name,
    outcome: stored.outcome,
    cause: stored.cause === null ? null : (JSON.parse(stored.cause) as IndexRow['cause']),
    attention:
      stored.attention === null ? null : (JSON.parse(stored.attention) as IndexRow['attention']),
    startedAtMs: Number(stored.started_at_ms),
    deadlineAtMs: numberOrNull(stored.deadline_at_ms),
    finishedAtMs: numberOrNull(stored.finished_at_ms),
    labels: JSON.parse(stored.labels) as IndexRow['labels'],
  };
}

function numberOrNull(value: BigInteger | null): number | null {
  return value === null ? null : Number(value);
}
