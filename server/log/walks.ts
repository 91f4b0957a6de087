/**
 * How a search finds finished transactions without reading all of them: it walks along an index that
 * is sorted as the list is, looks at each entry whether the rest of the filter holds, and stops at a
 * full page, at the end, or when it has read or taken enough. No SQL is here (see search-queries.ts).
 *
 * A filter with several conditions may be walked along several indexes. Which one is short nobody
 * knows beforehand, so they are tried in turn, stretch by stretch; the first that comes to a full page
 * or to its end has the answer, else the one that came furthest.
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
export type WalkName =
  | 'attention'
  | 'label'
  | 'gid'
  | 'rolledBackName'
  | 'rolledBackSaga'
  | 'rolledBack'
  | 'name'
  | 'saga'
  | 'newest';

/** One stretch of a walk: from `filter.before` on, at most so many entries. */
export interface WalkStep {
  readonly walk: WalkName;
  readonly filter: SearchFilter;
  readonly entriesMax: number;
  /** Every entry fits, so a page is as many entries. */
  readonly isExact: boolean;
}

/** What a stretch has found. */
export interface WalkFound {
  /** Those that fit, in order, at most `filter.limit`. */
  readonly rows: readonly IndexRow[];
  /** The last of the `entriesMax` entries; null: there were fewer, or the stretch is exact. */
  readonly end: Place | null;
}

/** Performs stretches. */
export interface Walker {
  /** Throws when the store is away. */
  walk(step: WalkStep): Promise<WalkFound>;
  /** There are indexes of sagas alone, and of what was rolled back by name and among sagas. */
  readonly hasPartial: boolean;
  /** Milliseconds of any clock that does not go back. */
  readonly nowMs: () => number;
}

/**
 * What one page may read. The first stretch is enough for nearly every list. The time is what keeps a
 * list fast on a busy database: there it reads less, and says how far it came.
 */
export const walkLimits = {
  firstEntries: 500,
  furtherEntries: 2_000,
  /** Of one index. */
  entriesMax: 20_500,
  /** No further stretch after that. */
  msMax: 60,
  walksMax: 3,
  /** Gids of one beginning that are looked at, all or none. */
  gidsMax: 4_500,
} as const;

/** The indexes that a filter may be walked along; those that are mostly shorter come first. */
export function walksOf(filter: SearchFilter, hasPartial: boolean): readonly WalkName[] {
  const { attention, label, gidPrefix, outcome, name, mode } = filter;
  const walks: WalkName[] = [];
  if (attention === true) walks.push('attention');
  if (label !== undefined) walks.push('label');
  const isRolledBack = outcome === 'rolledBack';
  const [isNamed, isSaga] = [name !== undefined, mode === 'saga'];
  if (isRolledBack && hasPartial) {
    if (isNamed) walks.push('rolledBackName');
    if (isSaga) walks.push('rolledBackSaga');
    if (!isNamed && !isSaga) walks.push('rolledBack');
  } else {
    if (isRolledBack) walks.push('rolledBack');
    if (isNamed) walks.push('name');
    if (isSaga && hasPartial) walks.push('saga');
  }
  if (walks.length === 0) walks.push('newest');
  if (gidPrefix !== undefined) walks.splice(1, 0, 'gid');
  return walks.slice(0, walkLimits.walksMax);
}

type Condition = 'mode' | 'name' | 'outcome' | 'attention' | 'gidPrefix' | 'label';

/** Conditions that hold for every entry of an index. That of a label has open ones, too. */
const coveredBy: Readonly<Record<WalkName, readonly Condition[]>> = {
  attention: ['attention'],
  label: [],
  gid: [],
  rolledBackName: ['outcome', 'name'],
  rolledBackSaga: ['outcome', 'mode'],
  rolledBack: ['outcome'],
  name: ['name'],
  saga: ['mode'],
  newest: [],
};

function isExact(walk: WalkName, filter: SearchFilter): boolean {
  if (walk === 'gid' || walk === 'label') return false;
  const { mode, name, outcome, attention, gidPrefix, label } = filter;
  const asked: readonly (readonly [Condition, boolean])[] = [
    ['mode', mode !== undefined],
    ['name', name !== undefined],
    ['outcome', outcome === 'committed' || outcome === 'rolledBack'],
    ['attention', attention === true],
    ['gidPrefix', gidPrefix !== undefined],
    ['label', label !== undefined],
  ];
  return asked.every(([condition, isAsked]) => !isAsked || coveredBy[walk].includes(condition));
}

/** Where a walk has come to. */
interface Progress {
  readonly walk: WalkName;
  rows: readonly IndexRow[];
  reached: Place | undefined;
  entries: number;
}

/** One page of finished transactions. Throws when the store is away. */
export async function searchFinished(filter: SearchFilter, walker: Walker): Promise<SearchPage> {
  const endsAtMs = walker.nowMs() + walkLimits.msMax;
  const all = walksOf(filter, walker.hasPartial).map((walk): Progress => {
    return { walk, rows: [], reached: filter.before, entries: 0 };
  });
  let walks = all;
  while (walks.length > 0) {
    for (const progress of walks) {
      const isLate = progress.entries > 0 && walker.nowMs() >= endsAtMs;
      if (isLate) return furthest(filter, all);
      const page = await goOn(progress, filter, walker);
      if (page !== null) return page;
    }
    walks = walks.filter(({ walk, entries }) => {
      return entries < (walk === 'gid' ? walkLimits.gidsMax : walkLimits.entriesMax);
    });
  }
  return furthest(filter, all);
}

/** One more stretch; null when the page is neither full nor over. */
async function goOn(
  progress: Progress,
  filter: SearchFilter,
  walker: Walker,
): Promise<SearchPage | null> {
  const { walk, reached, entries } = progress;
  const limit = filter.limit - progress.rows.length;
  const found = await walker.walk({
    walk,
    filter: { ...filter, limit, ...(reached && { before: reached }) },
    entriesMax: stretchOf(progress),
    isExact: isExact(walk, filter),
  });
  progress.entries = walk === 'gid' ? stretchOf(progress) : entries + stretchOf(progress);
  if (walk === 'gid') {
    // Not in the order of the list: with some left out, nobody knows which.
    return found.end === null ? pageOf(filter, found.rows) : null;
  }
  progress.rows = [...progress.rows, ...found.rows];
  if (found.end === null || found.rows.length === limit) return pageOf(filter, progress.rows);
  progress.reached = found.end;
  return null;
}

function stretchOf({ walk, entries }: Progress): number {
  const { firstEntries, furtherEntries, gidsMax } = walkLimits;
  if (entries === 0) return firstEntries;
  return walk === 'gid' ? gidsMax : furtherEntries;
}

function pageOf(filter: SearchFilter, rows: readonly IndexRow[]): SearchPage {
  const last = rows.length < filter.limit ? undefined : rows.at(-1);
  return { rows, next: last === undefined ? null : placeOf(last) };
}

function furthest(filter: SearchFilter, walks: readonly Progress[]): SearchPage {
  const compare = byPlace(filter.order ?? 'newest');
  let best: SearchPage | null = null;
  for (const { walk, rows, reached, entries } of walks) {
    if (walk === 'gid' || entries === 0 || reached === undefined) continue;
    if (best?.next == null || compare(best.next, reached) < 0) best = { rows, next: reached };
  }
  if (best === null) throw new Error('a search had nothing to walk along');
  return best;
}
