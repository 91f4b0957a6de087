/**
 * Group commit: rows of many gids share one durable write. No flush timer for urgent rows: the next
 * commit starts at the end of the tick in which a slot is free and something urgent waits; lazy rows
 * ride along. Invariants: a gid has at most one row in flight (its mailbox sees to that), and a row
 * whose fate is unknown is sent again to the same slot until it is known.
 */
import { backoffMs } from '../core/backoff.ts';
import type { Append, AppendAnswer, IndexRow, Term, TransactionLog } from '../log/log.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { engineLimits } from './limits.ts';

/** A row that waits for its commit; more records may join it until it departs. */
export interface PendingRow {
  readonly gid: string;
  readonly seq: number;
  readonly shard: number;
  /** Records as JSON texts, oldest first. */
  readonly records: string[];
  atMs: number;
  index: IndexRow | null;
  /** `waited`: lazy, but an answer waits for it, so an idle log writes it at once. */
  urgency: 'urgent' | 'waited' | 'lazy';
  /** Since when it waits, on the monotonic clock. */
  readonly sinceMs: number;
  /** Called when it goes into flight: nothing may join it any more. */
  departed(): void;
  /** Called once, with the row's fate. */
  settled(answer: 'appended' | 'conflict'): void;
}

/** The queue before the log. */
export interface GroupCommit {
  /** Queues a row, or takes note that its urgency has grown. */
  put(row: PendingRow): void;
  /** Takes a row out that has not departed. */
  remove(row: PendingRow): void;
  /** Rows queued and in flight. */
  pendingRows(): number;
  /** Age of the oldest row in flight or queued; 0 when there is none. */
  oldestPendingMs(): number;
  counters(): CommitCounters;
  /** Sends nothing more; rows left are never settled. */
  halt(): void;
}

/** Totals since start. `rows` counts rows sent, not repeats of unknown ones. */
export interface CommitCounters {
  readonly commits: number;
  readonly rows: number;
  readonly unknownAppends: number;
  readonly conflicts: number;
}

/** What group commit needs. */
export interface GroupCommitPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: TransactionLog;
  readonly term: Term;
  /** The term is over; called once. Nothing is sent afterwards. */
  readonly onFenced: () => void;
}

interface Batch {
  rows: readonly PendingRow[];
  attempts: number;
}

/** A group commit for one term. */
export function createGroupCommit(ports: GroupCommitPorts): GroupCommit {
  const { clock, random, log, term } = ports;
  const queues = {
    urgent: new Set<PendingRow>(),
    waited: new Set<PendingRow>(),
    lazy: new Set<PendingRow>(),
  } satisfies Record<PendingRow['urgency'], Set<PendingRow>>;
  // The order in which a commit is filled.
  const inOrder = [queues.urgent, queues.waited, queues.lazy];
  const flying = new Set<Batch>();
  const counters = { commits: 0, rows: 0, unknownAppends: 0, conflicts: 0 };
  let isScheduled = false;
  let isLazyTimerArmed = false;
  let isLazyDue = false;
  let isHalted = false;

  function put(row: PendingRow): void {
    remove(row);
    queues[row.urgency].add(row);
    if (row.urgency !== 'lazy') schedule();
    else if (!isLazyTimerArmed) armLazyTimer();
  }

  function remove(row: PendingRow): void {
    for (const queue of inOrder) queue.delete(row);
  }

  function armLazyTimer(): void {
    isLazyTimerArmed = true;
    clock.after(engineLimits.lazyMs, () => {
      isLazyTimerArmed = false;
      isLazyDue = queues.waited.size + queues.lazy.size > 0;
      flush();
    });
  }

  function schedule(): void {
    if (isScheduled || isHalted) return;
    isScheduled = true;
    clock.soon(() => {
      isScheduled = false;
      flush();
    });
  }

  function flush(): void {
    while (!isHalted && flying.size < log.commitsInFlightMax && isCommitDue()) depart();
  }

  function isCommitDue(): boolean {
    if (queues.urgent.size > 0 || isLazyDue) return true;
    return queues.waited.size > 0 && flying.size === 0;
  }

  function depart(): void {
    const rows: PendingRow[] = [];
    for (const queue of inOrder) {
      for (const row of queue) {
        if (rows.length === engineLimits.commitRowsMax) break;
        queue.delete(row);
        rows.push(row);
      }
    }
    if (queues.waited.size + queues.lazy.size === 0) isLazyDue = false;
    for (const row of rows) row.departed();
    counters.commits += 1;
    counters.rows += rows.length;
    const batch: Batch = { rows, attempts: 0 };
    flying.add(batch);
    send(batch);
  }

  function send(batch: Batch): void {
    log.append(term, batch.rows.map(toAppend.bind(null, term.epoch))).then(
      (answers) => settle(batch, answers),
      // The contract says that append never throws; a store that does has told us nothing.
      () =>
        settle(
          batch,
          batch.rows.map(() => 'unknown' as const),
        ),
    );
  }

  function settle(batch: Batch, answers: readonly AppendAnswer[]): void {
    if (isHalted) return;
    if (answers.includes('fenced')) {
      isHalted = true;
      ports.onFenced();
      return;
    }
    const { rows } = batch;
    batch.rows = rows.filter((_, index) => (answers[index] ?? 'unknown') === 'unknown');
    if (batch.rows.length === 0) flying.delete(batch);
    else retry(batch);
    for (const [index, row] of rows.entries()) {
      const answer = answers[index];
      if (answer === 'conflict') counters.conflicts += 1;
      if (answer === 'appended' || answer === 'conflict') row.settled(answer);
    }
    if (isCommitDue()) schedule();
  }

  function retry(batch: Batch): void {
    counters.unknownAppends += batch.rows.length;
    batch.attempts += 1;
    const delayMs = backoffMs(batch.attempts, engineLimits.logRetry, random.next());
    clock.after(delayMs, () => {
      if (!isHalted) send(batch);
    });
  }

  function oldestPendingMs(): number {
    let sinceMs = Number.POSITIVE_INFINITY;
    for (const batch of flying) sinceMs = Math.min(sinceMs, batch.rows[0]?.sinceMs ?? sinceMs);
    for (const queue of inOrder) {
      for (const row of queue) {
        sinceMs = Math.min(sinceMs, row.sinceMs);
        break;
      }
    }
    return Number.isFinite(sinceMs) ? Math.max(0, clock.monotonicMs() - sinceMs) : 0;
  }

  return {
    put,
    remove,
    pendingRows() {
      let count = queues.urgent.size + queues.waited.size + queues.lazy.size;
      for (const batch of flying) count += batch.rows.length;
      return count;
    },
    oldestPendingMs,
    counters: () => ({ ...counters }),
    halt() {
      isHalted = true;
    },
  };
}

function toAppend(epoch: number, row: PendingRow): Append {
  const { gid, seq, shard, atMs, records, index } = row;
  return { row: { gid, seq, shard, epoch, atMs, records: `[${records.join(',')}]` }, index };
}
