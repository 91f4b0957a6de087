/**
 * How a local transaction ends on PostgreSQL when all goes well: in one round trip, with a savepoint
 * that keeps it when somebody is in the way after all. Invariant: nothing is committed over a row
 * that another gid holds.
 */
import { SettleError } from '../../errors.ts';
import type { Gid } from '../../protocol/index.ts';
import type { BranchKey } from '../dialect.ts';
import type { Fly, Session } from '../facts.ts';
import { type NumberedStep, numbered, type Step } from '../image.ts';
import type { Holder } from '../undo-store.ts';
import { isTaken, phaseOneError, phaseOneRow, phaseOneText } from './barrier.ts';
import { textLiteral } from './literals.ts';
import { holderIn, insertOf, literalInsertOf, type Places, rowsPerInsert } from './undo-insert.ts';

/** Undo rows, the row of phase one and the commit, as `CommitAtOnce` says. */
export async function commitAtOnce(
  session: Session,
  branch: BranchKey,
  steps: readonly Step[],
): Promise<boolean> {
  if (steps.length > rowsPerInsert) return false;
  const all = numbered(steps, new Map());
  try {
    if (session.fly !== undefined) await flyAll(session.fly, branch, all);
    else await session.query(`${literalInsertOf(branch, all)};${phaseOneText(branch)};${commit}`);
    return true;
  } catch (error) {
    if (!isTaken(error, 'settle_undo')) throw phaseOneError(error, branch.gid);
    // Nobody who goes through Settle can have done this.
    const detail = 'an undo row has come in the way of a row that was locked';
    throw new SettleError('LOCK_CONFLICT', detail, { gid: branch.gid, cause: error });
  }
}

/** The row of phase one goes in with the undo rows: one statement less to begin and to end. */
async function flyAll(fly: Fly, branch: BranchKey, steps: readonly NumberedStep[]): Promise<void> {
  const { text, name, values } = insertOf(branch, steps);
  const both = { text: `with phase_one as (${phaseOneRow}) ${text}`, values };
  const named = name === undefined ? both : { ...both, name: `${name}_prepare` };
  await fly([
    { ...named, mayWait: true },
    { name: 'settle_commit', text: commit },
  ]);
}

/** Rows of other gids on these keys. */
export async function holders(
  session: Session,
  gid: Gid,
  rows: Places,
): Promise<readonly Holder[]> {
  if (rows.length === 0) return [];
  const found = await session.query(
    `select table_name, row_key, gid from settle_undo where ${isHeld(gid, rows)}`,
  );
  return found.rows.map(holderIn);
}

/**
 * The look and the commit go in one text, so that nobody waits for the look, which finds nothing but
 * for once in a while. A row that is found stops the text: its gid is no number. The savepoint is what
 * keeps the rest then. See `UndoStore`.
 */
export async function commitUnlessHeld(
  session: Session,
  gid: Gid,
  rows: Places,
): Promise<readonly Holder[]> {
  if (rows.length === 0) {
    await session.query('commit');
    return [];
  }
  for (let look = 0; look < looksMax; look += 1) {
    if (await isCommitted(session, gid, rows)) return [];
    await session.query(backToSavepoint);
    const found = await holders(session, gid, rows);
    // Who was in the way may be gone by now. Nothing is committed for that.
    if (found.length > 0) return found;
  }
  throw new SettleError('LOCK_CONFLICT', 'others came and went, again and again', { gid });
}

/** Each look that finds somebody who is gone by the next one takes one more. */
const looksMax = 16;

async function isCommitted(session: Session, gid: Gid, rows: Places): Promise<boolean> {
  const look = `select ('${heldBy}' || gid)::integer from settle_undo where ${isHeld(gid, rows)}`;
  try {
    await session.query(`${savepoint}; ${look}; ${commit}`);
    return true;
  } catch (error) {
    if (!isHeldError(error)) throw error;
    return false;
  }
}

const heldBy = 'settle: held by ';
const savepoint = 'savepoint settle_end';
const backToSavepoint = 'rollback to savepoint settle_end; release savepoint settle_end';
const commit = 'commit';

/** invalid_text_representation, with the text that stands in {@link isCommitted}. */
function isHeldError(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return error.code === '22P02' && error.message.includes(heldBy);
}

/**
 * All steps of a row are of one gid, so the first one tells. By the primary key, one condition for
 * each table: a join with the keys took twice as long to plan, and this is on the way of everybody.
 */
function isHeld(gid: Gid, rows: Places): string {
  const conditions = [...Map.groupBy(rows, ({ table }) => table)].map(([table, of]) => {
    const keys = [...new Set(of.map(({ key }) => textLiteral(key)))];
    return `table_name = ${textLiteral(table)} and row_key in (${keys.join(', ')})`;
  });
  return `step = 0 and gid <> ${textLiteral(gid)} and (${conditions.join(' or ')})`;
}
