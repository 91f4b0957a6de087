/**
 * The statements of the SQLite log over one open file; synchronous, so it lives in the worker.
 * Invariant: one transaction per batch, begun with the write lock, with the fence inside, so no row
 * of a term can be written after the transaction that ended it.
 */
import type { Gid } from '../../client-sdk/protocol/index.ts';
import { type LogRow, labelTexts, shardCount } from './log.ts';
import { openSqliteFile } from './sqlite-file.ts';
import type {
  SqliteCalls,
  SqliteFileOptions,
  SqliteRow,
  SqliteValue,
  StoredIndexRow,
} from './sqlite-messages.ts';

/** Every call may throw what node:sqlite throws; nothing of the call is written then, or all. */
export interface SqliteStore {
  append(body: SqliteCalls['append']['body']): string;
  takeOver(body: SqliteCalls['takeOver']['body']): number;
  read(gids: readonly Gid[]): readonly LogRow[];
  openGids(body: SqliteCalls['openGids']['body']): readonly Gid[];
  search(body: SqliteCalls['search']['body']): readonly SqliteRow[];
  find(gids: readonly Gid[]): readonly StoredIndexRow[];
  release(body: SqliteCalls['release']['body']): void;
  /** Moves everything from the write-ahead log into the file and syncs both. */
  checkpoint(): void;
  /** Never throws. */
  close(): void;
}

type Database = ReturnType<typeof openSqliteFile>;

/** Opens the file and prepares the statements. Throws when it is not there or has no tables. */
export function openSqliteStore(options: SqliteFileOptions): SqliteStore {
  const database = openSqliteFile(options);
  try {
    return { ...appends(database), ...terms(database), ...queries(database), ...ending(database) };
  } catch (error) {
    database.close();
    throw error;
  }
}

function inTransaction<T>(database: Database, work: () => T): T {
  database.exec('begin immediate');
  try {
    const result = work();
    database.exec('commit');
    return result;
  } catch (error) {
    try {
      database.exec('rollback');
    } catch {
      // SQLite rolls back by itself after some errors and refuses to do it twice.
    }
    throw error;
  }
}

const replacing = (table: 'open_transaction' | 'global_transaction') =>
  `insert into ${table} (gid, shard, mode, name, outcome, cause, attention,
     started_at_ms, deadline_at_ms, finished_at_ms, labels)
   values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
   on conflict (gid) do update set shard = excluded.shard, mode = excluded.mode,
     name = excluded.name, outcome = excluded.outcome, cause = excluded.cause,
     attention = excluded.attention, started_at_ms = excluded.started_at_ms,
     deadline_at_ms = excluded.deadline_at_ms, finished_at_ms = excluded.finished_at_ms,
     labels = excluded.labels`;

function appends(database: Database): Pick<SqliteStore, 'append'> {
  const runningTerm = database.prepare(
    'select 1 from coordinator_node where epoch = ? and ended_at_ms is null',
  );
  const insertRow = database.prepare(
    `insert into transaction_log (gid, seq, shard, epoch, at_ms, records)
     values (?, ?, ?, ?, ?, ?) on conflict (gid, seq) do nothing`,
  );
  const equalRow = database.prepare(
    `select 1 from transaction_log
     where gid = ? and seq = ? and epoch = ? and at_ms = ? and records = ?`,
  );
  const openIndex = database.prepare(replacing('open_transaction'));
  const finishIndex = database.prepare(replacing('global_transaction'));
  const closeIndex = database.prepare('delete from open_transaction where gid = ?');
  const addLabel = database.prepare(
    `insert into transaction_label (label, started_at_ms, gid) values (?, ?, ?)
     on conflict do nothing`,
  );

  function writeIndex(index: readonly SqliteValue[]): void {
    const [gid = null, , , , outcome = null] = index;
    if (outcome === null) openIndex.run(...index);
    else {
      finishIndex.run(...index);
      closeIndex.run(gid);
    }
  }

  /** Those of the first row; nothing for one without labels. */
  function writeLabels(index: readonly SqliteValue[]): void {
    const [gid = null] = index;
    const [startedAtMs = null, , , labels] = index.slice(7);
    if (typeof labels !== 'string' || labels === '{}') return;
    // Written by encodeAppends.
    const written = JSON.parse(labels) as Readonly<Record<string, string>>;
    for (const label of labelTexts(written)) addLabel.run(label, startedAtMs, gid);
  }

  /** An equal row came with its index row, which may have been replaced by a newer one since. */
  function appendOne(row: readonly SqliteValue[], index: readonly SqliteValue[]): 'a' | 'c' {
    const [gid = null, seq = null, , ...compared] = row;
    if (insertRow.run(...row).changes === 0) {
      return equalRow.get(gid, seq, ...compared) === undefined ? 'c' : 'a';
    }
    if (index.length > 0) writeIndex(index);
    if (seq === 1) writeLabels(index);
    return 'a';
  }

  return {
    append: ({ epoch, values }) =>
      inTransaction(database, () => {
        const isRunning = runningTerm.get(epoch) !== undefined;
        let answers = '';
        for (let at = 0; at < values.length; ) {
          const indexAt = at + 7;
          const end = values[at + 6] === 1 ? indexAt + 11 : indexAt;
          answers += isRunning
            ? appendOne(values.slice(at, at + 6), values.slice(indexAt, end))
            : 'f';
          at = end;
        }
        return answers;
      }),
  };
}

function terms(database: Database): Pick<SqliteStore, 'takeOver' | 'release'> {
  const endTerms = database.prepare(
    'update coordinator_node set ended_at_ms = ? where ended_at_ms is null',
  );
  const startTerm = database.prepare(
    `insert into coordinator_node (epoch, node, address, started_at_ms, heartbeat_at_ms)
     select coalesce(max(epoch), 0) + 1, ?, ?, ?, ? from coordinator_node returning epoch`,
  );
  const ownShard = database.prepare(
    `insert into log_shard (shard, epoch) values (?, ?)
     on conflict (shard) do update set epoch = excluded.epoch`,
  );
  const endTerm = database.prepare(
    'update coordinator_node set ended_at_ms = ? where epoch = ? and ended_at_ms is null',
  );
  return {
    takeOver: ({ node, address, atMs }) =>
      inTransaction(database, () => {
        endTerms.run(atMs);
        const epoch = Number(startTerm.get(node, address, atMs, atMs)?.['epoch']);
        for (let shard = 0; shard < shardCount; shard += 1) ownShard.run(shard, epoch);
        return epoch;
      }),
    release({ epoch, atMs }) {
      endTerm.run(atMs, epoch);
    },
  };
}

const indexColumns = `gid, shard, mode, name, outcome, cause, attention,
  started_at_ms as startedAtMs, deadline_at_ms as deadlineAtMs,
  finished_at_ms as finishedAtMs, labels`;

type Queries = Pick<SqliteStore, 'read' | 'openGids' | 'search' | 'find'>;

function queries(database: Database): Queries {
  const rowsOfGids = database.prepare(
    `select gid, seq, shard, epoch, at_ms as atMs, records from transaction_log
     where gid in (select value from json_each(?)) order by gid, seq`,
  );
  const openAfter = database.prepare(
    'select gid from open_transaction where gid > ? order by gid limit ?',
  );
  const indexOfGids = database.prepare(
    `select ${indexColumns} from open_transaction where gid in (select value from json_each(?1))
     union all
     select ${indexColumns} from global_transaction where gid in (select value from json_each(?1))`,
  );
  // Rows of our own tables have the shape of their columns: this is the parse boundary.
  return {
    read: (gids) => rowsOfGids.all(JSON.stringify(gids)) as unknown as readonly LogRow[],
    openGids: ({ afterGid, limit }) =>
      openAfter.all(afterGid, limit).map((row) => String(row['gid'])),
    find: (gids) => indexOfGids.all(JSON.stringify(gids)) as unknown as readonly StoredIndexRow[],
    search: ({ sql, values }) => database.prepare(sql).all(...values),
  };
}

function ending(database: Database): Pick<SqliteStore, 'checkpoint' | 'close'> {
  return {
    checkpoint() {
      const result = database.prepare('pragma wal_checkpoint(truncate)').get();
      if (Number(result?.['busy']) !== 0) throw new Error('the checkpoint was held up by a reader');
    },
    close() {
      try {
        database.close();
      } catch {
        // The handle is given up either way; what it had not committed is answered as unknown.
      }
    },
  };
}
