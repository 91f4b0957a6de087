/** Counters of the coordinator by mode, added up over its lives. */

/** A number for each mode. */
export type ByMode = { readonly transaction: number; readonly saga: number };

/** What the demo uses of `/metrics`. */
export interface Counters {
  readonly begun: ByMode;
  readonly committed: ByMode;
  readonly rolledBack: ByMode;
  /** Waits of an initiator for a durable write. */
  readonly durableWaits: ByMode;
}

const none: ByMode = { transaction: 0, saga: 0 };

/** Before anything was counted. */
export const noCounters: Counters = {
  begun: none,
  committed: none,
  rolledBack: none,
  durableWaits: none,
};

/** The sum of two lives; null stands for one that could not be asked. */
export function addCounters(sum: Counters, more: Counters | null): Counters {
  if (more === null) return sum;
  return {
    begun: add(sum.begun, more.begun),
    committed: add(sum.committed, more.committed),
    rolledBack: add(sum.rolledBack, more.rolledBack),
    durableWaits: add(sum.durableWaits, more.durableWaits),
  };
}

/** Waits per global transaction that was begun. */
export function waitsPerTransaction({ durableWaits, begun }: Counters): ByMode {
  return {
    transaction: ratio(durableWaits.transaction, begun.transaction),
    saga: ratio(durableWaits.saga, begun.saga),
  };
}

/**
 * Waits per committed one: those that were rolled back had two each (begin or submit, decision),
 * which is subtracted. Exact only when no process was killed.
 */
export function waitsPerCommit({ durableWaits, committed, rolledBack }: Counters): ByMode {
  return {
    transaction: ratio(
      durableWaits.transaction - 2 * rolledBack.transaction,
      committed.transaction,
    ),
    saga: ratio(durableWaits.saga - 2 * rolledBack.saga, committed.saga),
  };
}

function add(a: ByMode, b: ByMode): ByMode {
  return { transaction: a.transaction + b.transaction, saga: a.saga + b.saga };
}

function ratio(count: number, of: number): number {
  return of === 0 ? 0 : Math.round((count / of) * 1_000) / 1_000;
}
