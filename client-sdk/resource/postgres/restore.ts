/**
 * Writes the before images of a gid back. All of it is compared before any of it is written, and
 * what was written is read again: nothing but the row that stood there before is left behind, or
 * the answer is `dirty` and the caller rolls back. The statements are in `row-writer.ts`.
 *
 * A row may have several steps; they follow each other, so after undoing step n it is as step n-1
 * left it. Newest first over all tables passes the states that the statements passed, so foreign
 * and unique keys hold on the way; those that may be checked late are. Within one statement foreign
 * keys need not hold: rows of one table that refer to each other come and go together.
 */
import type { Gid } from '../../protocol/index.ts';
import type { Session } from '../facts.ts';
import { type Image, type Step, sameImage } from '../image.ts';
import { rowKey } from '../row-key.ts';
import type { DirtyRow, Restored } from '../undo-store.ts';
import { partsOf } from './functions.ts';
import {
  currentRows,
  type Objection,
  type RestoredTable,
  type RowChange,
  verbOf,
  writeBack,
} from './row-writer.ts';
import { factsFrom } from './table-facts.ts';
import { readTable } from './table-query.ts';

/**
 * Restores all undo rows of the gid and deletes them. A row that is already as it was before the
 * gid came (somebody put it back, a row that was inserted is gone) counts as restored; a row that
 * was only locked is not looked at. Throws what the driver throws, such as a unique key that
 * another row has taken meanwhile: nothing is decided then, and it is asked again.
 */
export async function restoreRows(session: Session, gid: Gid): Promise<Restored> {
  await session.query(settings);
  const undo = await undoRowsOf(session, gid);
  const rows = await lockRows(session, undo);
  const changes: RowChange[] = [];
  for (const step of undo) {
    const row = rows.get(identity(step));
    if (row === undefined) throw new Error(`no row was looked up for ${step.table} ${step.key}`);
    const why = undoStep(row, step, changes);
    if (why === null) continue;
    await refuseLateSteps(session, gid, undo.length);
    return dirty(step, row.found, why);
  }
  const objection = await writeAll(session, changes);
  if (objection !== null) return dirty(objection.change.step, objection.change.from, objection.why);
  if (changes.length > 0) await session.query('set constraints all immediate');
  if (undo.length > 0) await session.query(deletion, [gid, undo.map(({ undoId }) => undoId)]);
  return { kind: 'restored', rows: undo.length };
}

// Texts are read under the settings that they were written under (see settle_image), whatever this
// session has; array_nulls and xmloption are about reading only. The search path stays: functions
// in checks and generated columns may need it.
const settings = `set local timezone to 'UTC';
  set local datestyle to 'ISO, YMD';
  set local intervalstyle to 'postgres';
  set local extra_float_digits to 1;
  set local bytea_output to 'hex';
  set local lc_monetary to 'C';
  set local array_nulls to on;
  set local xmloption to content;
  set constraints all deferred`;

/**
 * Writes them in their order, and when a foreign key speaks against that, once more with updates
 * before deletes: an upsert may have pointed rows that were there at rows that it inserted.
 */
async function writeAll(
  session: Session,
  changes: readonly RowChange[],
): Promise<Objection | null> {
  const others = updatesFirst(changes);
  const isOther = others.some((change, index) => change !== changes[index]);
  if (!isOther) return await writeGroups(session, groupsOf(changes));
  await session.query('savepoint settle_restore');
  try {
    return await writeGroups(session, groupsOf(changes));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === foreignKeyViolation)) {
      throw error;
    }
    await session.query('rollback to savepoint settle_restore');
    return await writeGroups(session, groupsOf(others));
  }
}

const foreignKeyViolation = '23503';

async function writeGroups(
  session: Session,
  groups: readonly (readonly RowChange[])[],
): Promise<Objection | null> {
  for (const group of groups) {
    const objection = await writeBack(session, group);
    if (objection !== null) return objection;
  }
  return null;
}

/** Neighbours that insert into, or delete from, the same table. */
function groupsOf(changes: readonly RowChange[]): readonly (readonly RowChange[])[] {
  const groups: RowChange[][] = [];
  for (const change of changes) {
    const last = groups.at(-1);
    const [first] = last ?? [];
    const isSame =
      first !== undefined &&
      verbOf(change) !== 'update' &&
      verbOf(change) === verbOf(first) &&
      change.table.facts.id === first.table.facts.id;
    if (isSame) last?.push(change);
    else groups.push([change]);
  }
  return groups;
}

/** Among neighbours of one table that update and delete; the steps of one row keep their order. */
function updatesFirst(changes: readonly RowChange[]): readonly RowChange[] {
  const ordered: RowChange[] = [];
  let deletes: RowChange[] = [];
  for (const change of changes) {
    const isEnd = verbOf(change) === 'insert' || deletes[0]?.table !== change.table;
    if (isEnd) ordered.push(...deletes.splice(0));
    if (verbOf(change) === 'delete') deletes = [...deletes, change];
    else ordered.push(change);
  }
  return [...ordered, ...deletes];
}

/**
 * A local transaction of the same gid that was in flight may have committed while its rows were
 * waited for: they are not dirty, they have one more step. Throws then: it is asked again.
 */
async function refuseLateSteps(session: Session, gid: Gid, known: number): Promise<void> {
  if ((await undoRowsOf(session, gid)).length === known) return;
  throw new Error('another branch of the same transaction has just committed');
}

interface UndoRow extends Step {
  readonly undoId: string;
  readonly isTableThere: boolean;
}

// By (gid, undo_id). Waits for whoever deletes them at this moment.
const selection = `select undo_id::text as undo_id, table_name, row_key, before_image, after_image,
    (to_regclass(table_name) is not null)::int as is_there
  from settle_undo where gid = $1 order by settle_undo.undo_id desc for update`;

const deletion = `delete from settle_undo where gid = $1 and undo_id = any ($2::bigint[])`;

async function undoRowsOf(session: Session, gid: Gid): Promise<readonly UndoRow[]> {
  const { rows } = await session.query(selection, [gid]);
  return rows.map((row) => ({
    undoId: String(row['undo_id']),
    isTableThere: Number(row['is_there']) === 1,
    table: String(row['table_name']),
    key: String(row['row_key']),
    before: storedImage(row['before_image']),
    after: storedImage(row['after_image']),
  }));
}

function storedImage(text: unknown): Image | null {
  // A parse boundary: only the undo store writes there.
  return typeof text === 'string' ? (JSON.parse(text) as Image) : null;
}

/** A data row on its way back. */
interface Row {
  /** Null: the table cannot be restored to; `why` says it. */
  readonly table: RestoredTable | null;
  readonly why: string;
  /** As it is in the database. */
  readonly found: Image | null;
  /** As it was before the first step. */
  readonly original: Image | null;
  /** As it will be after what is planned so far. */
  image: Image | null;
}

/** Plans one step; answers what is against it. */
function undoStep(row: Row, step: UndoRow, changes: RowChange[]): string | null {
  const { before, after } = step;
  if (before !== null && after !== null && sameImage(before, after)) return null;
  if (row.table === null) return row.why;
  const why = misfit(row.table, step);
  if (why !== null) return why;
  if (isSame(row.image, after)) {
    changes.push({ table: row.table, step, from: after, to: before });
    row.image = before;
    return null;
  }
  if (isSame(row.image, before) || isSame(row.image, row.original)) return null;
  if (row.found === null) return 'somebody else deleted it';
  return after === null ? 'somebody else inserted it again' : 'somebody else changed it';
}

function isSame(one: Image | null, other: Image | null): boolean {
  return one === null || other === null ? one === other : sameImage(one, other);
}

/** How the table differs from that which the images are of; null: not at all. */
function misfit({ facts }: RestoredTable, step: Step): string | null {
  const names = facts.columns.map(({ name }) => name);
  for (const image of [step.before, step.after]) {
    if (image === null) continue;
    const added = names.find((name) => !Object.hasOwn(image, name));
    if (added !== undefined) return `its table has got a column ${added} since`;
    const dropped = Object.keys(image).find((name) => !names.includes(name));
    if (dropped !== undefined) return `its table has no column ${dropped} any more`;
    if (rowKey(facts, image) !== step.key) return 'its table has got another primary key since';
  }
  return null;
}

/** Locks all rows that the steps are about, table by table, and answers them as they are. */
async function lockRows(
  session: Session,
  undo: readonly UndoRow[],
): Promise<ReadonlyMap<string, Row>> {
  const rows = new Map<string, Row>();
  for (const [table, steps] of Map.groupBy(undo, (step) => step.table)) {
    const isThere = steps.every((step) => step.isTableThere);
    const known = isThere ? await lookUp(session, table) : { table: null, why: gone };
    const fitting = known.table === null ? [] : steps.filter(hasKeyOf(known.table));
    const wanted = new Map(fitting.reverse().map((step) => [step.key, step.after ?? step.before]));
    const images = [...wanted.values()].filter((image) => image !== null);
    const found =
      known.table === null || images.length === 0
        ? new Map<string, Image>()
        : await currentRows(session, known.table, images);
    // From the newest to the oldest: the last one to say what the original was is the oldest.
    for (const step of steps) {
      const image = found.get(step.key) ?? null;
      rows.set(identity(step), { ...known, found: image, image, original: step.before });
    }
  }
  return rows;
}

/** A key that is another one by now is found out when the step's turn comes. */
function hasKeyOf({ facts }: RestoredTable): (step: Step) => boolean {
  return (step) => {
    const image = step.after ?? step.before;
    if (image === null || !facts.key.every(({ name }) => Object.hasOwn(image, name))) return false;
    return rowKey(facts, image) === step.key;
  };
}

/** The table as it is, and as it stays until we are done. */
async function lookUp(session: Session, id: string): Promise<Pick<Row, 'table' | 'why'>> {
  // As soon as it is read from, nobody changes its columns; and what is read from is locked first.
  await session.query(`select from ${id} limit 0`);
  const [schema, name] = partsOf(id);
  const row = await readTable(session, { schema: schema ?? null, name: name ?? '' });
  if (row === null) return { table: null, why: gone };
  const facts = factsFrom(row);
  if (facts.refusal !== null) return { table: null, why: `of its table: ${facts.refusal}` };
  return { table: { row, facts }, why: '' };
}

const gone = 'its table is gone';

function dirty({ table, key, before, after }: Step, current: Image | null, why: string): Restored {
  const row: DirtyRow = { table, key, before, after, current, why };
  return { kind: 'dirty', row };
}

/** No table's name has a NUL in it. */
function identity({ table, key }: Pick<Step, 'table' | 'key'>): string {
  return `${table}\0${key}`;
}
