/** Counters of the engine: what began, how it ended, and how often somebody waited for the log. */
import type { Mode } from '../../client-sdk/protocol/index.ts';
import type { Transaction } from '../core/transaction.ts';
import type { EngineStats } from './coordinator.ts';
import type { Pulse } from './pulse.ts';

type Counters = Pick<
  EngineStats,
  | 'begun'
  | 'committed'
  | 'rolledBack'
  | 'durableWaits'
  | 'lazyWaits'
  | 'attentionRaised'
  | 'recovered'
>;

/** Counts what happens. */
export interface Tally {
  changed(before: Transaction | null, after: Transaction): void;
  /** An urgent record went to the log: one durable wait. */
  urgent(tx: Transaction | null): void;
  /** A saga's answer will wait for the record of its last step. */
  awaited(): void;
  recovered(): void;
  counters(): Counters;
}

/** All zero. Begins and ends go to the pulse as well. */
export function createTally(pulse: Pulse): Tally {
  const byMode = () => ({ transaction: 0, saga: 0 }) satisfies Record<Mode, number>;
  const begun = byMode();
  const committed = byMode();
  const rolledBack = byMode();
  const durableWaits = byMode();
  const lazyWaits = byMode();
  let attentionRaised = 0;
  let recovered = 0;
  function ended({ mode, phase, startedAtMs, finishedAtMs }: Transaction): void {
    if (finishedAtMs === null || (phase !== 'committed' && phase !== 'rolledBack')) return;
    pulse.ended(mode, phase, finishedAtMs - startedAtMs);
  }

  return {
    changed(before, after) {
      if (before === null) {
        begun[after.mode] += 1;
        pulse.begun(after.mode);
      }
      const isNew = before === null || before.finishedAtMs === null;
      if (isNew && after.phase === 'committed') committed[after.mode] += 1;
      if (isNew && after.phase === 'rolledBack') rolledBack[after.mode] += 1;
      if (isNew) ended(after);
      if (after.attention !== null && before?.attention == null) attentionRaised += 1;
    },
    urgent(tx) {
      if (tx !== null) durableWaits[tx.mode] += 1;
    },
    awaited() {
      lazyWaits.saga += 1;
    },
    recovered() {
      recovered += 1;
    },
    counters: () => ({
      begun: { ...begun },
      committed: { ...committed },
      rolledBack: { ...rolledBack },
      durableWaits: { ...durableWaits },
      lazyWaits: { ...lazyWaits },
      attentionRaised,
      recovered,
    }),
  };
}
