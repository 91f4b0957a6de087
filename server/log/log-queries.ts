/**
 * The reading queries of the logs on a database server, built by Kysely for the dialect and run by
 * the store on its own connections. Writing is not here: each store writes in its own way.
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
  type SelectQueryBuilder,
} from 'kysely';
import type { Gid } from '../../client-sdk/protocol/index.ts';
import type { IndexRow, LogRow, SearchFilter } from './log.ts';
import { indexColumnNames } from './server-log.ts';

/** A column that may come as text: PostgreSQL's driver does so with 64 bit numbers. */
type BigInteger = number | string;

interface LogTables {
  readonly transaction_log: LogRowStored;
  /** Index rows without an outcome. */
  readonly open_transaction: IndexRowStored;
  /** Index rows with an outcome. */
  readonly global_transaction: IndexRowStored & { readonly needs_attention?: number };
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

/** The queries, compiled for one dialect: text with placeholders, and its parameters. */
export interface LogQueries {
  /** Rows of the gids, by gid and seq, from the primary key. */
  read(gids: readonly Gid[]): CompiledQuery<LogRowStored>;
  /** Open gids in order: a range of the primary key of the open ones. */
  openGids(afterGid: Gid, limit: number): CompiledQuery<{ readonly gid: string }>;
  /**
   * A page, newest first. Of the finished ones a range of the index by name, by attention, or by
   * start; the open ones are few, and looked through.
   */
  search(filter: SearchFilter): CompiledQuery<IndexRowStored>;
  /** Index rows of the gids, from the primary keys. */
  find(gids: readonly Gid[]): CompiledQuery<IndexRowStored>;
}

/** The queries in the dialect of the store. */
export function logQueries(dialect: 'postgres' | 'mysql'): LogQueries {
  const db = dialect === 'postgres' ? compilingPostgres() : compilingMysql();
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
    search: (filter) => searchQuery(db, dialect, filter),
    find: (gids) => {
      const rowsIn = (table: IndexTable) =>
        db.selectFrom(table).select(indexColumnNames).where('gid', 'in', gids);
      return rowsIn('open_transaction').unionAll(rowsIn('global_transaction')).compile();
    },
  };
}

function searchQuery(db: Kysely<LogTables>, dialect: 'postgres' | 'mysql', filter: SearchFilter) {
  const page = (rows: RowsOf) =>
    matching(rows, filter)
      .orderBy('started_at_ms', 'desc')
      .orderBy('gid', 'desc')
      .limit(filter.limit);
  const open = page(db.selectFrom('open_transaction'));
  const ended = db.selectFrom('global_transaction');
  // MySQL has no partial index, so its table keeps the question as a column.
  const isAsColumn = dialect === 'mysql' && filter.attention === true;
  const finished = page(isAsColumn ? ended.where('needs_attention', '=', 1) : ended);
  if (filter.outcome === 'open') return open.compile();
  if (filter.outcome !== undefined) return finished.compile();
  return db
    .selectFrom(open.as('open'))
    .selectAll()
    .unionAll(db.selectFrom(finished.as('finished')).selectAll())
    .orderBy('started_at_ms', 'desc')
    .orderBy('gid', 'desc')
    .limit(filter.limit)
    .compile();
}

type RowsOf = SelectQueryBuilder<LogTables, IndexTable, object>;

/** Index rows for which all conditions of the filter hold; which table is asked is one of them. */
function matching(rows: RowsOf, filter: SearchFilter) {
  const { mode, name, outcome, attention, before } = filter;
  let query = rows.select(indexColumnNames);
  if (mode !== undefined) query = query.where('mode', '=', mode);
  if (name !== undefined) query = query.where('name', '=', name);
  if (outcome !== undefined && outcome !== 'open') query = query.where('outcome', '=', outcome);
  if (attention === true) query = query.where('attention', 'is not', null);
  if (before !== undefined) {
    // Not a row comparison: MySQL makes no index range of one.
    query = query
      .where('started_at_ms', '<=', before.startedAtMs)
      .where((is) =>
        is.or([is('started_at_ms', '<', before.startedAtMs), is('gid', '<', before.gid)]),
      );
  }
  return query;
}

function compilingPostgres(): Kysely<LogTables> {
  return new Kysely<LogTables>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  });
}

function compilingMysql(): Kysely<LogTables> {
  return new Kysely<LogTables>({
    dialect: {
      createAdapter: () => new MysqlAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new MysqlIntrospector(db),
      createQueryCompiler: () => new MysqlQueryCompiler(),
    },
  });
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
