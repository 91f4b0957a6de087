/**
 * Plain inserts. With `returning` (MariaDB) the images come with the user's rows; otherwise the rows
 * are read afterwards by their keys. Whoever meets a row that is there belongs to `write-upsert.ts`.
 */
import type { WriteJob, Written } from '../dialect.ts';
import type { TableFacts } from '../facts.ts';
import type { Step } from '../image.ts';
import { imageColumns } from '../statement.ts';
import { compose, imageAs } from './compose.ts';
import { insertedRows, newRowsOf, refuseScatteredNumbers } from './new-rows.ts';
import type { InsertShape } from './shape.ts';
import { imagesUnder, type Rows } from './stored-rows.ts';
import type { InsertFactsOf } from './unique-keys.ts';

/** Runs it. Throws AT_UNSUPPORTED_SQL. */
export async function writeInsert<Native, Result>(
  job: WriteJob<Native, Result>,
  shape: InsertShape,
  insertFactsOf: InsertFactsOf,
): Promise<Written<Result>> {
  const { session, statement, perform } = job;
  const { parameters } = statement;
  const facts = tableOf(job);
  const table = await insertFactsOf(session, facts);
  const rows = newRowsOf(shape, { facts, table }, parameters);
  refuseScatteredNumbers(shape, rows);
  const result = await perform(statement.text, parameters);
  return { result, steps: insertSteps(facts, await insertedRows(session, facts, rows)) };
}

/** An insert, also one that passes rows over: only rows that were inserted come back. */
export async function writeReturning<Native, Result>(
  job: WriteJob<Native, Result>,
  shape: InsertShape,
): Promise<Written<Result>> {
  const { statement, perform } = job;
  const { results, parameters } = statement;
  const facts = tableOf(job);
  const image = `, ${imageAs(facts, shape.target.reference, imageColumns.after)}`;
  const insert = compose(parameters, [shape.start, 'returning', shape.returning, image]);
  const result = await perform(insert.text, insert.values);
  const rows = imagesUnder(imageColumns.after, facts, results.rowsOf(result));
  const cleaned = results.without(result, [imageColumns.after], true);
  return { result: cleaned, steps: insertSteps(facts, rows) };
}

/** The one table that is written. */
export function tableOf<Native, Result>({ facts }: WriteJob<Native, Result>): TableFacts {
  const [table] = facts;
  if (table === undefined) throw new Error('a write to no table');
  return table;
}

/** Steps of rows that were not there. */
export function insertSteps(facts: TableFacts, rows: Rows): readonly Step[] {
  return [...rows].map(([key, after]) => ({ table: facts.id, key, before: null, after }));
}
