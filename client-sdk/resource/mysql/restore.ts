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
import type { Session } from '../facts.ts';
import { sameImage } from '../image.ts';
import {
  dirtyRow,
  type LookedUp,
  lockRows,
  type PlannedRows,
  planned,
  type RowChange,
  rowIdentity,
} from '../restore-plan.ts';
import type { DirtyRow, Restored } from '../undo-store.ts';
import { partsOf } from './names.ts';
import { currentRows, type RestoredTable, writeBack } from './row-writer.ts';
import { restoreSettings } from './session.ts';
import { factsFrom } from './table-facts.ts';
import { readTable } from './table-query.ts';
import { deletePlaces, lockUndoRows, placesOf } from './undo-rows.ts';

type Change = RowChange<RestoredTable>;

/**
 * Restores all undo rows of the gid and deletes them; see {@link planned} for what counts as
 * restored. Throws what the driver throws, such as a unique key that another row has taken meanwhile:
 * nothing is decided then, and it is asked again. Leaves settings to be put back (`session.ts`).
 */
export async function restoreRows(session: Session, gid: Gid): Promise<Restored> {
  await session.query(restoreSettings);
  const places = await placesOf(session, [gid]);
  if (places.length === 0) return { kind: 'restored', rows: 0 };
  const undo = await lockUndoRows(session, gid, places);
  const rows = await lockRows(
    {
      lookUp: (id) => lookUp(session, id),
      currentRows: (table, images) => currentRows(session, table, images),
    },
    undo,
  );
  const plan = planned(undo, rows);
  if (plan.kind === 'dirty') return plan;
  const dirty =
    (await writeAll(session, plan.changes)) ?? (await differing(session, plan.changes, rows));
  if (dirty !== null) return { kind: 'dirty', row: dirty };
  await deletePlaces(session, [gid], undo);
  return { kind: 'restored', rows: undo.length };
}

/** The table as it is, and as it stays until we are done. */
async function lookUp(session: Session, id: string): Promise<LookedUp<RestoredTable>> {
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

/** In rounds, for as long as each brings some of them through. */
async function writeAll(session: Session, changes: readonly Change[]): Promise<DirtyRow | null> {
  let left = changes;
  while (left.length > 0) {
    const round = await writeRound(session, left);
    if (round.dirty !== null) return round.dirty;
    if (round.late.length === left.length) throw round.error;
    left = round.late;
  }
  return null;
}

interface Round {
  readonly dirty: DirtyRow | null;
  readonly late: readonly Change[];
  /** Of the first that was late. */
  readonly error: unknown;
}

async function writeRound(session: Session, changes: readonly Change[]): Promise<Round> {
  const late: Change[] = [];
  const waiting = new Set<string>();
  let firstError: unknown = null;
  for (const change of changes) {
    const identity = rowIdentity(change.step);
    // An earlier step of a row that waits comes after it.
    if (waiting.has(identity)) {
      late.push(change);
      continue;
    }
    try {
      const why = await writeBack(session, change);
      if (why !== null) {
        return { dirty: dirtyRow(change.step, change.from, why), late, error: null };
      }
    } catch (error) {
      // The statement has done nothing; the transaction goes on.
      if (!hasErrno(error, inTheWay)) throw error;
      firstError ??= error;
      waiting.add(identity);
      late.push(change);
    }
  }
  return { dirty: null, late, error: firstError };
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
    if (image === null || current === null ? image === current : sameImage(image, current))
      continue;
    const column = table.facts.columns.find(({ name }) => current?.[name] !== image?.[name])?.name;
    const why = `column ${column ?? '?'} reads differently once it is written back`;
    return dirtyRow(step, current, why);
  }
  return null;
}
