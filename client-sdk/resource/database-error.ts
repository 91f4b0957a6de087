/**
 * What an error of the user's database means to Settle; everything else is the user's own, and
 * comes to him as his driver gives it.
 */
import { SettleError } from '../errors.ts';
import type { Gid } from '../protocol/index.ts';
import type { Dialect } from './dialect.ts';

/**
 * The error as a SettleError: LOCK_CONFLICT when the database gave up a wait, INVALID_CONFIG when
 * the tables of Settle are missing; otherwise as it is.
 */
export function meaningOf(error: unknown, dialect: Dialect, gid: Gid): unknown {
  if (isSchemaMissing(error)) {
    const detail = 'the tables of Settle are missing: run `settle migrate --participant URL` on it';
    return new SettleError('INVALID_CONFIG', detail, { cause: error });
  }
  if (!dialect.isLockTimeout(error)) return error;
  const detail = 'the database ended a wait for a row that another transaction holds';
  return new SettleError('LOCK_CONFLICT', detail, { gid, cause: error });
}

/** Whether the database does not have what `settle migrate --participant` makes. */
function isSchemaMissing(error: unknown): boolean {
  if (!(error instanceof Error) || !/\bsettle_(image|is_held|undo|barrier)\b/.test(error.message))
    return false;
  const code = 'code' in error ? error.code : null;
  return code === '42883' || code === '42P01' || code === 'ER_NO_SUCH_TABLE';
}

/**
 * Whether the database itself said it; drivers give errors of the server an SQLSTATE, errors of the
 * line don't have one. Without a word of it nobody knows what it did.
 */
export function isWordOfDatabase(error: unknown): boolean {
  if (error instanceof SettleError) return true;
  if (!(error instanceof Error)) return false;
  if ('sqlState' in error) return true;
  return 'severity' in error && error.severity !== 'FATAL';
}
