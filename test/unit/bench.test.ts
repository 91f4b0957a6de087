/** The bench's own arithmetic: a figure that is wrong here makes every figure wrong. */
import { describe, expect, test } from 'vitest';
import { createHistogram } from '../bench/histogram.ts';

describe('histogram', () => {
  test('without any value every percentile is 0', () => {
    const empty = createHistogram();
    expect([empty.count, empty.percentile(0.5), empty.buckets()]).toEqual([0, 0, []]);
  });

  test.each([0, 1, 127, 128, 255, 256, 257, 511, 512, 999, 12_345, 1_000_000, 2 ** 31 - 1])(
    'a bucket is at most 1 %% above its value: %i',
    (us) => {
      const histogram = createHistogram();
      histogram.add(us);
      const bound = histogram.percentile(1);
      expect(bound).toBeGreaterThanOrEqual(us);
      expect(bound).toBeLessThanOrEqual(us * 1.01);
    },
  );

  test('fractions are rounded up, what is outside counts for the nearest bound', () => {
    const histogram = createHistogram();
    for (const us of [-5, 0.2, 2 ** 40]) histogram.add(us);
    expect(histogram.buckets()).toEqual([
      [0, 1],
      [1, 1],
      [2 ** 31 - 1, 1],
    ]);
  });

  test('percentiles are those of the sorted values, within 1 %', () => {
    const histogram = createHistogram();
    const values = Array.from({ length: 10_000 }, (_, index) => (index + 1) * 7);
    for (const value of values.toReversed()) histogram.add(value);
    for (const share of [0, 0.001, 0.5, 0.9, 0.99, 0.999, 1]) {
      const exact = values[Math.max(0, Math.ceil(share * values.length) - 1)] ?? 0;
      const found = histogram.percentile(share);
      expect(found).toBeGreaterThanOrEqual(exact);
      expect(found).toBeLessThanOrEqual(exact * 1.01);
    }
  });

  test('merged histograms equal one that saw everything', () => {
    const [one, two, both] = [createHistogram(), createHistogram(), createHistogram()];
    for (let us = 1; us < 2 ** 31; us = us * 1.37 + 1) {
      for (const histogram of [us % 3 < 1 ? one : two, both]) histogram.add(us);
    }
    one.merge(two.buckets());
    expect(one.count).toBe(both.count);
    expect(one.buckets()).toEqual(both.buckets());
  });
});
