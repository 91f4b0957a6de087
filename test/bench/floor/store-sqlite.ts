/**
 * Rows to a SQLite file, by way of a worker thread with one commit at a time. They travel as one flat
 * array of values, as `encodeAppends` of the real log has it: writing and parsing JSON costs five times
 * more. Statements and transaction are the log's own, in sqlite-thread.ts.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type Row, type Store, shard } from './store.ts';

/** A value of a column. */
export type Value = string | number | null;

/** What the thread is started with. */
export interface ThreadOptions {
  readonly path: string;
  readonly epoch: number;
}

/** Starts the thread. */
export async function openSqliteStore(path: string, epoch: number): Promise<Store> {
  const file = new URL('./sqlite-thread.ts', import.meta.url);
  const workerData: ThreadOptions = { path, epoch };
  const thread = new Worker(file, { workerData });
  // Its first message says that the file is open.
  await once(thread, 'message');
  let waiting: (() => void) | null = null;
  thread.on('message', () => {
    const durable = waiting;
    waiting = null;
    durable?.();
  });
  return {
    commitsMax: 1,
    commit(rows, durable) {
      waiting = durable;
      thread.postMessage(valuesOf(rows, epoch));
    },
  };
}

/** Per row its six columns and 1 or 0: whether the eleven columns of the index row follow. */
function valuesOf(rows: readonly Row[], epoch: number): readonly Value[] {
  const values: Value[] = [];
  for (const { gid, seq, atMs, records, index } of rows) {
    values.push(gid, seq, shard, epoch, atMs, records, index === null ? 0 : 1);
    if (index === null) continue;
    const { mode, name, outcome, cause, startedAtMs, deadlineAtMs, finishedAtMs } = index;
    values.push(gid, shard, mode, name, outcome, cause, null);
    values.push(startedAtMs, deadlineAtMs, finishedAtMs, '{}');
  }
  return values;
}
