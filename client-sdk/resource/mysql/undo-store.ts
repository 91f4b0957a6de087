/**
 * Undo rows on MySQL and MariaDB: inserted, looked up, deleted. The statements are in `undo-rows.ts`,
 * writing rows back is in `restore.ts`. Invariant: what {@link UndoStore.insert} leaves is all of the
 * given steps, or none. All of it wants READ COMMITTED: a statement sees what the one before it has
 * waited for. A deadlock ends the whole local transaction here, and a wait that is too long ends its
 * statement only; both are thrown, and nothing may be committed after either.
 */
import type { BranchKey } from '../dialect.ts';
import type { Session } from '../facts.ts';
import type { Step } from '../image.ts';
import { restoring } from '../restore-plan.ts';
import { insertInRounds } from '../undo-rounds.ts';
import type { Holder, UndoStore } from '../undo-store.ts';
import { Compounds } from './compound.ts';
import { commitUnlessHeldOn } from './endings.ts';
import { locksOf } from './locks.ts';
import { readable } from './readable.ts';
import { lookAtRows, resolveSteps } from './restore.ts';
import { deletePlaces, insertSteps, occupantsOf, othersOn, placesOf } from './undo-rows.ts';

/** The store; keeps nothing in memory. `restore` reads the facts of its tables afresh. */
export function createMysqlUndoStore(compounds = new Compounds()): UndoStore {
  return {
    insert,
    async holders(session, gid, rows) {
      return await othersOn(session, gid, rows);
    },
    commitUnlessHeld: commitUnlessHeldOn(compounds),
    async clear(session, gids) {
      if (gids.length === 0) return;
      await deletePlaces(session, gids, await placesOf(session, gids));
    },
    ...restoring(resolveSteps),
    look: lookAtRows,
    locks: locksOf,
    readable,
  };
}

function insert(
  session: Session,
  branch: BranchKey,
  steps: readonly Step[],
): Promise<readonly Holder[]> {
  return insertInRounds(branch.gid, steps, {
    insertAll: (all) => insertSteps(session, branch, all),
    deleteOwn: () => deletePlaces(session, branch, steps),
    occupants: () => occupantsOf(session, steps),
  });
}
