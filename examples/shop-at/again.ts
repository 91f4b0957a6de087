/** Runs a global transaction once more when another one had its rows. */
import { setTimeout } from 'node:timers/promises';
import { SettleError } from '@settle/client';

/** Eight times at most: the whole of it, so under a new gid, after a pause that grows. */
export async function againOnConflict<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const isConflict = error instanceof SettleError && error.code === 'LOCK_CONFLICT';
      if (!isConflict || attempt === 8) throw error;
      await setTimeout(Math.random() * 20 * 2 ** attempt);
    }
  }
}
