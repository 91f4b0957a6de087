/** Rows for tests of the logs: small, valid, and told apart by what the test sets. */
import {
  type Append,
  type AppendAnswer,
  type IndexRow,
  type LogRow,
  shardOf,
  type Term,
  type TransactionLog,
} from '../../server/log/log.ts';

/** The instant that the tests of the logs start at. */
export const startMs = 1_700_000_000_000;

/** A log row of the term; `records` defaults to one that names the slot. */
export function logRow(term: Term, gid: string, seq: number, changes?: Partial<LogRow>): LogRow {
  const records = JSON.stringify([{ kind: 'test', gid, seq }]);
  return { gid, seq, shard: shardOf(gid), epoch: term.epoch, atMs: startMs, records, ...changes };
}

/** The index row of an open transaction. */
export function indexRow(gid: string, changes?: Partial<IndexRow>): IndexRow {
  return {
    gid,
    shard: shardOf(gid),
    mode: 'transaction',
    name: 'transfer',
    outcome: null,
    cause: null,
    attention: null,
    startedAtMs: startMs,
    deadlineAtMs: startMs + 30_000,
    finishedAtMs: null,
    labels: {},
    ...changes,
  };
}

/** The first row of a gid, with its index row. */
export function beginning(term: Term, gid: string, changes?: Partial<IndexRow>): Append {
  return { row: logRow(term, gid, 1), index: indexRow(gid, changes) };
}

/** A later row that changes nothing in the index. */
export function following(term: Term, gid: string, seq: number): Append {
  return { row: logRow(term, gid, seq), index: null };
}

/** The last row of a gid, with the index row of one that has committed. */
export function ending(term: Term, gid: string, seq: number): Append {
  const index = indexRow(gid, { outcome: 'committed', finishedAtMs: startMs + 1 });
  return { row: logRow(term, gid, seq), index };
}

/** `count` gids in ascending order, fixed width. */
export function gidsOf(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${String(i).padStart(6, '0')}`);
}

/** Appends in batches of 256, one after the other; the answers of all, in order. */
export async function appendAll(
  log: TransactionLog,
  term: Term,
  appends: readonly Append[],
): Promise<readonly AppendAnswer[]> {
  const answers: AppendAnswer[] = [];
  for (let start = 0; start < appends.length; start += 256) {
    answers.push(...(await log.append(term, appends.slice(start, start + 256))));
  }
  return answers;
}

/** The gids that `append-child.ts` writes to in its term. */
export function childGids(epoch: number): readonly string[] {
  return gidsOf(`child-${epoch}`, 64);
}

/** What `append-child.ts` appends as its batch number `seq`: 64 rows of 2 KB, one per gid. */
export function childBatch(term: Term, seq: number): readonly Append[] {
  return childGids(term.epoch).map((gid) => ({
    row: logRow(term, gid, seq, { records: JSON.stringify([gid, seq, 'x'.repeat(2_000)]) }),
    index: indexRow(gid, { deadlineAtMs: startMs + seq }),
  }));
}
