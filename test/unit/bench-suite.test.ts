/** The parts of the suite that judge, and those that write: what they say is what readers believe. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { withTable } from '../bench/suite/docs.ts';
import { readSuiteFlags } from '../bench/suite/flags.ts';
import {
  closingLine,
  holds,
  isSound,
  jsonLine,
  markdownTable,
  type Outcome,
} from '../bench/suite/outcome.ts';
import { plot } from '../bench/suite/plot.ts';
import {
  atLeast,
  atMost,
  type Figures,
  type Limit,
  targetText,
  verdict,
} from '../bench/suite/row.ts';
import { rows } from '../bench/suite/rows.ts';
import { optionsOf } from '../bench/suite/scene.ts';
import { fittedLine } from '../bench/suite/slope.ts';
import { createTenths, meanRate } from '../bench/tenths.ts';

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'performance.md'), 'utf8');

describe('verdict', () => {
  const fast = { figure: 'floor', least: 37_000 };
  const limits = [atLeast('ratio', 0.55), atLeast('rate', 20_000, fast), atMost('p99Ms', 8)];
  const good: Figures = { ratio: 0.55, rate: 20_000, floor: 37_000, p99Ms: 8 };

  test('each limit holds at its value, and not one past it', () => {
    expect(verdict(limits, good)).toBe(true);
    expect(verdict(limits, { ...good, ratio: 0.549 })).toBe(false);
    expect(verdict(limits, { ...good, rate: 19_999 })).toBe(false);
    expect(verdict(limits, { ...good, p99Ms: 8.01 })).toBe(false);
  });

  test('a limit for fast machines is not asked for on slow ones', () => {
    expect(verdict(limits, { ...good, rate: 1, floor: 36_999 })).toBe(true);
  });

  test('what was not measured holds nothing, and is no excuse', () => {
    expect(verdict(limits, { ...good, ratio: null })).toBe(false);
    expect(verdict(limits, { ratio: 1, p99Ms: 1 })).toBe(false);
    expect(verdict(limits, { ...good, rate: 1, floor: null })).toBe(false);
  });

  test('without a limit there is none', () => {
    expect([verdict([], good), targetText([])]).toEqual([null, null]);
  });

  test('the target is told from the limits', () => {
    expect(targetText(limits)).toBe('ratio ≥ 0.55, rate ≥ 20,000 where floor ≥ 37,000, p99Ms ≤ 8');
  });
});

describe('a line through points', () => {
  test('is the line that they lie on', () => {
    const { start, slope } = fittedLine([0, 1, 2, 7].map((x) => [x, 3 - 2 * x] as const));
    expect([start, slope].map((value) => Number(value.toFixed(9)))).toEqual([3, -2]);
  });

  test('is not bent by what goes up and down', () => {
    const saw = Array.from({ length: 100 }, (_, x) => [x, 200 + (x % 2)] as const);
    expect(Math.abs(fittedLine(saw).slope)).toBeLessThan(0.001);
  });

  test('is flat through one point, and through none', () => {
    expect([fittedLine([[4, 5]]), fittedLine([])]).toEqual([
      { start: 5, slope: 0 },
      { start: 0, slope: 0 },
    ]);
  });
});

test('tenths of a second: gaps are there, and a mean over a part', () => {
  const tenths = createTenths();
  for (const atMs of [0, 99.9, 100, 350, 351]) tenths.add(atMs);
  expect(tenths.counts()).toEqual([2, 1, 0, 2]);
  expect(meanRate(tenths.counts(), 100, 400)).toBeCloseTo(10);
  // Nothing has come after the last one: that counts, too.
  expect(meanRate(tenths.counts(), 0, 1_000)).toBe(5);
});

const outcome = (limits: readonly Limit[], measured: Figures, failed = 0): Outcome => ({
  row: {
    ...{ name: 'tcc-postgres', title: 'TCC <2>', limits, shown: ['txPerSecond', 'p99Ms'] },
    run: () => Promise.reject(new Error('it has been run')),
  },
  found: { measured, failed, firstError: failed > 0 ? 'lost' : null },
});
const met = outcome([atLeast('txPerSecond', 5)], { txPerSecond: 12_345.6, p99Ms: 2 });
const missed = outcome([atLeast('txPerSecond', 5)], { txPerSecond: 4, p99Ms: null });
const shownOnly = outcome([], { txPerSecond: 7, p99Ms: null });
const broken = outcome([], { txPerSecond: 7 }, 2);
const unmeasured: Outcome = { row: met.row, found: { error: 'no server' } };

describe('outcomes', () => {
  test('a target that is missed is reported; only figures without meaning are unsound', () => {
    const all = [met, missed, shownOnly, broken, unmeasured];
    expect(all.map(holds)).toEqual([true, false, null, false, false]);
    expect(all.map(isSound)).toEqual([true, true, true, false, false]);
  });

  test('a line of JSON each, and one of all', () => {
    expect(JSON.parse(jsonLine(met))).toEqual({
      ...{ name: 'tcc-postgres', target: 'txPerSecond ≥ 5', holds: true },
      measured: { txPerSecond: 12_345.6, p99Ms: 2 },
    });
    expect(JSON.parse(jsonLine(shownOnly))).toMatchObject({ target: null, holds: null });
    expect(JSON.parse(jsonLine(broken))).toMatchObject({ failed: 2, firstError: 'lost' });
    expect(JSON.parse(jsonLine(unmeasured))).toMatchObject({ holds: false, error: 'no server' });
    expect(JSON.parse(closingLine([met, missed, shownOnly]))).toEqual({
      ...{ rows: 2, hold: 1, failed: ['tcc-postgres'] },
    });
  });

  test('the table', () => {
    expect(markdownTable([met, missed]).split('\n')).toEqual([
      '| row            | what    | target          | measured                      | holds  |',
      '| -------------- | ------- | --------------- | ----------------------------- | ------ |',
      '| `tcc-postgres` | TCC <2> | txPerSecond ≥ 5 | txPerSecond 12,345.6, p99Ms 2 | yes    |',
      '| `tcc-postgres` | TCC <2> | txPerSecond ≥ 5 | txPerSecond 4, p99Ms none     | **no** |',
    ]);
  });
});

describe('docs/performance.md', () => {
  test('has a place for the table, which can be made again and again', () => {
    const once = withTable(page, [met], 'A machine.');
    expect(once).toContain('A machine.\n\n| row ');
    expect(withTable(once, [met], 'A machine.')).toBe(once);
    expect(() => withTable('nothing', [met], '')).toThrow('comments');
  });

  test('tells of every row', () => {
    const missing = rows.filter(({ name }) => !page.includes(`\`${name}\``));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });
});

test('the plot has a pair of bars where there is a floor, and leaves out what was not measured', () => {
  const named = (name: string, measured: Figures): Outcome => {
    const row = rows.find((each) => each.name === name);
    if (row === undefined) throw new Error(`there is no row ${name}`);
    return { row, found: { measured, failed: 0, firstError: null } };
  };
  const bars = (each: Outcome) => plot([each]).match(/<rect class="\w+" /g)?.length ?? 0;
  const legend = bars(named('overload', {}));
  expect(bars(named('tcc-http', { txPerSecond: 5, floorTxPerSecond: 9 })) - legend).toBe(2);
  expect(bars(named('tcc-http', { txPerSecond: 5, floorTxPerSecond: null })) - legend).toBe(1);
  const latency = { p50Ms: 1, floorP50Ms: 1, p99Ms: 5, floorP99Ms: null, txPerSecond: 1 };
  expect(bars(named('latency-one', latency)) - legend).toBe(3);
  expect(plot([unmeasured, named('latency-64', latency)])).not.toMatch(/NaN|undefined/);
});

describe('the command line', () => {
  const read = (...args: string[]) => readSuiteFlags(['--suite', ...args], ['a', 'b']);

  test('all rows, five seconds, all sizes', () => {
    expect(read()).toEqual({
      ...{ only: null, seconds: 5, sizePercent: 100, isLong: false },
      ...{ writesDocs: false, isJson: false },
    });
    expect(read('--only', 'b,a', '--json')).toMatchObject({ only: ['b', 'a'], isJson: true });
  });

  test.each([
    [['--only', 'c'], '--only takes a, b; not "c"'],
    [['--seconds', 'x'], '--seconds takes a number from 0.5 to 600'],
    [['--size', '0'], '--size takes a number from 0.1 to 100'],
    [['--nonsense'], "Unknown option '--nonsense'"],
    [['--only', 'a', '--write-docs'], '--write-docs wants the whole suite'],
  ])('%s is refused in one line', (args, line) => {
    expect(read(...args)).toContain(line);
  });
});

test('every row has a name of its own, and shows the figures that it is judged by', () => {
  expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length);
  for (const { limits, shown, name } of rows) {
    if (!shown.includes('ratioToFloor')) {
      expect(shown, name).toEqual(expect.arrayContaining(limits.map(({ figure }) => figure)));
    }
  }
});

test('flags of the bench are understood with the duration of the suite', () => {
  expect(optionsOf('--mode saga --log sqlite', 0.5)).toMatchObject({
    ...{ mode: 'saga', log: 'sqlite', seconds: 0.5, warmupSeconds: 0.5, rounds: 3 },
  });
  expect(() => optionsOf('--mode none', 1)).toThrow('--mode takes');
});
