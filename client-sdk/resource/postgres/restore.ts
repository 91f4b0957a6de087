/**
 * Writes the before images of a gid back. All of it is compared before any of it is written, and
 * what was written is read again: nothing but the row that stood there before is left behind, or
 * the answer is `dirty` and the caller rolls back. The statements are in `row-writer.ts`.
 *
 * What is written is planned in `restore-plan.ts`: it passes the states that the statements passed,
 * so foreign and unique keys hold on the way; those that may be checked late are. Within one
 * statement foreign keys need not hold: rows of one table that refer to each other come and go
 * together.
 */
import type { Gid } from '../../protocol/index.ts';
import type { Choices } from '../choices.ts';
import type { Session } from '../facts.ts';
import type { Image, Step } from '../image.ts';
import { type LookedUp, lookUpRows, type RowSource } from '../planned-row.ts';
import { dirtyRow, planned, type ResolvedSteps, writtenRows } from '../restore-plan.ts';
import type { LookedAt } from '../undo-store.ts';
import { partsOf } from './functions.ts';
import { passGuards } from './guard.ts';
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
 * Restores all undo rows of the gid and deletes them; see {@link planned} for what counts as
 * restored, and {@link restoring} for what it throws.
 */
export async function resolveSteps(
  session: Session,
  gid: Gid,
  choices: Choices,
): Promise<ResolvedSteps> {
  await session.query(settings);
  const undo = await undoRowsOf(session, gid, 'for update');
  const source = sourceOf(session, undo, 'for update of t');
  const rows = await lookUpRows(source, undo);
  const steps = undo.length;
  const plan = planned(undo, rows, choices);
  if (plan.kind !== 'changes') {
    await refuseLateSteps(session, gid, steps);
    return { resolved: plan, steps };
  }
  const { changes, chosen } = plan;
  const objection = await writeAll(session, changes);
  if (objection !== null) {
    const { change, why } = objection;
    const row = dirtyRow(change.step, change.from, why);
    return { resolved: { kind: 'dirty', row, others: [] }, steps };
  }
  if (changes.length > 0) await session.query('set constraints all immediate');
  if (steps > 0) await session.query(deletion, [gid, undo.map(({ undoId }) => undoId)]);
  const written = await writtenRows(source, undo, { rows, chosen });
  return { resolved: { kind: 'resolved', rows: written }, steps };
}

/** The undo rows of the gid and the rows that they are about; nothing is locked. */
export async function lookAtRows(session: Session, gid: Gid): Promise<LookedAt> {
  await session.query(settings);
  const undo = await undoRowsOf(session, gid, '');
  return { undo, rows: await lookUpRows(sourceOf(session, undo, ''), undo) };
}

function sourceOf(
  session: Session,
  undo: readonly UndoRow[],
  lock: 'for update of t' | '',
): RowSource<RestoredTable> {
  const missing = new Set(undo.filter((step) => !step.isTableThere).map(({ table }) => table));
  return {
    // A statement on a table that is gone would end the local transaction.
    lookUp: async (id) =>
      missing.has(id) ? { table: null, why: gone } : await lookUp(session, id),
    currentRows: (table, images) => currentRows(session, table, images, lock),
  };
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
  if (changes.some(({ table }) => table.facts.isGuarded)) await session.query(passGuards);
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
  if ((await undoRowsOf(session, gid, 'for update')).length === known) return;
  throw new Error('another branch of the same transaction has just committed');
}

interface UndoRow extends Step {
  readonly undoId: string;
  readonly isTableThere: boolean;
}

// By (gid, undo_id).
const selection = `select undo_id::text as undo_id, table_name, row_key, before_image, after_image,
    (to_regclass(table_name) is not null)::int as is_there
  from settle_undo where gid = $1 order by settle_undo.undo_id desc`;

const deletion = `delete from settle_undo where gid = $1 and undo_id = any ($2::bigint[])`;

/** Newest first. With a lock it waits for whoever deletes them at this moment. */
async function undoRowsOf(
  session: Session,
  gid: Gid,
  lock: 'for update' | '',
): Promise<readonly UndoRow[]> {
  const { rows } = await session.query(`${selection} ${lock}`, [gid]);
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

/** The table as it is, and as it stays until we are done. Throws when there is none. */
export async function lookUp(session: Session, id: string): Promise<LookedUp<RestoredTable>> {
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
