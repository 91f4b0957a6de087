/**
 * Counts of values in fixed buckets, for times in milliseconds. Guard: noting a value allocates
 * nothing, so that it may stand on hot paths; a percentile is only as exact as its bucket.
 */
import { type Percentiles, percentileMsMax } from '../../client-sdk/protocol/index.ts';

/** Upper bounds, each included in its bucket; one more bucket takes what is above the last one. */
export const timeBoundsMs: readonly number[] = [
  0.1,
  0.25,
  0.5,
  1,
  2,
  3,
  5,
  8,
  13,
  20,
  30,
  50,
  80,
  130,
  200,
  300,
  500,
  1_000,
  2_000,
  5_000,
  10_000,
  30_000,
  60_000,
  percentileMsMax,
];

/** For sizes of batches. */
export const sizeBounds: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024];

/** What has been counted, at one moment. */
export interface HistogramCounts {
  readonly bounds: readonly number[];
  /** One for each bound and one more, each for itself (not summed up). */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** Since start. */
export interface Histogram {
  note(value: number): void;
  counts(): HistogramCounts;
}

/** All zero. */
export function createHistogram(bounds: readonly number[] = timeBoundsMs): Histogram {
  const counts = new Float64Array(bounds.length + 1);
  let sum = 0;
  return {
    note(value) {
      const bucket = bucketOf(bounds, value);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
      sum += value;
    },
    counts: () => ({ bounds, counts: [...counts], sum }),
  };
}

/** The bucket that a value belongs to: 0 .. bounds.length. */
export function bucketOf(bounds: readonly number[], value: number): number {
  let low = 0;
  let high = bounds.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((bounds[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** By straight lines inside of a bucket; above the last bound it is that bound. Null: no value. */
export function percentilesOf({
  bounds,
  counts,
}: Pick<HistogramCounts, 'bounds' | 'counts'>): Percentiles | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const at = (share: number): number => {
    let left = total * share;
    for (const [bucket, count] of counts.entries()) {
      const bound = bounds[bucket];
      if (bound === undefined) break;
      const below = bounds[bucket - 1] ?? 0;
      if (count >= left) return rounded(below + ((bound - below) * left) / count);
      left -= count;
    }
    return bounds.at(-1) ?? 0;
  };
  return { p50: at(0.5), p99: at(0.99) };
}

/** Microseconds are enough, and look better. */
function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
