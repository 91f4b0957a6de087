/**
 * A histogram of latencies with log-linear buckets (as HdrHistogram has them): exact below 256 µs,
 * then 128 buckets per octave, so that a bucket is never wider than 1/128 (0.8 %) of its value. No
 * clock in here. Invariant: what is added in one process and merged in another is the same count.
 */

/** Upper bounds of buckets in µs, inclusive, with their counts; ascending, no empty ones. */
export type Buckets = readonly (readonly [boundUs: number, count: number])[];

/** A histogram; adding costs no allocation. */
export interface Histogram {
  /** One latency in microseconds: 0 .. 2^31-1 (35 min); outside of it, the nearest bound. */
  add(us: number): void;
  /** Adds what another histogram has counted; bounds that are no bucket's count for theirs. */
  merge(buckets: Buckets): void;
  buckets(): Buckets;
  readonly count: number;
  /** Upper bound in µs of the bucket that holds this share (0..1) of all; 0 when there is none. */
  percentile(share: number): number;
}

/** Buckets per octave, as a power of two. */
const fineBits = 7;
const fine = 2 ** fineBits;
const usMax = 2 ** 31 - 1;
const bucketsMax = indexOf(usMax) + 1;

/** An empty histogram: 25 KiB. */
export function createHistogram(): Histogram {
  const counts = new Float64Array(bucketsMax);
  let count = 0;

  function addMany(us: number, times: number): void {
    const index = indexOf(Math.min(Math.max(Math.ceil(us), 0), usMax));
    counts[index] = (counts[index] ?? 0) + times;
    count += times;
  }

  return {
    add: (us) => addMany(us, 1),
    merge(buckets) {
      for (const [boundUs, times] of buckets) addMany(boundUs, times);
    },
    buckets() {
      const filled: (readonly [number, number])[] = [];
      counts.forEach((times, index) => {
        if (times > 0) filled.push([boundOf(index), times]);
      });
      return filled;
    },
    get count() {
      return count;
    },
    percentile(share) {
      if (count === 0) return 0;
      // The smallest bound below which at least this many lie; at least one, so that 0 is the least.
      const wanted = Math.max(1, Math.ceil(share * count));
      let seen = 0;
      const index = counts.findIndex((times) => {
        seen += times;
        return seen >= wanted;
      });
      return boundOf(index);
    },
  };
}

/** Values below 2 × 128 have a bucket each; above, the leading 8 bits choose it. */
function indexOf(us: number): number {
  if (us < 2 * fine) return us;
  const shift = 31 - Math.clz32(us) - fineBits;
  return shift * fine + (us >> shift);
}

function boundOf(index: number): number {
  if (index < 2 * fine) return index;
  const shift = Math.floor(index / fine) - 1;
  return (index - shift * fine + 1) * 2 ** shift - 1;
}
