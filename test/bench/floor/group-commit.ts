/**
 * Group commit as server/engine/group-commit.ts does it, without anything that goes wrong: the next
 * commit leaves when a place is free and something urgent waits, at most 256 rows; lazy ones ride
 * along. Those that have waited for 5 ms go before the urgent ones: a store that is never idle must
 * write them, too, or the floor would leave rows out.
 */
import type { Row, Store } from './store.ts';

/** A row that knows what follows once it is durable. One function for many rows, so no closures. */
export interface QueuedRow<Owner> extends Row {
  readonly owner: Owner;
  durable(owner: Owner): void;
}

/** The queue before the store. */
export interface GroupCommit<Owner> {
  /** Somebody on the initiator's path waits for it. */
  urgent(row: QueuedRow<Owner>): void;
  /** An answer waits for it: rides along, but an idle store writes it at once. */
  waited(row: QueuedRow<Owner>): void;
  /** Nobody waits. */
  lazy(row: QueuedRow<Owner>): void;
}

const rowsMax = 256;
const lazyMs = 5;

/** An empty queue. */
export function createGroupCommit<Owner>(store: Store): GroupCommit<Owner> {
  const urgent: QueuedRow<Owner>[] = [];
  const waited: QueuedRow<Owner>[] = [];
  const lazy: QueuedRow<Owner>[] = [];
  let flying = 0;
  let isScheduled = false;
  let isTimerArmed = false;
  /** So many rows at the front of `waited` and `lazy` have waited for long enough. */
  const overdue = { waited: 0, lazy: 0 };

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(endOfTick);
  }

  function endOfTick(): void {
    isScheduled = false;
    flush();
  }

  function armTimer(): void {
    if (isTimerArmed) return;
    isTimerArmed = true;
    setTimeout(timeOver, lazyMs);
  }

  function timeOver(): void {
    isTimerArmed = false;
    overdue.waited = waited.length;
    overdue.lazy = lazy.length;
    flush();
  }

  function isDue(): boolean {
    if (urgent.length > 0 || overdue.waited + overdue.lazy > 0) return true;
    return waited.length > 0 && flying === 0;
  }

  function flush(): void {
    while (flying < store.commitsMax && isDue()) depart();
  }

  function depart(): void {
    const rows = waited.splice(0, Math.min(overdue.waited, rowsMax));
    overdue.waited -= rows.length;
    const oldLazy = lazy.splice(0, Math.min(overdue.lazy, rowsMax - rows.length));
    overdue.lazy -= oldLazy.length;
    rows.push(...oldLazy, ...urgent.splice(0, rowsMax - rows.length - oldLazy.length));
    for (const queue of [waited, lazy]) {
      if (rows.length < rowsMax && queue.length > 0) {
        rows.push(...queue.splice(0, rowsMax - rows.length));
      }
    }
    overdue.waited = Math.min(overdue.waited, waited.length);
    overdue.lazy = Math.min(overdue.lazy, lazy.length);
    if (waited.length + lazy.length > 0) armTimer();
    flying += 1;
    store.commit(rows, () => {
      flying -= 1;
      // First the next commit, so that the store works while the answers are made.
      flush();
      for (const row of rows) row.durable(row.owner);
    });
  }

  return {
    urgent(row) {
      urgent.push(row);
      schedule();
    },
    waited(row) {
      waited.push(row);
      armTimer();
      schedule();
    },
    lazy(row) {
      lazy.push(row);
      armTimer();
    },
  };
}
