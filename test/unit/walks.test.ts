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
import { searchFinished, type Walker, walksOf } from '../../server/log/walks.ts';
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
}

function walkerOf(tale: Tale): Walker {
  return async ({ walk, filter, entriesMax }) => {
    const compare = byPlace(filter.order ?? 'newest');
    const { before, gidPrefix = '' } = filter;
    const isIn = (row: IndexRow) => {
      if (walk === 'gid') return row.gid.startsWith(gidPrefix);
      if (before !== undefined && compare(before, row) >= 0) return false;
      if (walk === 'saga') return row.mode === 'saga';
      if (walk === 'rolledBack') return row.outcome === 'rolledBack';
      return walk !== 'name' || row.name === filter.name;
    };
    const sorted = filter.order === 'oldest' ? rows : rows.toReversed();
    const entries = sorted.filter(isIn).slice(0, entriesMax);
    tale.entries += entries.length;
    const found = entries
      .filter((row) => fits(row, filter) && (before === undefined || compare(before, row) < 0))
      .slice(0, filter.limit);
    return { rows: found, end: entries.length < entriesMax ? null : (entries.at(-1) ?? null) };
  };
}

const cases: readonly (readonly [Omit<SearchFilter, 'limit'>, number])[] = [
  [{}, 500],
  [{ mode: 'saga' }, 500],
  [{ mode: 'saga', outcome: 'rolledBack' }, 30_000],
  [{ mode: 'saga', outcome: 'committed', name: 'once' }, 500],
  [{ name: 'once' }, 500],
  [{ name: 'never' }, 500],
  [{ gidPrefix: 'g0123', outcome: 'committed' }, 30_000],
  [{ gidPrefix: 'g01', mode: 'transaction' }, 30_000],
];

test.each(
  cases.flatMap(([filter, max]) => [
    [{ ...filter, order: 'newest' as const }, max] as const,
    [{ ...filter, order: 'oldest' as const }, max] as const,
  ]),
)('%o', async (filter, entriesMax) => {
  const expected = rows.filter((row) => fits(row, { ...filter, limit: 1 })).map(({ gid }) => gid);
  const seen: string[] = [];
  let next: Place | null = null;
  for (let page = 0; page === 0 || next !== null; page += 1) {
    const tale = { entries: 0 };
    const asked: SearchFilter = { ...filter, limit: 50, ...(next && { before: next }) };
    const found = await searchFinished(asked, walkerOf(tale));
    // The first of several walks may be in vain: then the second has its turn.
    expect(tale.entries).toBeLessThanOrEqual(Math.max(entriesMax, 1_000));
    seen.push(...found.rows.map(({ gid }) => gid));
    next = found.next;
    expect(page).toBeLessThan(1_000);
  }
  expect(seen).toEqual(filter.order === 'oldest' ? expected : expected.toReversed());
});

test('what is rare in every index is looked for in bounded pages, of which some are empty', async () => {
  const filter = { mode: 'saga', outcome: 'rolledBack', limit: 500 } as const;
  const tale = { entries: 0 };
  const page = await searchFinished(filter, walkerOf(tale));
  expect(page.rows.length).toBeGreaterThan(0);
  expect(page.rows.length).toBeLessThan(500);
  expect(page.next).not.toBeNull();
  expect(tale.entries).toBe(20_000);
  const none = await searchFinished({ ...filter, name: 'never' }, walkerOf({ entries: 0 }));
  expect(none).toEqual({ rows: [], next: null });
  const empty = await searchFinished({ ...filter, gidPrefix: 'g0' }, async ({ filter: asked }) => ({
    rows: [],
    end: { startedAtMs: (asked.before?.startedAtMs ?? startMs) - 1, gid: 'g' },
  }));
  expect(empty).toEqual({ rows: [], next: { startedAtMs: startMs - 2, gid: 'g' } });
});

test('at most three indexes are walked along, those that are mostly shorter first', () => {
  const all: SearchFilter = {
    ...{ mode: 'saga', outcome: 'rolledBack', name: 'n', attention: true, gidPrefix: 'g' },
    ...{ label: { key: 'k', value: 'v' }, limit: 1 },
  };
  expect(walksOf(all)).toEqual(['attention', 'gid', 'label']);
  expect(walksOf({ limit: 1, gidPrefix: 'g' })).toEqual(['newest', 'gid']);
  expect(walksOf({ limit: 1, mode: 'transaction', outcome: 'committed' })).toEqual(['newest']);
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
