/** How deep and how large JSON values are. Hot: every request and every answer is measured. */

/** True when the value nests at most `max` deep: a plain value is 0 deep, `[]` is 1, `[[]]` is 2. */
export function isShallow(value: unknown, max: number): boolean {
  if (value === null || typeof value !== 'object') return true;
  if (max === 0) return false;
  if (Array.isArray(value)) {
    for (const inner of value) if (!isShallow(inner, max - 1)) return false;
    return true;
  }
  const fields = value as Readonly<Record<string, unknown>>;
  // JSON gives plain objects: `in` shows nothing that is inherited, and needs no list of keys.
  for (const key in fields) {
    if (!isShallow(fields[key], max - 1)) return false;
  }
  return true;
}

/** Bytes of a value as JSON. */
export function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? '');
}

/**
 * Whether a value has at most so many bytes as JSON. Exact; writes the text only when a walk that
 * overestimates cannot tell. The value must be shallow.
 */
export function fitsBytes(value: unknown, bytesMax: number): boolean {
  return bytesAtMost(value) <= bytesMax || bytesOf(value) <= bytesMax;
}

/** One UTF-16 unit takes at most six bytes: `\u0000`. */
const bytesPerUnitMax = 6;
/** `-1.7976931348623157e+308` and `-100000000000000000000` are shorter. */
const numberBytesMax = 25;
/** Quotes, colon and comma around a key or a value. */
const punctuation = 4;

function bytesAtMost(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return value.length * bytesPerUnitMax + punctuation;
    case 'object':
      return value === null ? numberBytesMax : partsAtMost(value);
    default:
      return numberBytesMax;
  }
}

function partsAtMost(value: object): number {
  let bytes = punctuation;
  if (Array.isArray(value)) {
    for (const item of value) bytes += bytesAtMost(item);
    return bytes;
  }
  const fields = value as Readonly<Record<string, unknown>>;
  for (const key in fields) {
    bytes += key.length * bytesPerUnitMax + punctuation + bytesAtMost(fields[key]);
  }
  return bytes;
}
