/**
 * How a search finds finished transactions without reading all of them: it walks along an index that
 * is sorted as the list is, looks at each entry whether the rest of the filter holds, and stops at a
 * full page, at the end, or after a bounded number of entries. No SQL is here (see search-queries.ts).
 *
 * A filter with several conditions may be walked along several indexes. Which one is short nobody
 * knows beforehand, so each is tried, first a little, then as far as the bound goes; the first that
 * comes to a full page or to its end has the answer, else the one that came furthest.
 *
 * Invariant: a page holds everything that fits between where it began and where it says that it ended.
 */
import {
  byPlace,
  type IndexRow,
  type Place,
  placeOf,
  type SearchFilter,
  type SearchPage,
} from './log.ts';

/**
 * Along which index. `gid` is the one that is not sorted as the list is: it serves only when there
 * are so few gids with that beginning that all of them are looked at.
 */
export type WalkName = 'attention' | 'label' | 'gid' | 'rolledBack' | 'name' | 'saga' | 'newest';

/** One stretch of a walk: from `filter.before` on, at most so many entries. */
export interface WalkStep {
  readonly walk: WalkName;
  readonly filter: SearchFilter;
  readonly entriesMax: number;
}

/** What a stretch has found. */
export interface WalkFound {
  /** Those that fit, in order, at most `filter.limit`. */
  readonly rows: readonly IndexRow[];
  /** The last of the `entriesMax` entries; null: there were fewer, the walk is over. */
  readonly end: Place | null;
}

/** Performs one stretch. Throws when the store is away. */
export type Walker = (step: WalkStep) => Promise<WalkFound>;

/**
 * Entries of the first and of the second stretch: the first is enough for nearly every list, both
 * together are about 30 ms of a database. A page takes at least as many as it may hold rows.
 */
const stretches = [500, 9_500] as const;

/** Walks that one search may try: three times the bound is all that it may read. */
const walksMax = 3;

/** The indexes that a filter may be walked along; those that are mostly shorter come first. */
export function walksOf(filter: SearchFilter): readonly WalkName[] {
  const { attention, label, gidPrefix, outcome, name, mode } = filter;
  const walks: WalkName[] = [];
  if (attention === true) walks.push('attention');
  if (label !== undefined) walks.push('label');
  if (outcome === 'rolledBack') walks.push('rolledBack');
  if (name !== undefined) walks.push('name');
  if (mode === 'saga') walks.push('saga');
  if (walks.length === 0) walks.push('newest');
  if (gidPrefix !== undefined) walks.splice(1, 0, 'gid');
  return walks.slice(0, walksMax);
}

/** Where a walk has come to. */
interface Progress {
  readonly walk: WalkName;
  rows: readonly IndexRow[];
  reached: Place | undefined;
}

/** One page of finished transactions. Throws when the store is away. */
export async function searchFinished(filter: SearchFilter, walker: Walker): Promise<SearchPage> {
  const walks = walksOf(filter).map((walk): Progress => {
    return { walk, rows: [], reached: filter.before };
  });
  for (const entriesMax of stretches) {
    for (const progress of walks) {
      const page = await goOn(progress, { filter, entriesMax, walker });
      if (page !== null) return page;
    }
  }
  return furthest(filter, walks);
}

/** One more stretch; null when the page is neither full nor over. */
async function goOn(
  progress: Progress,
  { filter, entriesMax, walker }: Omit<WalkStep, 'walk'> & { readonly walker: Walker },
): Promise<SearchPage | null> {
  const { walk, reached } = progress;
  const limit = filter.limit - progress.rows.length;
  const from = { ...filter, limit, ...(reached && { before: reached }) };
  const found = await walker({ walk, filter: from, entriesMax });
  if (walk === 'gid') {
    // Not in the order of the list: with some left out, nobody knows which.
    return found.end === null ? pageOf(filter, found.rows) : null;
  }
  progress.rows = [...progress.rows, ...found.rows];
  if (found.end === null || found.rows.length === limit) return pageOf(filter, progress.rows);
  progress.reached = found.end;
  return null;
}

function pageOf(filter: SearchFilter, rows: readonly IndexRow[]): SearchPage {
  const last = rows.length < filter.limit ? undefined : rows.at(-1);
  return { rows, next: last === undefined ? null : placeOf(last) };
}

function furthest(filter: SearchFilter, walks: readonly Progress[]): SearchPage {
  const compare = byPlace(filter.order ?? 'newest');
  let best: SearchPage | null = null;
  for (const { walk, rows, reached } of walks) {
    if (walk === 'gid' || reached === undefined) continue;
    if (best?.next == null || compare(best.next, reached) < 0) best = { rows, next: reached };
  }
  if (best === null) throw new Error('a search had nothing to walk along');
  return best;
}
