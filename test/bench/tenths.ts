/**
 * Counts of something, tenth of a second by tenth of a second: a flood, or a gap, shows in the
 * tenths and not in the mean. It knows no clock.
 */

/** Counts by time. */
export interface Tenths {
  /** One more, so many milliseconds after the beginning. */
  add(atMs: number): void;
  /** From the beginning to the last one. */
  counts(): readonly number[];
}

const tenthMs = 100;

/** Nothing counted yet. */
export function createTenths(): Tenths {
  const counts: number[] = [];
  return {
    add(atMs) {
      const index = Math.floor(atMs / tenthMs);
      while (counts.length <= index) counts.push(0);
      counts[index] = (counts[index] ?? 0) + 1;
    },
    counts: () => [...counts],
  };
}

/** Per second, over the tenths from `fromMs` to `toMs` of the beginning. */
export function meanRate(counts: readonly number[], fromMs: number, toMs: number): number {
  const part = counts.slice(Math.ceil(fromMs / tenthMs), Math.floor(toMs / tenthMs));
  const seconds = (toMs - fromMs) / 1_000;
  return part.reduce((sum, count) => sum + count, 0) / seconds;
}
