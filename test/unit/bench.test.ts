/** The bench's own arithmetic: a figure that is wrong here makes every figure wrong. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { countersIn } from '../bench/counters.ts';
import { readFlags } from '../bench/flags.ts';
import { createHistogram } from '../bench/histogram.ts';
import { createLoad, type Ending } from '../bench/load.ts';
import { type CpuProfile, selfTimes } from '../bench/profile.ts';
import { median, resultOf } from '../bench/report.ts';
import type { Round } from '../bench/run.ts';

describe('histogram', () => {
  test('without any value every percentile is 0', () => {
    const empty = createHistogram();
    expect([empty.count, empty.percentile(0.5), empty.buckets()]).toEqual([0, 0, []]);
  });

  /** The widest buckets are 1/128 of their value. */
  test.each([0, 1, 127, 128, 255, 256, 257, 511, 512, 999, 12_345, 1_000_000, 2 ** 31 - 1])(
    'a bucket is hardly above its value: %i',
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

describe('flags', () => {
  test('without any: TCC with two branches on PostgreSQL, with its floor', () => {
    expect(readFlags([])).toMatchObject({
      ...{ mode: 'tcc', branches: 2, log: 'postgres', transport: 'channel', layout: 'one' },
      ...{ inflight: 512, rounds: 3, ratePerSecond: null, wait: 'completed', hasFloor: true },
    });
  });

  test('plain SQL: sixteen in flight, on two databases with many rows', () => {
    const options = readFlags(['--mode', 'at']);
    expect(options).toMatchObject({ inflight: 16, branches: 2, atRows: 'many', log: 'postgres' });
  });

  test('over HTTP participants are apart; a profile has no floor beside it', () => {
    expect(readFlags(['--transport', 'http'])).toMatchObject({ layout: 'split' });
    expect(readFlags(['--profile'])).toMatchObject({ isProfiled: true, hasFloor: false });
  });

  test.each([
    ['--nonsense', "Unknown option '--nonsense'"],
    ['stray', "Unexpected argument 'stray'"],
    ['--mode xa', '--mode takes tcc, saga, empty, at; not "xa"'],
    ['--mode at --layout split', '--mode at has no participants apart'],
    ['--at-rows one', '--at-rows is for --mode at'],
    ['--branches 0', '--branches takes a number from 1 to 256; not "0"'],
    ['--branches 1.5', '--branches takes a whole number; not "1.5"'],
    ['--rollback 101', '--rollback takes a number from 0 to 100; not "101"'],
    ['--rate 0', '--rate takes a number from 1 to 1000000; not "0"'],
    ['--wait submitted', '--wait submitted is for --mode saga; a two-phase one takes decided'],
    [
      '--mode empty --barrier',
      '--mode empty has no participants: no --transport http, no --barrier',
    ],
  ])('%s is refused in one line', (flags, line) => {
    expect(readFlags(flags.split(' '))).toBe(line);
  });
});

describe('load', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('an open loop counts latency from the timetable, though nothing could be started', async () => {
    const first = Promise.withResolvers<Ending>();
    const attempt = (number: number) => (number === 0 ? first.promise : Promise.resolve('wished'));
    const load = createLoad(attempt as (number: number) => Promise<Ending>, {
      inflight: 1,
      ratePerSecond: 1_000,
    });
    const round = load.round(0.01);
    vi.advanceTimersByTime(10);
    first.resolve('wished');
    const { transactions, latencies } = await round;
    expect(transactions).toBe(10);
    const exactMs = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    expect(latencies).toHaveLength(10);
    latencies.forEach(([boundUs, count], index) => {
      expect(count).toBe(1);
      expect(Math.abs(boundUs / 1_000 / (exactMs[index] ?? 0) - 1)).toBeLessThan(0.01);
    });
  });

  test('every transaction that a closed loop starts is counted once, by how it ended', async () => {
    const endings: readonly Ending[] = [
      'wished',
      'refused',
      { error: 'no', isUnknown: false },
      { error: 'later', isUnknown: true },
    ];
    let started = 0;
    const load = createLoad(
      async (number) => {
        started += 1;
        vi.advanceTimersByTime(1);
        return endings[number % endings.length] ?? 'wished';
      },
      { inflight: 3, ratePerSecond: null },
    );
    const { transactions, refused, failed, firstError } = await load.round(0.1);
    expect(started).toBe(100);
    expect([transactions, refused, failed, firstError]).toEqual([25, 25, 50, 'no']);
  });
});

test('counters are summed over their labels', () => {
  const text = [
    '# HELP settle_transactions_begun_total Global transactions begun.',
    'settle_transactions_begun_total{mode="transaction"} 5',
    'settle_transactions_begun_total{mode="saga"} 2',
    'settle_transactions_finished_total{mode="saga",outcome="committed"} 1',
    'settle_log_rows_total 12',
    'settle_log_rows_total_of_something_else 99',
  ].join('\n');
  const zero = { durableWaits: 0, commits: 0 };
  expect(countersIn(text)).toEqual({ begun: 7, finished: 1, rows: 12, ...zero });
});

test('a profile: time belongs to the sample before it, spans are cut out, idle time is left out', () => {
  const frame = (functionName: string, url = '', lineNumber = -1) => ({
    callFrame: { functionName, url, lineNumber },
  });
  const profile: CpuProfile = {
    startTime: 1_000,
    nodes: [
      { id: 1, ...frame('(idle)') },
      { id: 2, ...frame('step', new URL('../../server/core/step.ts', import.meta.url).href, 9) },
      { id: 3, ...frame('', 'node:net', 0) },
    ],
    samples: [2, 2, 3, 1, 2, 2],
    timeDeltas: [0, 100, 50, 200, 1_000, 70],
  };
  expect(selfTimes(profile, [[1_100, 5_000]])).toEqual([
    ['(anonymous) node:net:1', 200],
    ['step server/core/step.ts:10', 120],
  ]);
});

describe('result', () => {
  const round = (txPerSecond: number, more: Partial<Round> = {}): Round => ({
    ...{ txPerSecond, transactions: 10, p50Ms: 1, p99Ms: 2, refused: 0, failed: 0 },
    firstError: null,
    cpuUsPerTx: { coordinator: 10, client: 20, database: 0 },
    counted: { durableWaitsPerTx: 2, rowsPerTx: 3, commitsPerSecond: 100 },
    ...{ rssMb: 64, span: [0, 1] },
    ...more,
  });
  const options = readFlags([]);
  if (typeof options === 'string') throw new Error(options);

  test('the ratio is the median of the ratios of neighbours', () => {
    const product = [round(100), round(10), round(90)];
    const floor = [round(200), round(10), round(100)];
    const result = resultOf(options, { product, floor, plain: null });
    expect([result.txPerSecond, result.floorTxPerSecond]).toEqual([90, 100]);
    expect([result.ratioToFloor, result.cpuRatioToFloor]).toEqual([0.9, 1]);
  });

  test('plain local transactions have figures of their own, and no floor', () => {
    const product = [round(30, { p50Ms: 6 }), round(40, { p50Ms: 3 })];
    const plain = [round(100, { p50Ms: 2 }), round(80, { p50Ms: 2 })];
    expect(resultOf(options, { product, floor: null, plain })).toMatchObject({
      ...{ plainTxPerSecond: 90, ratioToPlain: 0.4, p50RatioToPlain: 2.25 },
      ...{ floorTxPerSecond: null, ratioToFloor: null },
    });
  });

  test('what was not measured once is not measured; failures of all rounds count', () => {
    const blind = { coordinator: null, client: 1, database: null };
    const product = [round(1), round(1, { cpuUsPerTx: blind, failed: 2, firstError: 'no' })];
    const result = resultOf(options, { product, floor: null, plain: null });
    expect(result.cpuUsPerTx).toEqual({ coordinator: null, client: 10.5, database: null });
    expect([result.failed, result.firstError, result.ratioToFloor]).toEqual([2, 'no', null]);
  });

  test('the median of an even number is the mean of the middle ones', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
  });
});
