/**
 * How fast things go: histograms since start, and counts of each of the last seconds. Guard: noting
 * something is a few writes to arrays that are there already, for it stands on the hot path.
 */
import type { CallAnswer, Mode } from '../../client-sdk/protocol/index.ts';
import type { Clock } from '../runtime/clock.ts';
import {
  bucketOf,
  createHistogram,
  percentilesOf,
  sizeBounds,
  timeBoundsMs,
} from '../runtime/histogram.ts';
import type { PulseReport } from './coordinator.ts';

/** How a transaction may end. */
export type Outcome = 'committed' | 'rolledBack';

/** Notes what happens. */
export interface Pulse {
  begun(mode: Mode): void;
  ended(mode: Mode, outcome: Outcome, durationMs: number): void;
  /** The log has answered one append. */
  appended(rows: number, ms: number): void;
  called(outcome: CallAnswer['outcome'], ms: number): void;
  report(): PulseReport;
}

/** Seconds that are remembered: five minutes. */
export const pulseSeconds = 300;

/** Where the counts of a second stand in its slot; behind them its two histograms. */
const columns = {
  begun: { transaction: 0, saga: 1 },
  committed: { transaction: 2, saga: 3 },
  rolledBack: { transaction: 4, saga: 5 },
} as const satisfies Record<'begun' | Outcome, Record<Mode, number>>;
const durationColumn = 6;
const buckets = timeBoundsMs.length + 1;
const appendColumn = durationColumn + buckets;
const width = appendColumn + buckets;

/** Nothing has happened yet. */
export function createPulse(clock: Clock): Pulse {
  const byMode = () => ({ transaction: createHistogram(), saga: createHistogram() });
  const durations = { committed: byMode(), rolledBack: byMode() };
  const callTimes = {
    done: createHistogram(),
    refused: createHistogram(),
    ongoing: createHistogram(),
    unknown: createHistogram(),
  };
  const appendMs = createHistogram();
  const commitRows = createHistogram(sizeBounds);
  const seconds = createSeconds(clock);

  return {
    begun(mode) {
      seconds.add(columns.begun[mode]);
    },
    ended(mode, outcome, durationMs) {
      // The wall clock may have gone back in between.
      const ms = Math.max(0, durationMs);
      durations[outcome][mode].note(ms);
      seconds.add(columns[outcome][mode]);
      seconds.add(durationColumn + bucketOf(timeBoundsMs, ms));
    },
    appended(rows, ms) {
      appendMs.note(ms);
      commitRows.note(rows);
      seconds.add(appendColumn + bucketOf(timeBoundsMs, ms));
    },
    called(outcome, ms) {
      callTimes[outcome].note(ms);
    },
    report() {
      const all = seconds.complete();
      const sums = (from: number) =>
        timeBoundsMs.concat(0).map((_, at) => {
          return all.reduce((sum, { slot }) => sum + (slot[from + at] ?? 0), 0);
        });
      const percentiles = (from: number) =>
        percentilesOf({ bounds: timeBoundsMs, counts: sums(from) });
      return {
        seconds: all.map(({ atMs, slot }) => ({ atMs, ...countsIn(slot) })),
        durationMs: percentiles(durationColumn),
        logMs: percentiles(appendColumn),
        durations: {
          committed: countsByMode(durations.committed),
          rolledBack: countsByMode(durations.rolledBack),
        },
        callMs: {
          done: callTimes.done.counts(),
          refused: callTimes.refused.counts(),
          ongoing: callTimes.ongoing.counts(),
          unknown: callTimes.unknown.counts(),
        },
        appendMs: appendMs.counts(),
        commitRows: commitRows.counts(),
      };
    },
  };
}

function countsByMode(both: Record<Mode, ReturnType<typeof createHistogram>>) {
  return { transaction: both.transaction.counts(), saga: both.saga.counts() };
}

function countsIn(slot: Float64Array) {
  const of = ({ transaction, saga }: Record<Mode, number>) => ({
    transaction: slot[transaction] ?? 0,
    saga: slot[saga] ?? 0,
  });
  return {
    begun: of(columns.begun),
    committed: of(columns.committed),
    rolledBack: of(columns.rolledBack),
  };
}

/** A ring with one slot for each second and one for the second that runs; by the monotonic clock. */
function createSeconds(clock: Clock) {
  const length = pulseSeconds + 1;
  const cells = new Float64Array(length * width);
  const second = () => Math.floor(clock.monotonicMs() / 1_000);
  const first = second();
  /** Which second each slot holds. */
  const held = new Float64Array(length).fill(-1);

  /** Where the slot of that second begins; emptied when it holds an older one. */
  function slotAt(now: number): number {
    const index = now % length;
    const from = index * width;
    if (held[index] !== now) {
      held[index] = now;
      cells.fill(0, from, from + width);
    }
    return from;
  }

  return {
    add(column: number): void {
      const cell = slotAt(second()) + column;
      cells[cell] = (cells[cell] ?? 0) + 1;
    },
    /** Those that are over, oldest first; `atMs` by the wall clock as it is now. */
    complete(): readonly { readonly atMs: number; readonly slot: Float64Array }[] {
      const now = second();
      const offsetMs = clock.nowMs() - clock.monotonicMs();
      const from = Math.max(first, now - pulseSeconds);
      return Array.from({ length: now - from }, (_, at) => {
        const start = slotAt(from + at);
        const slot = cells.subarray(start, start + width);
        return { atMs: Math.round((from + at) * 1_000 + offsetMs), slot };
      });
    },
  };
}
