/**
 * The rows of a commit as the parameters of the log's statement: one binary array per column, as
 * server/log/postgres-arrays.ts explains them. Written here once more, without a call per value.
 */
import { type IndexRow, type Row, shard } from './store.ts';

/** How many parameters {@link columnsOf} gives. */
export const columnCount = 29;

/** OIDs of the elements. */
const types = { bigint: 20, integer: 23, text: 25 } as const;

/** $1 and on: epoch, the six columns of the log, the eleven of the open ones and of the finished. */
export function columnsOf(rows: readonly Row[], epoch: number): readonly (number | Buffer)[] {
  const opened: Indexed[] = [];
  const finished: Indexed[] = [];
  for (const { gid, index } of rows) {
    if (index !== null) (index.outcome === null ? opened : finished).push({ gid, index });
  }
  const count = rows.length;
  return [
    epoch,
    texts(rows.map((row) => row.records)),
    texts(rows.map((row) => row.gid)),
    integers(rows.map((row) => row.seq)),
    integers(Array(count).fill(shard)),
    bigints(Array(count).fill(epoch)),
    bigints(rows.map((row) => row.atMs)),
    ...indexColumns(opened),
    ...indexColumns(finished),
  ];
}

interface Indexed {
  readonly gid: string;
  readonly index: IndexRow;
}

function indexColumns(rows: readonly Indexed[]): readonly Buffer[] {
  const nulls: null[] = Array(rows.length).fill(null);
  return [
    texts(rows.map((row) => row.gid)),
    integers(Array(rows.length).fill(shard)),
    texts(rows.map((row) => row.index.mode)),
    texts(rows.map((row) => row.index.name)),
    texts(rows.map((row) => row.index.outcome)),
    texts(rows.map((row) => row.index.cause)),
    texts(nulls),
    bigints(rows.map((row) => row.index.startedAtMs)),
    bigints(rows.map((row) => row.index.deadlineAtMs)),
    bigints(rows.map((row) => row.index.finishedAtMs)),
    texts(Array(rows.length).fill('{}')),
  ];
}

function texts(values: readonly (string | null)[]): Buffer {
  let size = headerBytes;
  // A UTF-16 unit has at most three bytes of UTF-8.
  for (const value of values) size += 4 + (value === null ? 0 : value.length * 3);
  const array = Buffer.allocUnsafe(size);
  let at = writeHeader(array, types.text, values.length);
  for (const value of values) {
    const length = value === null ? -1 : array.write(value, at + 4);
    at = array.writeInt32BE(length, at) + Math.max(0, length);
  }
  return array.subarray(0, at);
}

function integers(values: readonly number[]): Buffer {
  const array = Buffer.allocUnsafe(headerBytes + values.length * 8);
  let at = writeHeader(array, types.integer, values.length);
  for (const value of values) at = array.writeInt32BE(value, array.writeInt32BE(4, at));
  return array.subarray(0, at);
}

function bigints(values: readonly (number | null)[]): Buffer {
  const array = Buffer.allocUnsafe(headerBytes + values.length * 12);
  let at = writeHeader(array, types.bigint, values.length);
  for (const value of values) {
    at = array.writeInt32BE(value === null ? -1 : 8, at);
    if (value === null) continue;
    const high = Math.floor(value / 2 ** 32);
    at = array.writeUInt32BE(value - high * 2 ** 32, array.writeInt32BE(high, at));
  }
  return array.subarray(0, at);
}

const headerBytes = 20;

function writeHeader(array: Buffer, type: number, length: number): number {
  array.writeInt32BE(length === 0 ? 0 : 1, 0);
  array.writeInt32BE(0, 4);
  array.writeInt32BE(type, 8);
  if (length === 0) return 12;
  array.writeInt32BE(length, 12);
  array.writeInt32BE(1, 16);
  return headerBytes;
}
