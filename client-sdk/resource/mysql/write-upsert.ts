/**
 * `insert ignore`, `on duplicate key update` and `replace`. Rows that are there are looked up by
 * every unique key, locked and read, before the statement runs.
 *
 * Guards: a row that was there is never taken for a new one, for then an undo would delete it. Under
 * READ COMMITTED another transaction may insert a row between the look and the statement, so:
 *
 * - rows that meet none are inserted without `on duplicate key update`: such a row is an error then;
 * - rows that meet some are updated as the user wrote it: what they meet is locked, so it stays;
 * - `ignore` and `replace` are counted: one more or one less than was seen, and all is rolled back.
 */
import type { WriteJob, Written } from '../dialect.ts';
import type { TableFacts } from '../facts.ts';
import type { Image, Step } from '../image.ts';
import { sameImage } from '../image.ts';
import { unsupported } from '../refusal.ts';
import { compose } from './compose.ts';
import { type Meetings, meetingsOf } from './meetings.ts';
import {
  changedRows,
  insertedRows,
  type NewRow,
  newRowsOf,
  refuseScatteredNumbers,
} from './new-rows.ts';
import type { InsertShape } from './shape.ts';
import { rowsByKey } from './stored-rows.ts';
import type { InsertFacts, InsertFactsOf } from './unique-keys.ts';
import { refuseKeyColumns } from './write-change.ts';
import { insertSteps, tableOf } from './write-insert.ts';

/** What each of the three is given. */
interface Upsert<Native, Result> {
  readonly job: WriteJob<Native, Result>;
  readonly shape: InsertShape;
  readonly facts: TableFacts;
  readonly table: InsertFacts;
  readonly rows: readonly NewRow[];
  readonly meetings: Meetings;
}

/** Runs it. Throws AT_UNSUPPORTED_SQL, also when it has run: then nothing of it may be committed. */
export async function writeUpsert<Native, Result>(
  job: WriteJob<Native, Result>,
  shape: InsertShape,
  insertFactsOf: InsertFactsOf,
): Promise<Written<Result>> {
  const { session, statement } = job;
  const facts = tableOf(job);
  refuseKeyColumns(facts, shape.columnsSet);
  if (shape.returning !== null) {
    throw unsupported('an upsert with returning', 'select the row after it');
  }
  const table = await insertFactsOf(session, facts);
  const rows = newRowsOf(shape, { facts, table }, statement.parameters);
  refuseScatteredNumbers(shape, rows);
  const isCounted = shape.way === 'ignore';
  const meetings = await meetingsOf(session, { facts, table }, { rows, isCounted });
  const upsert = { job, shape, facts, table, rows, meetings };
  switch (shape.way) {
    case 'ignore':
      return await ignore(upsert);
    case 'replace':
      return await replace(upsert);
    case 'update':
      return await insertOrUpdate(upsert);
    case 'insert':
      throw new Error('a plain insert meets no row');
    default:
      return shape.way satisfies never;
  }
}

/** Rows that meet one are passed over. Others cannot all be inserted unless they are new. */
async function ignore<Native, Result>(upsert: Upsert<Native, Result>): Promise<Written<Result>> {
  const { job, facts, rows, meetings } = upsert;
  const { session, statement, perform } = job;
  const result = await perform(statement.text, statement.parameters);
  const changed = await changedRows(session);
  const made = rows.filter((_, i) => meetings.keys.every(({ isMet }) => isMet[i] !== true));
  if (changed !== made.length) throw raced(`${changed} of ${made.length} rows were inserted`);
  return { result, steps: insertSteps(facts, await insertedRows(session, facts, made)) };
}

async function insertOrUpdate<Native, Result>(
  upsert: Upsert<Native, Result>,
): Promise<Written<Result>> {
  const { job, shape, facts, rows, meetings } = upsert;
  const { session, statement, perform } = job;
  const isThere = rows.map((_, i) => isCertainlyMet(meetings, i));
  if (isThere.every((met) => !met)) {
    const insert = compose(statement.parameters, [shape.start]);
    const result = await perform(insert.text, insert.values).catch(refuseDuplicate);
    return { result, steps: insertSteps(facts, await insertedRows(session, facts, rows)) };
  }
  if (!isThere.every((met) => met)) {
    throw unsupported(
      'on duplicate key update with some rows that are there and some that are not',
      'send each row as a statement of its own',
    );
  }
  refuseMovedKeys(upsert);
  const result = await perform(statement.text, statement.parameters);
  const after = await rowsByKey(session, facts, [...meetings.found.values()]);
  const steps = [...meetings.found].map(([key, before]): Step => {
    const now = after.get(key);
    if (now === undefined) throw raced('a row that was there is gone');
    return { table: facts.id, key, before, after: now };
  });
  return { result, steps };
}

/**
 * Whether the row is certain to update one that is locked. The primary key is checked first, so when
 * it is met the others do not count; without it all must be met, for one that is not could be met by
 * the time the statement runs, and nobody says in which order they are checked.
 */
function isCertainlyMet({ keys }: Meetings, row: number): boolean {
  if (keys.some(({ key, isMet }) => key.isPrimary && isMet[row] === true)) return true;
  const said = keys.map(({ isMet }) => isMet[row]).filter((met) => met !== null);
  if (!said.includes(true)) return false;
  if (!said.includes(false)) return true;
  throw unsupported(
    'on duplicate key update of a row that some unique keys find and others do not',
    'look the row up with `select … for update`, then insert or update it',
  );
}

/** The second row of a statement may no longer meet what the first has changed. */
function refuseMovedKeys<Native, Result>(upsert: Upsert<Native, Result>): void {
  const { rows, shape, table } = upsert;
  if (rows.length === 1) return;
  const set = shape.columnsSet.map((name) => name.toLowerCase());
  const columns = table.keys.flatMap((key) => key.columns);
  const moved = columns.find((name) => set.includes(name.toLowerCase()));
  if (moved === undefined) return;
  throw unsupported(
    `on duplicate key update of several rows that sets ${moved}, which is in a unique key`,
    'send each row as a statement of its own',
  );
}

/** Each row that is met is deleted, or overwritten where it stands. */
async function replace<Native, Result>(upsert: Upsert<Native, Result>): Promise<Written<Result>> {
  const { job, facts, rows, meetings } = upsert;
  const { session, statement, perform } = job;
  refuseDeleteHazards(facts);
  const result = await perform(statement.text, statement.parameters);
  const changed = await changedRows(session);
  const after = await insertedRows(session, facts, rows);
  const { found } = meetings;
  // A row that is replaced by itself is not counted as deleted.
  const isSame = ([key, image]: readonly [string, Image]) => {
    const now = after.get(key);
    return now !== undefined && sameImage(image, now);
  };
  const same = [...found].filter(isSame).length;
  const counts = [rows.length + found.size - same];
  // Where others refer to the table it is. The one row has every unique value itself then, so there
  // can be no other that it met.
  if (rows.length === 1 && same === 1) counts.push(2);
  if (!counts.includes(changed)) {
    throw raced(`${changed} rows changed, ${found.size} were there`);
  }
  const gone = [...found].filter(([key]) => !after.has(key));
  const steps = [
    ...gone.map(([key, before]) => ({ table: facts.id, key, before, after: null })),
    ...[...after].map(([key, image]) => ({
      ...{ table: facts.id, key, before: found.get(key) ?? null, after: image },
    })),
  ];
  return { result, steps };
}

function refuseDeleteHazards({ id, hazards }: TableFacts): void {
  const [hazard] = hazards;
  if (hazard === undefined) return;
  throw unsupported(
    `replace into ${id} with ${hazard.what}`,
    'use `insert … on duplicate key update`',
  );
}

/** 1062: another transaction was faster. */
function refuseDuplicate(error: unknown): never {
  const isDuplicate = error instanceof Error && 'errno' in error && error.errno === 1062;
  if (isDuplicate) throw raced('another transaction has just inserted a row that it meets', error);
  throw error;
}

function raced(what: string, cause?: unknown): Error {
  const error = unsupported(`an upsert of which not all is known: ${what}`, 'run it again');
  if (cause !== undefined) error.cause = cause;
  return error;
}
