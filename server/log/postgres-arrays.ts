/**
 * Arrays in PostgreSQL's binary form, one per column of a batch: the server copies them where text
 * or JSON would be parsed, and the driver passes a Buffer on as it is. Nothing here knows a table.
 * Layout (`array_recv` in PostgreSQL's arrayfuncs.c): the number of dimensions, whether there are
 * nulls, the element's type, the length, the first index; then each element after its byte length.
 */

/** The elements' types by their OID (PostgreSQL's pg_type.dat). */
const typeIds = { bigint: 20, integer: 23, text: 25 } as const;

const headerBytes = 20;
const emptyHeaderBytes = 12;
const nullLength = -1;

/** `text[]` of one value per row. A character that is no UTF-8 (half of a surrogate pair) becomes U+FFFD. */
export function textArray<Row>(
  rows: readonly Row[],
  pick: (row: Row) => string | null,
): Buffer<ArrayBuffer> {
  const values = rows.map(pick);
  let size = headerBytes;
  for (const value of values) size += 4 + (value === null ? 0 : Buffer.byteLength(value));
  const array = Buffer.allocUnsafe(size);
  let at = writeHeader(array, typeIds.text, values.length);
  for (const value of values) {
    const length = value === null ? nullLength : array.write(value, at + 4);
    at = array.writeInt32BE(length, at) + Math.max(0, length);
  }
  return array.subarray(0, at);
}

/** `integer[]` of one value per row. Throws RangeError for what does not fit. */
export function integerArray<Row>(
  rows: readonly Row[],
  pick: (row: Row) => number,
): Buffer<ArrayBuffer> {
  const array = Buffer.allocUnsafe(headerBytes + rows.length * 8);
  let at = writeHeader(array, typeIds.integer, rows.length);
  for (const row of rows) at = array.writeInt32BE(pick(row), array.writeInt32BE(4, at));
  return array.subarray(0, at);
}

/** `bigint[]` of one safe integer, or null, per row. */
export function bigintArray<Row>(
  rows: readonly Row[],
  pick: (row: Row) => number | null,
): Buffer<ArrayBuffer> {
  const array = Buffer.allocUnsafe(headerBytes + rows.length * 12);
  let at = writeHeader(array, typeIds.bigint, rows.length);
  for (const row of rows) {
    const value = pick(row);
    at = array.writeInt32BE(value === null ? nullLength : 8, at);
    if (value === null) continue;
    const high = Math.floor(value / 2 ** 32);
    at = array.writeUInt32BE(value - high * 2 ** 32, array.writeInt32BE(high, at));
  }
  return array.subarray(0, at);
}

/** Answers where the elements begin; an empty array has no dimension and ends there. */
function writeHeader(array: Buffer, typeId: number, length: number): number {
  array.writeInt32BE(length === 0 ? 0 : 1, 0);
  array.writeInt32BE(1, 4);
  array.writeInt32BE(typeId, 8);
  if (length === 0) return emptyHeaderBytes;
  array.writeInt32BE(length, 12);
  array.writeInt32BE(1, 16);
  return headerBytes;
}
