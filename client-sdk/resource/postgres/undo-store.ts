/**
 * Undo rows on PostgreSQL: inserted, looked up, deleted. Writing rows back is in `restore.ts`.
 * Invariant: what {@link UndoStore.insert} leaves is all of the given steps, or none. All of it
 * wants READ COMMITTED: a statement sees what the one before it has waited for.
 */
import type { Gid } from '../../protocol/index.ts';
import type { BranchKey } from '../dialect.ts';
import type { Session } from '../facts.ts';
import type { Image, Step } from '../image.ts';
import type { Holder, UndoStore } from '../undo-store.ts';
import { restoreRows } from './restore.ts';

/** The store; keeps nothing in memory. `restore` reads the facts of its tables afresh. */
export function createPostgresUndoStore(): UndoStore {
  return {
    insert,
    async holders(session, gid, rows) {
      if (rows.length === 0) return [];
      return foreign(await occupants(session, rows), gid);
    },
    async clear(session, gids) {
      if (gids.length > 0) await session.query(deleteOfGids, [gids]);
    },
    restore: (session, _catalog, gid) => restoreRows(session, gid),
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
    taken = new Map(found.map((row) => [identity(row), row.steps]));
  }
  throw new Error('undo rows were in the way of others, and gone again, time after time');
}

const deleteOfBranch = 'delete from settle_undo where gid = $1 and branch_id = $2';

/** Inserts what is not in the way of anybody and answers how many. `taken`: steps before these. */
async function insertFrom(
  session: Session,
  { gid, branchId }: BranchKey,
  steps: readonly Step[],
  taken: ReadonlyMap<string, number>,
): Promise<number> {
  const next = new Map(taken);
  const numbers = steps.map((step) => {
    const number = next.get(identity(step)) ?? 0;
    next.set(identity(step), number + 1);
    return number;
  });
  const { count } = await session.query(insertion, [
    steps.map(({ table }) => table),
    steps.map(({ key }) => key),
    numbers,
    steps.map(({ before }) => textOf(before)),
    steps.map(({ after }) => textOf(after)),
    gid,
    branchId,
    Date.now(),
  ]);
  return count;
}

/** No image is empty; and NULL in an array is the word, not the value, where array_nulls is off. */
function textOf(image: Image | null): string {
  return image === null ? '' : JSON.stringify(image);
}

// On conflict do nothing, the primary key is waited for: for the end of the transaction that
// inserts, or deletes, what is in the way. undo_id is numbered in the order of the steps.
const insertion = `insert into settle_undo (table_name, row_key, step, gid, branch_id, position,
    before_image, after_image, created_at_ms)
  select given.table_name, given.row_key, given.step, $6, $7, given.position,
    nullif(given.before_image, ''), nullif(given.after_image, ''), $8
  from unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::text[]) with ordinality
    as given (table_name, row_key, step, before_image, after_image, position)
  order by given.position
  on conflict do nothing`;

interface Occupant extends Holder {
  readonly steps: number;
}

/** Who has undo rows on these keys, and how many steps. By the primary key's prefix. */
async function occupants(
  session: Session,
  rows: readonly Pick<Step, 'table' | 'key'>[],
): Promise<readonly Occupant[]> {
  const found = await session.query(occupantsOf, [
    rows.map(({ table }) => table),
    rows.map(({ key }) => key),
  ]);
  return found.rows.map((row) => ({
    gid: String(row['gid']),
    table: String(row['table_name']),
    key: String(row['row_key']),
    steps: Number(row['steps']),
  }));
}

const occupantsOf = `select table_name, row_key, gid, max(step) + 1 as steps from settle_undo
  where (table_name, row_key) in (select * from unnest($1::text[], $2::text[]))
  group by table_name, row_key, gid`;

function foreign(found: readonly Occupant[], own: Gid): readonly Holder[] {
  return found.filter(({ gid }) => gid !== own).map(({ gid, table, key }) => ({ gid, table, key }));
}

/** No table's name has a NUL in it. */
function identity({ table, key }: Pick<Step, 'table' | 'key'>): string {
  return `${table}\0${key}`;
}
