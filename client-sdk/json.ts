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
  const text = encode(what, input);
  if (text.length > limits.payloadBytesMax / 3) {
    const bytes = Buffer.byteLength(text);
    if (bytes > limits.payloadBytesMax) {
      const detail = `${what} has ${bytes} bytes of JSON, at most ${limits.payloadBytesMax} are allowed`;
      throw new SettleError('LIMIT_EXCEEDED', detail);
    }
  }
  const levels = levelsOf(input, 0);
  if (levels === notPlain) return JSON.parse(text) as Json;
  if (levels <= limits.jsonDepthMax) return input as Json;
  const detail = `${what} is nested more than ${limits.jsonDepthMax} levels deep`;
  throw new SettleError('LIMIT_EXCEEDED', detail);
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
