/**
 * Undo rows on PostgreSQL: inserted, looked up, deleted. Writing rows back is in `restore.ts`.
 * Invariant: what {@link UndoStore.insert} leaves is all of the given steps, or none. All of it
 * wants READ COMMITTED: a statement sees what the one before it has waited for.
 */
import { restoring } from '../restore-plan.ts';
import type { UndoStore } from '../undo-store.ts';
import { commitUnlessHeld, holders } from './endings.ts';
import { locksOf } from './locks.ts';
import { lookAtRows, resolveSteps } from './restore.ts';
import { insert } from './undo-insert.ts';

/** The store; keeps nothing in memory. `restore` reads the facts of its tables afresh. */
export function createPostgresUndoStore(): UndoStore {
  return {
    insert,
    holders,
    commitUnlessHeld,
    async clear(session, gids) {
      if (gids.length > 0) await session.query(deleteOfGids, [gids]);
    },
    ...restoring(resolveSteps),
    look: lookAtRows,
    locks: locksOf,
    // Images hold PostgreSQL's own output, which is for people.
    readable: (_, text) => text,
  };
}

// By (gid, undo_id).
const deleteOfGids = 'delete from settle_undo where gid = any ($1::text[])';
