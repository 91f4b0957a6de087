/**
 * What the SQLite log and its worker thread say to each other. Appends travel as one flat array of
 * plain values: cloning 256 small objects costs the main thread three times as much.
 */
import type { ErrorCode, Gid } from '../../client-sdk/protocol/index.ts';
import type { Append, LogRow } from './log.ts';

/** A value that SQLite stores. */
export type SqliteValue = string | number | null;

/** A row as the database gives it, by column name. */
export type SqliteRow = Readonly<Record<string, unknown>>;

/** Where the file is, and how large it may grow (the disk sets the limit when it is left out). */
export interface SqliteFileOptions {
  readonly path: string;
  readonly bytesMax?: number;
}

/** Requests by kind: what is sent, and what comes back. */
export interface SqliteCalls {
  /** Opens the file, when it is not open yet. */
  readonly open: { readonly body: null; readonly answer: null };
  /** Values of {@link encodeAppends}; the answer has one letter of {@link answerLetters} per row. */
  readonly append: {
    readonly body: { readonly epoch: number; readonly values: readonly SqliteValue[] };
    readonly answer: string;
  };
  /** Answers the new epoch. */
  readonly takeOver: {
    readonly body: { readonly node: string; readonly address: string; readonly atMs: number };
    readonly answer: number;
  };
  readonly read: { readonly body: readonly Gid[]; readonly answer: readonly LogRow[] };
  readonly openGids: {
    readonly body: { readonly afterGid: Gid; readonly limit: number };
    readonly answer: readonly Gid[];
  };
  /** One statement of search-queries.ts, which only reads. */
  readonly search: {
    readonly body: { readonly sql: string; readonly values: readonly SqliteValue[] };
    readonly answer: readonly SqliteRow[];
  };
  readonly find: { readonly body: readonly Gid[]; readonly answer: readonly StoredIndexRow[] };
  readonly release: {
    readonly body: { readonly epoch: number; readonly atMs: number };
    readonly answer: null;
  };
  /** Closes the file and ends the worker. */
  readonly close: { readonly body: null; readonly answer: null };
}

/** What the worker can be asked. */
export type SqliteCallKind = keyof SqliteCalls;

/** One message to the worker. */
export type SqliteRequest = {
  readonly [K in SqliteCallKind]: {
    readonly id: number;
    readonly kind: K;
    readonly body: SqliteCalls[K]['body'];
  };
}[SqliteCallKind];

/** One message from the worker. */
export type SqliteResponse =
  | { readonly id: number; readonly ok: true; readonly answer: unknown }
  | { readonly id: number; readonly ok: false; readonly code: ErrorCode; readonly detail: string };

/** An index row as it is stored: JSON still text. */
export interface StoredIndexRow {
  readonly gid: string;
  readonly shard: number;
  readonly mode: string;
  readonly name: string;
  readonly outcome: string | null;
  readonly cause: string | null;
  readonly attention: string | null;
  readonly startedAtMs: number;
  readonly deadlineAtMs: number | null;
  readonly finishedAtMs: number | null;
  readonly labels: string;
}

/** Answers of an append, one letter per row. */
export const answerLetters = { a: 'appended', c: 'conflict', f: 'fenced' } as const;

/**
 * Per row: gid, seq, shard, epoch, atMs, records and whether (1 or 0) the eleven columns of
 * global_transaction follow, in the order of {@link StoredIndexRow}.
 */
export function encodeAppends(batch: readonly Append[]): readonly SqliteValue[] {
  const values: SqliteValue[] = [];
  for (const { row, index } of batch) {
    values.push(row.gid, row.seq, row.shard, row.epoch, row.atMs, row.records);
    values.push(index === null ? 0 : 1);
    if (index === null) continue;
    values.push(index.gid, index.shard, index.mode, index.name, index.outcome);
    values.push(textOrNull(index.cause), textOrNull(index.attention));
    values.push(index.startedAtMs, index.deadlineAtMs, index.finishedAtMs);
    values.push(JSON.stringify(index.labels));
  }
  return values;
}

function textOrNull(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value);
}
