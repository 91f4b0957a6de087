/**
 * Writes the before images of a gid back on MySQL and MariaDB. All of it is compared before any of
 * it is written, and every row that was written is read again: nothing but the row that stood there
 * before is left behind, or the answer is `dirty` and the caller rolls back.
 *
 * Foreign and unique keys are checked with each row here, and nobody knows in which order one
 * statement went through its rows. So a row that a key of another one does not let through waits
 * until the others have been written.
 */
import type { Gid } from '../../protocol/index.ts';
import type { Choices } from '../choices.ts';
import type { Session, TableFacts } from '../facts.ts';
import { type Image, rowIdentity, type Step } from '../image.ts';
import { type LookedUp, lookUpRows, type PlannedRows, type RowSource } from '../planned-row.ts';
import {
  dirtyRow,
  planned,
  type ResolvedSteps,
  type RowChange,
  writtenRows,
} from '../restore-plan.ts';
import type { DirtyRow, LookedAt } from '../undo-store.ts';
import { passGuards } from './guard.ts';
import { partsOf } from './names.ts';
import { currentRows, type RestoredTable, writeBack } from './row-writer.ts';
import { restoreSettings } from './session.ts';
import { factsFrom } from './table-facts.ts';
import { readTable } from './table-query.ts';
import { deletePlaces, placesOf, undoRowsOn } from './undo-rows.ts';

type Change = RowChange<RestoredTable>;

/**
 * Restores all undo rows of the gid and deletes them; see {@link planned} for what counts as
 * restored, and {@link restoring} for what it throws. Leaves settings to be put back (`session.ts`).
 */
export async function resolveSteps(
  session: Session,
  gid: Gid,
  choices: Choices,
): Promise<ResolvedSteps> {
  await session.query(restoreSettings);
  const undo = await undoRowsOf(session, gid, 'for update');
  const source = sourceOf(session, 'for update');
  const rows = await lookUpRows(source, undo);
  const steps = undo.length;
  const plan = planned(undo, rows, choices);
  if (plan.kind !== 'changes') return { resolved: plan, steps };
  const { changes, chosen } = plan;
  const row = (await writeAll(session, changes)) ?? (await differing(session, changes, rows));
  if (row !== null) return { resolved: { kind: 'dirty', row, others: [] }, steps };
  if (steps > 0) await deletePlaces(session, [gid], undo);
  const written = await writtenRows(source, undo, { rows, chosen });
  return { resolved: { kind: 'resolved', rows: written }, steps };
}

/** The undo rows of the gid and the rows that they are about; nothing is locked. */
export async function lookAtRows(session: Session, gid: Gid): Promise<LookedAt> {
  await session.query(restoreSettings);
  const undo = await undoRowsOf(session, gid, '');
  return { undo, rows: await lookUpRows(sourceOf(session, ''), undo) };
}

/** Newest first. */
async function undoRowsOf(
  session: Session,
  gid: Gid,
  lock: 'for update' | '',
): Promise<readonly Step[]> {
  const places = await placesOf(session, [gid]);
  return places.length === 0 ? [] : await undoRowsOn(session, gid, places, lock);
}

function sourceOf(session: Session, lock: 'for update' | ''): RowSource<RestoredTable> {
  return {
    lookUp: (id) => lookUp(session, id),
    currentRows: (table, images) => currentRows(session, table, images, lock),
  };
}

/** The table as it is, and as it stays until we are done. */
export async function lookUp(session: Session, id: string): Promise<LookedUp<RestoredTable>> {
  const [schema = '', name = ''] = partsOf(id);
  try {
    // As soon as it is read from, nobody changes its columns until the local transaction ends.
    await session.query(`select 1 as one from ${id} limit 0`);
  } catch (error) {
    if (!hasErrno(error, missing)) throw error;
    return { table: null, why: gone };
  }
  const row = await readTable(session, { schema, name });
  if (row === null) return { table: null, why: gone };
  const facts = factsFrom(row);
  if (facts.refusal !== null) return { table: null, why: `of its table: ${facts.refusal}` };
  return { table: { row, facts }, why: '' };
}

const gone = 'its table is gone';

/** Bad database, no such table. */
const missing: ReadonlySet<unknown> = new Set([1049, 1146]);

/** Duplicate key, row is referred to, no row is referred to. */
const inTheWay: ReadonlySet<unknown> = new Set([1062, 1451, 1452]);

function hasErrno(error: unknown, numbers: ReadonlySet<unknown>): boolean {
  return error instanceof Error && 'errno' in error && numbers.has(error.errno);
}

/** What waits for others; and why the last of them had to. */
interface Waiting {
  readonly late: Change[];
  error: unknown;
}

/**
 * In their order; what waits is tried again as soon as another one went through, so that no state is
 * passed that the statements did not pass.
 */
async function writeAll(session: Session, changes: readonly Change[]): Promise<DirtyRow | null> {
  if (changes.some(({ table }) => table.facts.isGuarded)) await session.query(passGuards);
  const waiting: Waiting = { late: [], error: null };
  for (const change of changes) {
    let outcome = await attempt(session, change, waiting);
    if (outcome === 'late') waiting.late.push(change);
    while (outcome === 'written') outcome = await attemptLate(session, waiting);
    if (outcome !== 'late') return outcome;
  }
  if (waiting.late.length > 0) throw waiting.error;
  return null;
}

type Outcome = 'written' | 'late' | DirtyRow;

/** The first of those that wait that goes through, if one does. */
async function attemptLate(session: Session, waiting: Waiting): Promise<Outcome> {
  const candidates = waiting.late.splice(0);
  let outcome: Outcome = 'late';
  for (const change of candidates) {
    const own: Outcome = outcome === 'late' ? await attempt(session, change, waiting) : 'late';
    if (own === 'late') waiting.late.push(change);
    else outcome = own;
  }
  return outcome;
}

/** Writes it, unless it or an earlier change of its row has to wait. */
async function attempt(session: Session, change: Change, waiting: Waiting): Promise<Outcome> {
  const identity = rowIdentity(change.step);
  if (waiting.late.some(({ step }) => rowIdentity(step) === identity)) return 'late';
  try {
    const why = await writeBack(session, change);
    return why === null ? 'written' : dirtyRow(change.step, change.from, why);
  } catch (error) {
    // The statement has done nothing; the transaction goes on.
    if (!hasErrno(error, inTheWay)) throw error;
    waiting.error = error;
    return 'late';
  }
}

/** A row that does not read as planned once all is written. */
async function differing(
  session: Session,
  changes: readonly Change[],
  rows: PlannedRows<RestoredTable>,
): Promise<DirtyRow | null> {
  const last = new Map(changes.map((change) => [rowIdentity(change.step), change]));
  for (const [identity, { table, step, from, to }] of last) {
    const key = to ?? from;
    if (key === null) continue;
    const current = (await currentRows(session, table, [key])).get(step.key) ?? null;
    const image = rows.get(identity)?.image ?? null;
    const why = difference(table.facts, image, current);
    if (why !== null) return dirtyRow(step, current, why);
  }
  return null;
}

function difference(facts: TableFacts, image: Image | null, current: Image | null): string | null {
  if (image === null || current === null) {
    return image === current ? null : 'it is not as it should be once it is written back';
  }
  // A column that the database computes of merged ones is not in the plan.
  const column = facts.columns.find(
    ({ name }) => Object.hasOwn(image, name) && current[name] !== image[name],
  );
  if (column === undefined) return null;
  return `column ${column.name} reads differently once it is written back`;
}
