/**
 * The rows that wait for a commit, by how soon they must go, and which of them the next commit takes.
 * Invariants: oldest first within a queue; a lazy row that is due gets its share of the next commit,
 * however much is urgent, for behind a log that is always full it would wait for ever.
 */
import { Chain, type Linked } from '../runtime/chain.ts';
import type { Clock } from '../runtime/clock.ts';
import { engineLimits } from './limits.ts';

/**
 * `urgent` and `fresh`: somebody waits for it. `fresh` begins a transaction; it lets those pass that
 * bring one nearer to its end, so that a log with too much to do finishes what it has taken.
 * `waited`: lazy, but an answer waits for it, so an idle log writes it at once. `patient`: lazy, and
 * more records of its gid will come soon, which may share the row.
 */
export type RowUrgency = 'urgent' | 'fresh' | 'waited' | 'lazy' | 'patient';

/** What the queues need to know of a row. */
export interface QueuedRow<Self> extends Linked<Self> {
  urgency: RowUrgency;
  /** Since when it waits, on the monotonic clock. */
  readonly sinceMs: number;
}

/** The queues of one group commit. */
export class RowQueues<Row extends QueuedRow<Row>> {
  readonly #clock: Clock;
  readonly #queues = {
    urgent: new Chain<Row>(),
    fresh: new Chain<Row>(),
    waited: new Chain<Row>(),
    lazy: new Chain<Row>(),
    patient: new Chain<Row>(),
  } satisfies Record<RowUrgency, Chain<Row>>;
  readonly #all = Object.values(this.#queues);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Queues a row by its urgency, or moves it when that has grown. */
  put(row: Row): void {
    const queue = this.#queues[row.urgency];
    if (row.chain === queue) return;
    row.chain?.delete(row);
    queue.add(row);
  }

  get size(): number {
    let size = 0;
    for (const queue of this.#all) size += queue.size;
    return size;
  }

  /** Somebody waits for one of them, and not only for its riding along. */
  get hasUrgent(): boolean {
    return this.#queues.urgent.size + this.#queues.fresh.size > 0;
  }

  get hasWaited(): boolean {
    return this.#queues.waited.size > 0;
  }

  get hasPatient(): boolean {
    return this.#queues.patient.size > 0;
  }

  /** Whether something lazy has nothing more to wait for. */
  get hasLazy(): boolean {
    const { waited, lazy } = this.#queues;
    return waited.size + lazy.size > 0 || this.#agedRow() !== null;
  }

  /** When the oldest of all began to wait; null when there is none. */
  get oldestSinceMs(): number | null {
    return this.#oldestOf(this.#all);
  }

  /** The same of those that somebody waits for. */
  get urgentSinceMs(): number | null {
    return this.#oldestOf([this.#queues.urgent, this.#queues.fresh]);
  }

  /** Takes out what the next commit writes. `isLazyDue`: lazy rows get their share first. */
  take(isLazyDue: boolean): readonly Row[] {
    const rows: Row[] = [];
    const rowsMax = this.#commitRowsMax();
    if (isLazyDue) this.#fillLazy(rows, rowsMax / 2);
    fill(rows, this.#queues.urgent, rowsMax);
    fill(rows, this.#queues.fresh, rowsMax);
    this.#fillLazy(rows, rowsMax);
    return rows;
  }

  #fillLazy(rows: Row[], rowsMax: number): void {
    fill(rows, this.#queues.waited, rowsMax);
    fill(rows, this.#queues.lazy, rowsMax);
    for (let row = this.#agedRow(); row !== null && rows.length < rowsMax; row = this.#agedRow()) {
      this.#queues.patient.delete(row);
      rows.push(row);
    }
  }

  /** The row that has been patient for longest, if that was long enough. */
  #agedRow(): Row | null {
    const { first } = this.#queues.patient;
    if (first === null) return null;
    return this.#clock.monotonicMs() - first.sinceMs >= engineLimits.patientMs ? first : null;
  }

  /**
   * Small commits overlap better; but a process that is busy gets to its log only once in a turn, and
   * then has to take more along.
   */
  #commitRowsMax(): number {
    const { commitRows, commitRowsPressed, pressedRows } = engineLimits;
    const waiting = this.size - this.#queues.patient.size;
    return waiting > pressedRows ? commitRowsPressed : commitRows;
  }

  #oldestOf(queues: readonly Chain<Row>[]): number | null {
    let sinceMs: number | null = null;
    for (const { first } of queues) {
      if (first !== null && (sinceMs === null || first.sinceMs < sinceMs)) sinceMs = first.sinceMs;
    }
    return sinceMs;
  }
}

/** Moves rows of the queue, oldest first, until there are `rowsMax`. */
function fill<Row extends Linked<Row>>(rows: Row[], queue: Chain<Row>, rowsMax: number): void {
  for (let row = queue.first; row !== null && rows.length < rowsMax; row = queue.first) {
    queue.delete(row);
    rows.push(row);
  }
}
