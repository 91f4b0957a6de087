/**
 * Undo rows on MySQL and MariaDB: inserted, looked up, deleted. The statements are in `undo-rows.ts`,
 * writing rows back is in `restore.ts`. Invariant: what {@link UndoStore.insert} leaves is all of the
 * given steps, or none. All of it wants READ COMMITTED: a statement sees what the one before it has
 * waited for. A deadlock ends the whole local transaction here, and a wait that is too long ends its
 * statement only; both are thrown, and nothing may be committed after either.
 */
import type { Gid } from '../../protocol/index.ts';
import type { BranchKey } from '../dialect.ts';
import type { Session } from '../facts.ts';
import { numbered, rowIdentity, type Step } from '../image.ts';
import { restoring } from '../restore-plan.ts';
import type { Holder, UndoStore } from '../undo-store.ts';
import { Compounds } from './compound.ts';
import { commitUnlessHeldOn } from './endings.ts';
import { locksOf } from './locks.ts';
import { readable } from './readable.ts';
import { lookAtRows, resolveSteps } from './restore.ts';
import {
  deletePlaces,
  insertSteps,
  type Occupant,
  occupantsOf,
  othersOn,
  placesOf,
} from './undo-rows.ts';

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

/** Own steps that others of the same gid left meanwhile take one more round. Rows are locked by then. */
const roundsMax = 8;

async function insert(
  session: Session,
  branch: BranchKey,
  steps: readonly Step[],
): Promise<readonly Holder[]> {
  if (steps.length === 0) return [];
  let taken: ReadonlyMap<string, number> = new Map();
  for (let round = 0; round < roundsMax; round += 1) {
    if (await insertSteps(session, branch, numbered(steps, taken))) return [];
    // Statements before the one that failed have left rows of ours: out with all of them.
    await deletePlaces(session, branch, steps);
    const found = await occupantsOf(session, steps);
    const holders = foreign(found, branch.gid);
    if (holders.length > 0) return holders;
    taken = new Map(found.map((row) => [rowIdentity(row), row.steps]));
  }
  throw new Error('undo rows were in the way of others, and gone again, time after time');
}

function foreign(found: readonly Occupant[], own: Gid): readonly Holder[] {
  return found.filter(({ gid }) => gid !== own).map(({ gid, table, key }) => ({ gid, table, key }));
}
