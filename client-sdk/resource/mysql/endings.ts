/**
 * How a local transaction ends on MariaDB when all goes well: in one round trip, by a compound that
 * stops where somebody is in the way. Invariant: nothing is committed over a row that another gid
 * holds, and nothing of a compound runs after what has ended its transaction (a deadlock, a kill).
 */
import { SettleError } from '../../errors.ts';
import { isWordOfDatabase } from '../database-error.ts';
import type { CommitAtOnce } from '../dialect.ts';
import type { Session } from '../facts.ts';
import { numbered } from '../image.ts';
import type { UndoStore } from '../undo-store.ts';
import { phaseOneError, phaseOneRow } from './barrier.ts';
import { type Compounds, compoundOf } from './compound.ts';
import { restoringSettings } from './session.ts';
import { areOthersOn, isTaken, othersOn, undoInserts } from './undo-rows.ts';

/**
 * Undo rows, the row of phase one, the commit and the settings as they were, as `CommitAtOnce` says.
 * A row that is taken undoes its own insert, and there is only one: no savepoint is needed.
 */
export function commitAtOnceOn(compounds: Compounds): CommitAtOnce {
  return async (session, branch, steps) => {
    if (!compounds.areThere) return false;
    const inserts = undoInserts(branch, numbered(steps, new Map()));
    if (inserts.length > 1) return false;
    const text = compoundOf([...inserts, phaseOneRow(branch), 'commit', restoringSettings]);
    try {
      await session.query(text);
      return true;
    } catch (error) {
      if (isTaken(error)) return false;
      throw phaseOneError(error, branch.gid);
    }
  };
}

/**
 * The look for others and the commit, as `UndoStore` says. Somebody who is found stops the text. Errors
 * of the database, as far as they are thrown, say that it has not committed.
 */
export function commitUnlessHeldOn(compounds: Compounds): UndoStore['commitUnlessHeld'] {
  return async (session, gid, rows) => {
    const areHeld = areOthersOn(gid, rows);
    if (!compounds.areThere || areHeld === null) {
      const held = await othersOn(session, gid, rows);
      if (held.length === 0) await session.query('commit');
      return held;
    }
    // As a condition of `if` the look would lock what it finds.
    const look = [`select ${areHeld} into @settle_held`, `if @settle_held then ${stop}; end if`];
    const text = compoundOf([...(rows.length === 0 ? [] : look), 'commit', restoringSettings]);
    for (let looks = 0; looks < looksMax; looks += 1) {
      if (await isCommitted(session, text)) return [];
      const held = await othersOn(session, gid, rows);
      // Who was in the way may be gone by now. Nothing is committed for that.
      if (held.length > 0) return held;
    }
    throw new SettleError('LOCK_CONFLICT', 'others came and went, again and again', { gid });
  };
}

/** Each look that finds somebody who is gone by the next one takes one more. */
const looksMax = 16;

const stop = "signal sqlstate '45000' set message_text = 'settle: held'";

async function isCommitted(session: Session, text: string): Promise<boolean> {
  try {
    await session.query(text);
    return true;
  } catch (error) {
    if (isStop(error)) return false;
    if (isWordOfDatabase(error) && !(await isOpen(session))) {
      throw new Error('it failed, before the commit or behind it', { cause: error });
    }
    throw error;
  }
}

/** ER_SIGNAL_EXCEPTION; nothing else of that text signals. */
function isStop(error: unknown): boolean {
  return error instanceof Error && 'errno' in error && error.errno === 1644;
}

/** Whether a transaction is: then nothing of it was committed. */
async function isOpen(session: Session): Promise<boolean> {
  const { rows } = await session.query('select @@in_transaction as is_open');
  return Number(rows[0]?.['is_open']) === 1;
}
