/**
 * Searches among finished transactions, over an index that is an array: whatever is looked for, the
 * pages together are all of it, and no page reads more than its bound.
 */
import { expect, test } from 'vitest';
import {
  byPlace,
  type IndexRow,
  mergedPages,
  type Place,
  type SearchFilter,
} from '../../server/log/log.ts';
import {
  searchFinished,
  type Walker,
  type WalkName,
  walkLimits,
  walksOf,
} from '../../server/log/walks.ts';
import { indexRow, startMs } from '../support/log-rows.ts';

/** 40,000 of them: every second a saga, every second rolled back, one in 1,000 both. */
const rows: readonly IndexRow[] = Array.from({ length: 40_000 }, (_, i) => {
  const isBoth = i % 1_000 === 7;
  return indexRow(`g${String(i).padStart(6, '0')}`, {
    startedAtMs: startMs + Math.floor(i / 3),
    mode: i % 2 === 0 || isBoth ? 'saga' : 'transaction',
    outcome: i % 2 === 1 || isBoth ? 'rolledBack' : 'committed',
    name: i === 20_000 ? 'once' : 'often',
  });
});

function fits(row: IndexRow, { mode, outcome, name, gidPrefix = '' }: SearchFilter): boolean {
  if (mode !== undefined && row.mode !== mode) return false;
  if (outcome !== undefined && outcome !== 'finished' && row.outcome !== outcome) return false;
  return (name === undefined || row.name === name) && row.gid.startsWith(gidPrefix);
}

interface Tale {
  /** Entries that were read. */
  entries: number;
  nowMs: number;
}

const newTale = (): Tale => ({ entries: 0, nowMs: 0 });

/** What each walk has entries of. */
function isEntry(walk: WalkName, row: IndexRow, filter: SearchFilter): boolean {
  switch (walk) {
    case 'saga':
      return row.mode === 'saga';
    case 'rolledBack':
      return row.outcome === 'rolledBack';
    case 'rolledBackName':
      return row.outcome === 'rolledBack' && row.name === filter.name;
    case 'rolledBackSaga':
      return row.outcome === 'rolledBack' && row.mode === 'saga';
    case 'name':
      return row.name === filter.name;
    case 'gid':
      return row.gid.startsWith(filter.gidPrefix ?? '');
    default:
      return true;
  }
}

/** `msPerStretch`: how slow the database is. */
function walkerOf(tale: Tale, { hasPartial = false, msPerStretch = 1 } = {}): Walker {
  return {
    hasPartial,
    nowMs: () => tale.nowMs,
    async walk({ walk, filter, entriesMax, isExact }) {
      const compare = byPlace(filter.order ?? 'newest');
      const { before } = filter;
      const isBeyond = (row: IndexRow) => before === undefined || compare(before, row) < 0;
      const sorted = filter.order === 'oldest' ? rows : rows.toReversed();
      const ofWalk = sorted.filter((row) => isEntry(walk, row, filter));
      const isSorted = walk !== 'gid';
      const count = isExact ? filter.limit : entriesMax;
      const entries = ofWalk.filter((row) => !isSorted || isBeyond(row)).slice(0, count);
      tale.entries += entries.length;
      tale.nowMs += msPerStretch;
      if (isExact) expect(entries.every((row) => fits(row, filter))).toBe(true);
      const found = entries.filter((row) => fits(row, filter) && isBeyond(row));
      const isOver = isExact || entries.length < entriesMax;
      const last = entries.at(-1) ?? null;
      return { rows: found.slice(0, filter.limit), end: isOver ? null : last };
    },
  };
}

const filters: readonly Omit<SearchFilter, 'limit'>[] = [
  {},
  { mode: 'saga' },
  { mode: 'transaction', outcome: 'rolledBack' },
  { mode: 'saga', outcome: 'rolledBack' },
  { mode: 'saga', outcome: 'rolledBack', name: 'often' },
  { mode: 'saga', outcome: 'committed', name: 'once' },
  { name: 'once' },
  { name: 'never' },
  { gidPrefix: 'g0123', outcome: 'committed' },
  { gidPrefix: 'g01', mode: 'transaction' },
];

const cases = filters.flatMap((filter) =>
  (['newest', 'oldest'] as const).flatMap((order) =>
    [false, true].map((hasPartial) => ({ filter: { ...filter, order }, hasPartial })),
  ),
);

test.each(cases)('pages together are all of it: %o', async ({ filter, hasPartial }) => {
  const expected = rows.filter((row) => fits(row, { ...filter, limit: 1 })).map(({ gid }) => gid);
  for (const msPerStretch of [1, 20, 1_000]) {
    const seen: string[] = [];
    let next: Place | null = null;
    do {
      const tale = newTale();
      const asked: SearchFilter = { ...filter, limit: 500, ...(next && { before: next }) };
      const found = await searchFinished(asked, walkerOf(tale, { hasPartial, msPerStretch }));
      const { entriesMax, walksMax, firstEntries } = walkLimits;
      expect(tale.entries).toBeLessThanOrEqual(entriesMax * walksMax);
      if (msPerStretch === 1_000) {
        expect(tale.entries).toBeLessThanOrEqual(firstEntries * walksMax);
      }
      seen.push(...found.rows.map(({ gid }) => gid));
      const isOn =
        found.next === null || next === null || byPlace(filter.order)(next, found.next) < 0;
      expect(isOn).toBe(true);
      next = found.next;
    } while (next !== null);
    expect(seen).toEqual(filter.order === 'oldest' ? expected : expected.toReversed());
  }
});

test('a slow database reads less for one page, which is short then', async () => {
  const filter = { mode: 'saga', outcome: 'rolledBack', name: 'often', limit: 30 } as const;
  const tale = newTale();
  const page = await searchFinished(filter, walkerOf(tale, { msPerStretch: 20 }));
  expect(page.rows.length).toBeGreaterThan(0);
  expect(page.rows.length).toBeLessThan(10);
  expect(page.next).not.toBeNull();
  expect(tale.entries).toBe(2 * walkLimits.firstEntries + walkLimits.furtherEntries);
});

test('an index of the pair has it at once', async () => {
  const filter = { mode: 'saga', outcome: 'rolledBack', limit: 30 } as const;
  const tale = newTale();
  const page = await searchFinished(filter, walkerOf(tale, { hasPartial: true }));
  expect(page.rows).toHaveLength(30);
  expect(tale.entries).toBe(30);
});

test('at most three indexes are walked along, those that are mostly shorter first', () => {
  const all: SearchFilter = {
    ...{ mode: 'saga', outcome: 'rolledBack', name: 'n', attention: true, gidPrefix: 'g' },
    ...{ label: { key: 'k', value: 'v' }, limit: 1 },
  };
  expect(walksOf(all, true)).toEqual(['attention', 'gid', 'label']);
  const { attention, label, gidPrefix, ...pair } = all;
  expect([attention, label, gidPrefix]).not.toContain(undefined);
  expect(walksOf(pair, true)).toEqual(['rolledBackName', 'rolledBackSaga']);
  expect(walksOf(pair, false)).toEqual(['rolledBack', 'name']);
  expect(walksOf({ mode: 'saga', limit: 1 }, true)).toEqual(['saga']);
  expect(walksOf({ mode: 'saga', limit: 1 }, false)).toEqual(['newest']);
  expect(walksOf({ limit: 1, gidPrefix: 'g' }, true)).toEqual(['newest', 'gid']);
  expect(walksOf({ limit: 1, mode: 'transaction', outcome: 'committed' }, true)).toEqual([
    'newest',
  ]);
});

test('pages of several places become one: nothing beyond where one of them ended', () => {
  const at = (startedAtMs: number, gid = `g${startedAtMs}`) => ({ startedAtMs, gid });
  const pages = [
    { rows: [at(9), at(5)], next: at(5) },
    { rows: [at(9), at(8), at(3)], next: null },
    { rows: [], next: null },
  ];
  expect(mergedPages('newest', 10, pages)).toEqual({ rows: [at(9), at(8), at(5)], next: at(5) });
  expect(mergedPages('newest', 2, pages)).toEqual({ rows: [at(9), at(8)], next: at(8) });
  const over = pages.map((page) => ({ ...page, next: null }));
  expect(mergedPages('oldest', 4, over)).toEqual({
    rows: [at(3), at(5), at(8), at(9)],
    next: null,
  });
  const nowhere = [{ rows: [], next: at(7) }, over[1] ?? { rows: [], next: null }];
  expect(mergedPages('newest', 10, nowhere)).toEqual({ rows: [at(9), at(8)], next: at(7) });
});
