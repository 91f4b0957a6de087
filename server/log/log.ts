/**
 * The port to the log. A row is one append to one gid; primary key (gid, seq) is the compare-and-set
 * that makes every decision safe. The epoch fence is needed beside it: a saga's undo list is complete
 * only if no other term asks steps at the same time, so a term that has ended must not decide. One
 * suite, `test/conformance/log.ts`, holds every store to this contract.
 */
import type { Attention, Cause, EpochMs, Gid, Mode } from '../../client-sdk/protocol/index.ts';

/** How many slices the gids fall into; a slice is what one coordinator owns. Fixed for the life of a log. */
export const shardCount = 64;

/** One append: one or more records of one gid, written whole or not at all. */
export interface LogRow {
  readonly gid: Gid;
  /** 1, 2, 3 … without gaps, per gid. */
  readonly seq: number;
  /** 0 .. shardCount-1. */
  readonly shard: number;
  readonly epoch: number;
  readonly atMs: EpochMs;
  /** JSON array of records, oldest first. Opaque to the store. */
  readonly records: string;
}

/** The search row of a gid, written in the same durable write as the log row that changed it. */
export interface IndexRow {
  readonly gid: Gid;
  readonly shard: number;
  readonly mode: Mode;
  readonly name: string;
  /** Null while open. */
  readonly outcome: 'committed' | 'rolledBack' | null;
  readonly cause: Cause | null;
  readonly attention: Attention | null;
  readonly startedAtMs: EpochMs;
  readonly deadlineAtMs: EpochMs | null;
  readonly finishedAtMs: EpochMs | null;
  /** As its first row has them: they never change, and searches by label know those only. */
  readonly labels: Readonly<Record<string, string>>;
}

/** A row and what it changes in the index. */
export interface Append {
  readonly row: LogRow;
  /** Upserted with the row; null when nothing that the index shows has changed. */
  readonly index: IndexRow | null;
}

/**
 * - `appended`: durable now (fsync or commit returned), or an equal row was already there;
 * - `conflict`: the slot holds another row, and ours will never be in the log;
 * - `fenced`: the term is over, nothing of the batch was written, and nothing ever will be;
 * - `unknown`: it may be there now, or appear later. Send the same row to the same slot again.
 */
export type AppendAnswer = 'appended' | 'conflict' | 'fenced' | 'unknown';

/** A coordinator's term. */
export interface Term {
  readonly node: string;
  readonly epoch: number;
}

/** Where a transaction stands in every list: by its start, then by its gid, byte by byte. */
export interface Place {
  readonly startedAtMs: EpochMs;
  readonly gid: Gid;
}

/** What to look for; all given conditions must hold. */
export interface SearchFilter {
  readonly mode?: Mode;
  readonly name?: string;
  /** `finished`: however it ended. Left out: open ones, too. */
  readonly outcome?: 'open' | 'finished' | 'committed' | 'rolledBack';
  /** True: only those that need a human. */
  readonly attention?: boolean;
  readonly label?: { readonly key: string; readonly value: string };
  /** At that time or later. */
  readonly startedAfterMs?: EpochMs;
  /** Before that time. */
  readonly startedBeforeMs?: EpochMs;
  /** How the gid begins. */
  readonly gidPrefix?: string;
  /** Default `newest`. */
  readonly order?: Order;
  /** 1..500. */
  readonly limit: number;
  /** Exclusive: where the page before ended. */
  readonly before?: Place;
}

/** Which come first. */
export type Order = 'newest' | 'oldest';

/** One page of a list. */
export interface Page<Row> {
  /** In the order that was asked for. */
  readonly rows: readonly Row[];
  /**
   * Up to where everything that fits is in `rows`: go on from there. Null: there is no more. A page
   * may hold fewer rows than its limit, even none, and go on all the same: what one search reads is
   * bounded, however rare the combination that it looks for.
   */
  readonly next: Place | null;
}

/** What a search has found. */
export type SearchPage = Page<IndexRow>;

/**
 * How a list is sorted: negative when `a` comes before `b`. No two transactions have the same place.
 */
export function byPlace(order: Order): (a: Place, b: Place) => number {
  const sign = order === 'newest' ? -1 : 1;
  return (a, b) => {
    if (a.startedAtMs !== b.startedAtMs) return a.startedAtMs < b.startedAtMs ? -sign : sign;
    if (a.gid === b.gid) return 0;
    return a.gid < b.gid ? -sign : sign;
  };
}

/** The place alone. */
export function placeOf({ startedAtMs, gid }: Place): Place {
  return { startedAtMs, gid };
}

/**
 * Two or more pages of the same search in different places as one. What lies beyond where one of
 * them ended is left for the next page. The first page that has a gid tells how it is.
 */
export function mergedPages<Row extends Place>(
  order: Order,
  limit: number,
  pages: readonly Page<Row>[],
): Page<Row> {
  const compare = byPlace(order);
  const ends = pages.flatMap(({ next }) => next ?? []).sort(compare);
  const [end = null] = ends;
  const byGid = new Map<string, Row>();
  for (const row of pages.flatMap(({ rows }) => rows)) {
    const isBeyond = end !== null && compare(row, end) > 0;
    if (!isBeyond && !byGid.has(row.gid)) byGid.set(row.gid, row);
  }
  const rows = [...byGid.values()].sort(compare);
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  if (rows.length > limit && last !== undefined) return { rows: shown, next: placeOf(last) };
  return { rows: shown, next: end === null ? null : placeOf(end) };
}

/**
 * A label as one text, by which it is found. The value is written as inside of a JSON text, for not
 * every database stores every character (PostgreSQL has no U+0000).
 */
export function labelText(key: string, value: string): string {
  return `${key}=${JSON.stringify(value).slice(1, -1)}`;
}

/** All labels of a transaction, as {@link labelText} writes them. */
export function labelTexts(labels: IndexRow['labels']): readonly string[] {
  return Object.entries(labels).map(([key, value]) => labelText(key, value));
}

/** A durable log of all global transactions. */
export interface TransactionLog {
  /** How many batches may be in flight at once; more would only queue in the store. */
  readonly commitsInFlightMax: number;

  /**
   * Ends every other term and starts a new one that owns all shards. Epochs only grow. Durable.
   * Throws when the store cannot be reached: nobody serves without a term.
   */
  takeOver(node: string, address: string, atMs: EpochMs): Promise<Term>;

  /**
   * Writes the rows in one durable commit, at most one row per gid and 1,024 per call. Answers per
   * row, in order. Never throws and never answers later than the store's own time limit
   * (then `unknown`). A conflict of one row does not stop the others.
   */
  append(term: Term, batch: readonly Append[]): Promise<readonly AppendAnswer[]>;

  /** All rows of the gids, by gid and seq. From the primary only. Throws when the store is away. */
  read(gids: readonly Gid[]): Promise<readonly LogRow[]>;

  /** Gids without an outcome, ascending, after the given one (`''`: from the start). Throws when away. */
  openGids(afterGid: Gid, limit: number): Promise<readonly Gid[]>;

  /** One page of index rows. Throws when the store is away. */
  search(filter: SearchFilter): Promise<SearchPage>;

  /** Index rows of these gids (missing ones are left out). Throws when the store is away. */
  find(gids: readonly Gid[]): Promise<readonly IndexRow[]>;

  /** Ends the term if it is still running (graceful stop). Never throws. */
  release(term: Term): Promise<void>;

  /** Closes connections. Never throws; safe to repeat. */
  close(): Promise<void>;
}

/** FNV-1a over the gid, 32 bits, not negative. Must never change: shards hang on it. */
export function gidHash(gid: Gid): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < gid.length; i += 1) {
    hash = Math.imul(hash ^ gid.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}

/** Which shard a gid belongs to. */
export function shardOf(gid: Gid): number {
  return gidHash(gid) % shardCount;
}
