/** The wait between attempts: bounds, growth, jitter, and what years of retries do to it. */
import { describe, expect, test } from 'vitest';
import { backoffMs } from '../../server/core/backoff.ts';

const options = { initialMs: 100, capMs: 30_000 };
const almostOne = 1 - Number.EPSILON;

describe('backoffMs', () => {
  test('the upper bound doubles with each attempt until the cap', () => {
    const bounds = [1, 2, 3, 8, 9, 10, 11].map((n) => backoffMs(n, options, almostOne));
    expect(bounds).toEqual([100, 200, 400, 12_800, 25_600, 30_000, 30_000]);
  });

  test('is never below 1 ms, however lucky the draw', () => {
    for (const attempts of [1, 2, 50]) expect(backoffMs(attempts, options, 0)).toBe(1);
    expect(backoffMs(1, { initialMs: 0, capMs: 0 }, 0.5)).toBe(1);
  });

  test('spreads evenly over the whole range (full jitter)', () => {
    expect(backoffMs(3, options, 0.5)).toBe(200);
    expect(backoffMs(3, options, 0.25)).toBe(100);
    expect(backoffMs(20, options, 0.5)).toBe(15_000);
  });

  test('stays finite and capped after a million attempts', () => {
    expect(backoffMs(1_000_000, options, almostOne)).toBe(30_000);
    expect(backoffMs(1_000_000, { initialMs: 1, capMs: Number.MAX_VALUE }, 1)).toBe(2 ** 30);
  });

  test('a first wait above the cap is the cap', () => {
    expect(backoffMs(1, { initialMs: 60_000, capMs: 30_000 }, almostOne)).toBe(30_000);
  });
});
