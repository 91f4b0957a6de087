/** From what a caller hands over to what travels. Guards: local and remote code see the same value. */
import { SettleError } from './errors.ts';
import { type Json, limits } from './protocol/index.ts';

/**
 * The input as JSON has it: `try` in this process must get what `confirm` will get from the
 * coordinator later (a Date is text for both). Values that are JSON already are not copied.
 * INVALID_REQUEST for what JSON cannot say, LIMIT_EXCEEDED beyond 64 KiB or 32 levels.
 */
export function payloadOf(what: string, input: unknown): Json {
  if (input === undefined) return null;
  // Most inputs are small plain JSON, and a look tells; its text is made once, when it is sent.
  if (isSmallJson(input)) return input as Json;
  const text = encode(what, input);
  const bytes = Buffer.byteLength(text);
  if (bytes > limits.payloadBytesMax) {
    const detail = `${what} has ${bytes} bytes of JSON, at most ${limits.payloadBytesMax} are allowed`;
    throw new SettleError('LIMIT_EXCEEDED', detail);
  }
  const levels = levelsOf(input, 0);
  if (levels === notPlain) return JSON.parse(text) as Json;
  if (levels <= limits.jsonDepthMax) return input as Json;
  const detail = `${what} is nested more than ${limits.jsonDepthMax} levels deep`;
  throw new SettleError('LIMIT_EXCEEDED', detail);
}

/**
 * True for plain JSON of at most 32 levels that surely has at most 64 KiB. False says nothing: the
 * value may still be in order. It makes no garbage.
 */
export function isSmallJson(value: unknown): boolean {
  return bytesAtMost(value, 0) <= limits.payloadBytesMax;
}

/** One unit of a string, escaped: `\u001f`. */
const bytesPerUnitMax = 6;

/** `-1.2345678901234567e-300`. */
const bytesPerNumberMax = 24;

/** Infinity for what is no plain JSON, or nested too deep (a circle is, too). */
function bytesAtMost(value: unknown, depth: number): number {
  if (typeof value === 'string') return value.length * bytesPerUnitMax + 2;
  if (typeof value === 'number') return Number.isFinite(value) ? bytesPerNumberMax : notPlain;
  if (typeof value === 'boolean' || value === null) return 5;
  if (typeof value !== 'object' || depth >= limits.jsonDepthMax) return notPlain;
  if ('toJSON' in value || !isPlain(value)) return notPlain;
  let bytes = 2;
  if (Array.isArray(value)) {
    for (const item of value) {
      bytes += bytesAtMost(item, depth + 1) + 1;
      if (bytes > limits.payloadBytesMax) break;
    }
    return bytes;
  }
  const fields: Readonly<Record<string, unknown>> = value as Readonly<Record<string, unknown>>;
  for (const name in fields) {
    bytes += name.length * bytesPerUnitMax + bytesAtMost(fields[name], depth + 1) + 4;
    if (bytes > limits.payloadBytesMax) break;
  }
  return bytes;
}

function encode(what: string, input: unknown): string {
  try {
    const text = JSON.stringify(input);
    if (text !== undefined) return text;
  } catch (error) {
    throw new SettleError('INVALID_REQUEST', `${what} is not JSON`, { cause: error });
  }
  throw new SettleError('INVALID_REQUEST', `${what} is not JSON: it is a ${typeof input}`);
}

/** What JSON would change: the value has to go through it. */
const notPlain = Number.POSITIVE_INFINITY;

/** Levels of nesting of plain JSON; `notPlain` for anything else. */
function levelsOf(value: unknown, depth: number): number {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return depth;
  if (typeof value === 'number') return Number.isFinite(value) ? depth : notPlain;
  if (typeof value !== 'object' || 'toJSON' in value || !isPlain(value)) return notPlain;
  let levels = depth + 1;
  for (const item of Array.isArray(value) ? value : Object.values(value)) {
    levels = Math.max(levels, levelsOf(item, depth + 1));
  }
  return levels;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === Array.prototype || prototype === null;
}
