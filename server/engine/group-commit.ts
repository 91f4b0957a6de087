/**
 * Group commit: rows of many gids share one durable write. No flush timer for urgent rows: the next
 * commit starts at the end of the tick in which a slot is free and something urgent waits; lazy rows
 * ride along, and when they have waited long enough they get their share of the next commit, however
 * much is urgent. Invariants: a gid has at most one row in flight (its mailbox sees to that), and a row
 * whose fate is unknown is sent again to the same slot until it is known.
 */
import { backoffMs } from '../core/backoff.ts';
import type { Append, AppendAnswer, IndexRow, Term, TransactionLog } from '../log/log.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { engineLimits } from './limits.ts';
import { type QueuedRow, RowQueues } from './row-queues.ts';

/** A row that waits for its commit; more records may join it until it departs. */
export interface PendingRow<Self> extends QueuedRow<Self> {
  readonly gid: string;
  readonly seq: number;
  readonly shard: number;
  /** Records as JSON texts, oldest first. */
  readonly records: string[];
  atMs: number;
  index: IndexRow | null;
}

/** The queue before the log. */
export interface GroupCommit<Row> {
  /** Queues a row, or takes note that its urgency has grown. */
  put(row: Row): void;
  /** Takes a row out that has not departed. */
  remove(row: Row): void;
  /** Rows queued and in flight. */
  pendingRows(): number;
  /** Age of the oldest row in flight or queued; 0 when there is none. */
  oldestPendingMs(): number;
  /** For how long the log has left a commit without an answer; 0 when none is in flight. */
  stalledMs(): number;
  /** For how long a row that somebody waits for has waited for its turn; 0 when none does. */
  queuedMs(): number;
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
export interface GroupCommitPorts<Row> {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: TransactionLog;
  readonly term: Term;
  /** The row goes into flight: nothing may join it any more. */
  readonly departed: (row: Row) => void;
  /** Called once for each row, with its fate. */
  readonly settled: (row: Row, answer: 'appended' | 'conflict') => void;
  /** The log has answered an append of so many rows, whatever it said. */
  readonly answered: (rows: number, ms: number) => void;
  /** The term is over; called once. Nothing is sent afterwards. */
  readonly onFenced: () => void;
}

interface Batch<Row> {
  rows: readonly Row[];
  attempts: number;
  /** Since when it is in flight, on the monotonic clock. */
  readonly sinceMs: number;
  /** When it was last sent. */
  sentMs: number;
}

/** A group commit for one term. */
export function createGroupCommit<Row extends PendingRow<Row>>(
  ports: GroupCommitPorts<Row>,
): GroupCommit<Row> {
  const { clock, random, log, term } = ports;
  const queues = new RowQueues<Row>(clock);
  const flying: Batch<Row>[] = [];
  const counters = { commits: 0, rows: 0, unknownAppends: 0, conflicts: 0 };
  let isScheduled = false;
  let isLazyTimerArmed = false;
  let isLazyDue = false;
  let isHalted = false;

  function put(row: Row): void {
    queues.put(row);
    if (row.urgency === 'lazy' || row.urgency === 'patient') armLazyTimer();
    else schedule();
  }

  function armLazyTimer(): void {
    if (isLazyTimerArmed) return;
    isLazyTimerArmed = true;
    clock.after(engineLimits.lazyMs, () => {
      isLazyTimerArmed = false;
      if (isHalted) return;
      isLazyDue = queues.hasLazy;
      flush();
      if (queues.hasPatient) armLazyTimer();
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
    while (!isHalted && flying.length < log.commitsInFlightMax && isCommitDue()) depart();
  }

  function isCommitDue(): boolean {
    if (queues.hasUrgent || isLazyDue) return true;
    return queues.hasWaited && flying.length === 0;
  }

  function depart(): void {
    const rows = queues.take(isLazyDue);
    isLazyDue &&= queues.hasLazy;
    for (const row of rows) ports.departed(row);
    counters.commits += 1;
    counters.rows += rows.length;
    const sinceMs = clock.monotonicMs();
    const batch: Batch<Row> = { rows, attempts: 0, sinceMs, sentMs: sinceMs };
    flying.push(batch);
    send(batch);
  }

  function send(batch: Batch<Row>): void {
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

  function settle(batch: Batch<Row>, answers: readonly AppendAnswer[]): void {
    if (isHalted) return;
    ports.answered(batch.rows.length, clock.monotonicMs() - batch.sentMs);
    if (answers.includes('fenced')) {
      isHalted = true;
      ports.onFenced();
      return;
    }
    const { rows } = batch;
    batch.rows = rows.filter((_, index) => (answers[index] ?? 'unknown') === 'unknown');
    if (batch.rows.length === 0) flying.splice(flying.indexOf(batch), 1);
    else retry(batch);
    for (const [index, row] of rows.entries()) {
      const answer = answers[index];
      if (answer === 'conflict') counters.conflicts += 1;
      if (answer === 'appended' || answer === 'conflict') ports.settled(row, answer);
    }
    if (isCommitDue()) schedule();
  }

  function retry(batch: Batch<Row>): void {
    counters.unknownAppends += batch.rows.length;
    batch.attempts += 1;
    const delayMs = backoffMs(batch.attempts, engineLimits.logRetry, random.next());
    clock.after(delayMs, () => {
      if (isHalted) return;
      batch.sentMs = clock.monotonicMs();
      send(batch);
    });
  }

  /** Age of what began then, on the monotonic clock; 0 when there is nothing. */
  function ageMs(sinceMs: number | null | undefined): number {
    return sinceMs == null ? 0 : Math.max(0, clock.monotonicMs() - sinceMs);
  }

  function oldestPendingMs(): number {
    let ms = ageMs(queues.oldestSinceMs);
    for (const batch of flying) ms = Math.max(ms, ageMs(batch.rows[0]?.sinceMs));
    return ms;
  }

  return {
    put,
    remove: (row) => void row.chain?.delete(row),
    pendingRows() {
      let count = queues.size;
      for (const batch of flying) count += batch.rows.length;
      return count;
    },
    oldestPendingMs,
    stalledMs: () => ageMs(flying[0]?.sinceMs),
    queuedMs: () => ageMs(queues.urgentSinceMs),
    counters: () => ({ ...counters }),
    halt() {
      isHalted = true;
    },
  };
}

function toAppend<Row>(epoch: number, row: PendingRow<Row>): Append {
  const { gid, seq, shard, atMs, records, index } = row;
  return { row: { gid, seq, shard, epoch, atMs, records: `[${records.join(',')}]` }, index };
}
