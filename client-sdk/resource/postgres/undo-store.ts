/**
 * Undo rows on PostgreSQL: inserted, looked up, deleted. Writing rows back is in `restore.ts`.
 * Invariant: what {@link UndoStore.insert} leaves is all of the given steps, or none. All of it
 * wants READ COMMITTED: a statement sees what the one before it has waited for.
 */
import { SettleError } from '../../errors.ts';
import type { Gid } from '../../protocol/index.ts';
import type { BranchKey } from '../dialect.ts';
import type { Session } from '../facts.ts';
import { type Image, rowIdentity, type Step } from '../image.ts';
import { restoring } from '../restore-plan.ts';
import type { Holder, UndoStore } from '../undo-store.ts';
import { textLiteral } from './literals.ts';
import { locksOf } from './locks.ts';
import { lookAtRows, resolveSteps } from './restore.ts';

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

/** Where undo rows of one database stand. */
type Places = readonly Pick<Step, 'table' | 'key'>[];

async function holders(session: Session, gid: Gid, rows: Places): Promise<readonly Holder[]> {
  if (rows.length === 0) return [];
  const found = await session.query(
    `select table_name, row_key, gid from settle_undo where ${isHeld(gid, rows)}`,
  );
  return found.rows.map(holderIn);
}

/**
 * The look and the commit go in one text, so that nobody waits for the look, which finds nothing but
 * for once in a while (570 us of processor time for a local transaction, 450 this way). A row that is
 * found stops the text: its gid is no number. The savepoint is what keeps the rest then.
 */
async function commitUnlessHeld(
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
    await session.query('rollback to savepoint settle_look; release savepoint settle_look');
    const found = await holders(session, gid, rows);
    // Who was in the way may be gone by now. Nothing is committed for that.
    if (found.length > 0) return found;
  }
  throw new SettleError('LOCK_CONFLICT', 'others came and went, again and again', { gid });
}

/** Each look that finds somebody who is gone by the next one takes one more. */
const looksMax = 16;

async function isCommitted(session: Session, gid: Gid, rows: Places): Promise<boolean> {
  try {
    await session.query(`savepoint settle_look;
      select ('${heldBy}' || gid)::integer from settle_undo where ${isHeld(gid, rows)};
      commit`);
    return true;
  } catch (error) {
    if (!isHeldError(error)) throw error;
    return false;
  }
}

const heldBy = 'settle: held by ';

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

function holderIn(row: Readonly<Record<string, unknown>>): Holder {
  return {
    gid: String(row['gid']),
    table: String(row['table_name']),
    key: String(row['row_key']),
  };
}

// By (gid, undo_id).
const deleteOfGids = 'delete from settle_undo where gid = any ($1::text[])';

/** Steps that others of the same gid have left take one more round; these rows are locked by us. */
const roundsMax = 8;

async function insert(
  session: Session,
  branch: BranchKey,
  steps: readonly Step[],
): Promise<readonly Holder[]> {
  if (steps.length === 0) return [];
  let taken: ReadonlyMap<string, number> = new Map();
  for (let round = 0; round < roundsMax; round += 1) {
    if ((await insertFrom(session, branch, steps, taken)) === steps.length) return [];
    // A later step of ours may stand behind the first one of another gid: out with all of them.
    await session.query(deleteOfBranch, [branch.gid, branch.branchId]);
    const found = await occupants(session, steps);
    const holders = foreign(found, branch.gid);
    if (holders.length > 0) return holders;
    taken = new Map(found.map((row) => [rowIdentity(row), row.steps]));
  }
  throw new Error('undo rows were in the way of others, and gone again, time after time');
}

const deleteOfBranch = 'delete from settle_undo where gid = $1 and branch_id = $2';

/** Inserts what is in nobody's way and answers how many. `taken`: steps before these, by row. */
async function insertFrom(
  session: Session,
  branch: BranchKey,
  steps: readonly Step[],
  taken: ReadonlyMap<string, number>,
): Promise<number> {
  const next = new Map(taken);
  const numbered = steps.map((step, index): NumberedStep => {
    const number = next.get(rowIdentity(step)) ?? 0;
    next.set(rowIdentity(step), number + 1);
    return { ...step, number, position: index + 1 };
  });
  let count = 0;
  for (let start = 0; start < numbered.length; start += rowsPerInsert) {
    count += await insertRows(session, branch, numbered.slice(start, start + rowsPerInsert));
  }
  return count;
}

interface NumberedStep extends Step {
  readonly number: number;
  readonly position: number;
}

/** A statement takes 65,535 parameters, a row four. */
const rowsPerInsert = 1_024;

/**
 * On conflict do nothing, the primary key is waited for: for the end of the transaction that
 * inserts, or deletes, what is in the way. undo_id is numbered in the order of the values. Values
 * and not arrays, whose unnesting took 90 us more to plan (150 us against 240 for one row).
 */
async function insertRows(
  session: Session,
  { gid, branchId }: BranchKey,
  steps: readonly NumberedStep[],
): Promise<number> {
  const parameters: unknown[] = [gid, branchId, Date.now()];
  const rows = steps.map(({ table, key, number, position, before, after }) => {
    const at = parameters.push(table, key, textOf(before), textOf(after)) - 3;
    return `($${at}, $${at + 1}, ${number}, $1, $2, ${position}, $${at + 2}, $${at + 3}, $3)`;
  });
  // The text of one first step is always the same; an insert has nothing to plan by size.
  const isUsual = steps.length === 1 && steps[0]?.number === 0 && steps[0].position === 1;
  const { count } = await session.query(
    `insert into settle_undo (table_name, row_key, step, gid, branch_id, position,
        before_image, after_image, created_at_ms)
      values ${rows.join(', ')} on conflict do nothing`,
    parameters,
    isUsual ? 'settle_undo_insert' : undefined,
  );
  return count;
}

function textOf(image: Image | null): string | null {
  return image === null ? null : JSON.stringify(image);
}

interface Occupant extends Holder {
  readonly steps: number;
}

/** Who has undo rows on these keys, and how many steps. By the primary key's prefix. */
async function occupants(session: Session, rows: Places): Promise<readonly Occupant[]> {
  const found = await session.query(occupantsOf, [
    rows.map(({ table }) => table),
    rows.map(({ key }) => key),
  ]);
  return found.rows.map((row) => ({ ...holderIn(row), steps: Number(row['steps']) }));
}

const occupantsOf = `select table_name, row_key, gid, max(step) + 1 as steps from settle_undo
  where (table_name, row_key) in (select * from unnest($1::text[], $2::text[]))
  group by table_name, row_key, gid`;

function foreign(found: readonly Occupant[], own: Gid): readonly Holder[] {
  return found.filter(({ gid }) => gid !== own).map(({ gid, table, key }) => ({ gid, table, key }));
}
