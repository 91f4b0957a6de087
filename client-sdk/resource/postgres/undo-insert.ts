/**
 * Undo rows are written. Invariant: what {@link insert} leaves is all of the given steps, or none.
 * It wants READ COMMITTED: a statement sees what the one before it has waited for.
 */
import type { BranchKey } from '../dialect.ts';
import type { Session } from '../facts.ts';
import type { Image, NumberedStep, Step } from '../image.ts';
import { insertInRounds, type Occupant } from '../undo-rounds.ts';
import type { Holder } from '../undo-store.ts';
import { textLiteral, whole } from './literals.ts';

/** Where undo rows of one database stand. */
export type Places = readonly Pick<Step, 'table' | 'key'>[];

/** See `UndoStore`. */
export function insert(
  session: Session,
  branch: BranchKey,
  steps: readonly Step[],
): Promise<readonly Holder[]> {
  return insertInRounds(branch.gid, steps, {
    async insertAll(all) {
      let count = 0;
      for (let start = 0; start < all.length; start += rowsPerInsert) {
        count += await insertRows(session, branch, all.slice(start, start + rowsPerInsert));
      }
      return count === all.length;
    },
    async deleteOwn() {
      await session.query(deleteOfBranch, [branch.gid, branch.branchId]);
    },
    occupants: () => occupants(session, steps),
  });
}

const deleteOfBranch = 'delete from settle_undo where gid = $1 and branch_id = $2';

/** A statement takes 65,535 parameters, a row four. */
export const rowsPerInsert = 1_024;

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
  const { text, values, name } = insertOf({ gid, branchId }, steps);
  // On conflict do nothing: the others may be gone by the next round.
  const unlessTaken = `${text} on conflict do nothing`;
  const { count } = await session.query(unlessTaken, values, name && `${name}_unless_taken`);
  return count;
}

/** An insert that fails for a row that is taken. $1 is the gid, $2 the branch's id, $3 the time. */
export function insertOf({ gid, branchId }: BranchKey, steps: readonly NumberedStep[]) {
  const values: (string | null)[] = [gid, String(branchId), String(Date.now())];
  const head = { gid: '$1', branchId: '$2', atMs: '$3' };
  const text = insertText(head, steps, (value) => `$${values.push(value)}`);
  // The text of one first step is always the same; an insert has nothing to plan by size.
  const isUsual = steps.length === 1 && steps[0]?.number === 0 && steps[0].position === 1;
  return { text, values, ...(isUsual ? { name: 'settle_undo_insert' } : {}) };
}

/** The same without parameters, to stand among other statements in one text. */
export function literalInsertOf(
  { gid, branchId }: BranchKey,
  steps: readonly NumberedStep[],
): string {
  const head = { gid: textLiteral(gid), branchId: whole(branchId), atMs: whole(Date.now()) };
  return insertText(head, steps, (value) => (value === null ? 'null' : textLiteral(value)));
}

/** What is the same in each row, as SQL. */
interface Head {
  readonly gid: string;
  readonly branchId: string;
  readonly atMs: string;
}

/** `place` makes SQL of a value. */
function insertText(
  { gid, branchId, atMs }: Head,
  steps: readonly NumberedStep[],
  place: (value: string | null) => string,
): string {
  const rows = steps.map(({ table, key, number, position, before, after }) => {
    const row = `${place(table)}, ${place(key)}, ${number}, ${gid}, ${branchId}, ${position}`;
    return `(${row}, ${place(textOf(before))}, ${place(textOf(after))}, ${atMs})`;
  });
  return `insert into settle_undo (table_name, row_key, step, gid, branch_id, position,
      before_image, after_image, created_at_ms)
    values ${rows.join(', ')}`;
}

function textOf(image: Image | null): string | null {
  return image === null ? null : JSON.stringify(image);
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

/** Read from a row. */
export function holderIn(row: Readonly<Record<string, unknown>>): Holder {
  return {
    gid: String(row['gid']),
    table: String(row['table_name']),
    key: String(row['row_key']),
  };
}
