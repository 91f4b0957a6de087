/**
 * From what business code returns or throws to the four answers of the protocol. The only place
 * that decides between `refused` and `unknown`. Invariant: `refused` is said only of what certainly
 * has not happened and never will.
 */
import { RetryableError, SettleError, TerminalError } from '../errors.ts';
import { isSmallJson } from '../json.ts';
import { type CallAnswer, type Json, limits } from '../protocol/index.ts';

/** How long the coordinator is asked to wait after a deadlock: the winner needs a moment. */
const conflictRetryMs = 50;

/**
 * PostgreSQL: serialization failure, deadlock, lock not available. MySQL and MariaDB: deadlock,
 * lock wait timeout, record changed since the snapshot. SQLite (two drivers): busy, locked.
 */
const conflictCodes: ReadonlySet<unknown> = new Set([
  '40001',
  '40P01',
  '55P03',
  'ER_LOCK_DEADLOCK',
  'ER_LOCK_WAIT_TIMEOUT',
  'ER_CHECKREAD',
  'SQLITE_BUSY',
  'SQLITE_LOCKED',
  'SQLITE_BUSY_SNAPSHOT',
]);

/** Primary result codes of SQLite: SQLITE_BUSY and SQLITE_LOCKED. */
const sqliteConflicts: ReadonlySet<unknown> = new Set([5, 6]);

/** A result in the form in which it is stored and sent. */
export interface EncodedResult {
  readonly value: Json;
  /** JSON text of `value`, at most 64 KiB of UTF-8; null for the result `null`, which is not stored. */
  readonly text: string | null;
}

/**
 * Checks a result before the local commit: JSON, at most 64 KiB and 32 levels. `undefined` becomes
 * null. The value is what a duplicate will be answered (a Date is text already). Throws
 * TerminalError, so that the local transaction rolls back: the next attempt would be no smaller.
 */
export function encodeResult(result: unknown): EncodedResult {
  const value = checkResult(result);
  return { value, text: value === null ? null : JSON.stringify(value) };
}

/** As {@link encodeResult}, for a result that is not stored: its text is made when it is sent. */
export function checkResult(result: unknown): Json {
  const value = asJson(result, 1);
  if (isSmallJson(value)) return value;
  const bytes = Buffer.byteLength(JSON.stringify(value));
  if (bytes > limits.payloadBytesMax) {
    throw new TerminalError(
      `the result has ${bytes} bytes of JSON, at most ${limits.payloadBytesMax} are allowed: ` +
        'keep it in your own database and return a key',
    );
  }
  return value;
}

/** The answer to a call whose handler threw. Texts are cut at 512 characters; never a stack. */
export function answerOfError(error: unknown): CallAnswer {
  if (error instanceof TerminalError) return { outcome: 'refused', error: messageOf(error) };
  if (error instanceof RetryableError) return unknown(error, error.retryAfterMs);
  if (error instanceof SettleError) {
    // REFUSED: a participant further on has refused for good, so this one cannot go on either.
    if (error.code === 'BARRIER_BLOCKED' || error.code === 'REFUSED') {
      return { outcome: 'refused', error: messageOf(error) };
    }
    if (error.code === 'ONGOING') return { outcome: 'ongoing' };
  }
  return unknown(error, isConflict(error) ? conflictRetryMs : undefined);
}

function unknown(error: unknown, retryAfterMs: number | undefined): CallAnswer {
  const answer = { outcome: 'unknown', error: messageOf(error) } as const;
  return retryAfterMs === undefined ? answer : { ...answer, retryAfterMs };
}

/** Whether a database ended the local transaction in favour of another one: nothing has happened. */
function isConflict(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('errcode' in error && typeof error.errcode === 'number') {
    return sqliteConflicts.has(error.errcode & 0xff);
  }
  return 'code' in error && conflictCodes.has(error.code);
}

function messageOf(error: unknown): string {
  return describe(error).slice(0, limits.detailLengthMax);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : 'the handler failed';
  if (/\bsettle_barrier\b/.test(error.message) && isMissingTable(error)) {
    return `${error.message}: run \`settle migrate --participant URL\` on this database`;
  }
  // Without the remedy of the table: it is meant for whoever made the request, not for the log.
  if (error instanceof SettleError) return shortText(error);
  if (error.message !== '') return error.message;
  // Node reports a refused connection as an AggregateError without a message of its own.
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error.name;
}

function shortText(error: SettleError): string {
  return error.code === 'REFUSED' ? error.detail : `${error.code}: ${error.detail}`;
}

function isMissingTable(error: Error): boolean {
  if ('code' in error && (error.code === '42P01' || error.code === 'ER_NO_SUCH_TABLE')) return true;
  return error.message.includes('no such table');
}

/** One walk that checks and copies: what is stored, sent and handed to the caller is one value. */
function asJson(value: unknown, depth: number): Json {
  switch (typeof value) {
    case 'undefined':
      return null;
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (Number.isFinite(value)) return value;
      throw notJson(`the number ${value}`);
    case 'object':
      return value === null ? null : objectAsJson(value, depth);
    case 'bigint':
      throw notJson('a BigInt (return it as text)');
    default:
      throw notJson(`a ${typeof value}`);
  }
}

function objectAsJson(value: object, depth: number): Json {
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    const replaced: unknown = value.toJSON();
    if (replaced === value) throw notJson('an object whose toJSON gives itself');
    return asJson(replaced, depth);
  }
  if (depth > limits.jsonDepthMax) {
    throw new TerminalError(`the result is nested more than ${limits.jsonDepthMax} levels deep`);
  }
  if (Array.isArray(value)) return value.map((item) => asJson(item, depth + 1));
  if (value instanceof Map || value instanceof Set || ArrayBuffer.isView(value)) {
    throw notJson(`a ${value.constructor.name}`);
  }
  const fields = value as Readonly<Record<string, unknown>>;
  const copy: Record<string, Json> = {};
  for (const name of Object.keys(fields)) {
    if (fields[name] === undefined) continue;
    const json = asJson(fields[name], depth + 1);
    // An own property of this name, as JSON.parse makes it; an assignment would set the prototype.
    if (name === '__proto__') Object.defineProperty(copy, name, { ...ownProperty, value: json });
    else copy[name] = json;
  }
  return copy;
}

const ownProperty = { enumerable: true, configurable: true, writable: true } as const;

function notJson(what: string): TerminalError {
  return new TerminalError(`the result is not JSON: it contains ${what}`);
}
