/**
 * What the floor writes and where: the rows of the real log, in its tables, with its statements.
 * A store knows one operation, a durable commit of a few rows. It looks at no answer: whatever goes
 * wrong ends the process, because a floor that has to recover is no floor.
 */
import { openLog } from '../../../server/log/index.ts';
import { parseLogUrl } from '../../../server/log/log-url.ts';

/** The columns of `global_transaction` that differ between rows. `cause` is JSON text. */
export interface IndexRow {
  readonly mode: 'transaction' | 'saga';
  readonly name: string;
  readonly outcome: 'committed' | null;
  readonly cause: string | null;
  readonly startedAtMs: number;
  readonly deadlineAtMs: number | null;
  readonly finishedAtMs: number | null;
}

/** One row of `transaction_log`, and the index row that is upserted with it. */
export interface Row {
  readonly gid: string;
  readonly seq: number;
  readonly atMs: number;
  /** JSON array of records. */
  readonly records: string;
  readonly index: IndexRow | null;
}

/** Where rows become durable. */
export interface Store {
  /** Commits that may be under way at once. */
  readonly commitsMax: number;
  /** Calls back when the rows (at most 256) are durable. */
  commit(rows: readonly Row[], durable: () => void): void;
}

/** All rows are of one shard: to know the real one, the gid would have to be hashed. */
export const shard = 0;

/** An open store and the term under which it writes. */
export interface OpenStore {
  readonly store: Store;
  readonly epoch: number;
}

/** Makes the tables, begins a term as a coordinator does, and opens the store of the URL. */
export async function openStore(url: string): Promise<OpenStore> {
  const target = parseLogUrl(url);
  const log = await openLog(url, { migrate: true });
  const { epoch } = await log.takeOver('floor', 'http://127.0.0.1', Date.now());
  await log.close();
  switch (target.kind) {
    case 'memory': {
      const { openMemoryStore } = await import('./store-memory.ts');
      return { epoch, store: openMemoryStore() };
    }
    case 'sqlite': {
      const { openSqliteStore } = await import('./store-sqlite.ts');
      return { epoch, store: await openSqliteStore(target.path, epoch) };
    }
    case 'postgres': {
      const { openPostgresStore } = await import('./store-postgres.ts');
      return { epoch, store: await openPostgresStore(target.url, epoch) };
    }
    case 'mysql': {
      const { openMysqlStore } = await import('./store-mysql.ts');
      return { epoch, store: await openMysqlStore(target.url, epoch) };
    }
    default:
      return target satisfies never;
  }
}
