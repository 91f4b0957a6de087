/**
 * Connections of a pool: one within a time, and back with nothing left open. The rest of what a
 * resource does with them is elsewhere.
 */
import { SettleError } from '../errors.ts';
import type { HeldConnection, ResourceDatabase } from './database.ts';

/**
 * One connection, or LOCK_CONFLICT: pools wait for ever by default, and two transactions that hold
 * what the other one's pool has run out of would, too. One that comes later goes back.
 */
export async function acquireWithin<Native>(
  database: ResourceDatabase<Native>,
  waitMs: number,
): Promise<HeldConnection<Native>> {
  const acquiring = database.acquire();
  const { promise, reject } = Promise.withResolvers<never>();
  const late = (): void => {
    const detail = `the pool had no connection free for ${waitMs} ms: give it as many as transactions run at once`;
    reject(new SettleError('LOCK_CONFLICT', detail));
    acquiring.then((connection) => connection.release(), nothing);
  };
  const timer = setTimeout(late, waitMs);
  try {
    return await Promise.race([acquiring, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Takes back what is open on it and releases it; one that cannot roll back is thrown away, for the
 * error that led here. Never throws.
 */
export async function giveBack<Native>(
  connection: HeldConnection<Native>,
  error: unknown,
): Promise<void> {
  try {
    await connection.query('rollback');
    connection.release();
  } catch {
    connection.release(error instanceof Error ? error : new Error('rollback failed'));
  }
}

function nothing(): void {}
