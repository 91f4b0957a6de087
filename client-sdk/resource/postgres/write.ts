/**
 * Writes on PostgreSQL: the user's statement with `returning` images, in one round trip; an upsert
 * first looks at the rows that are there.
 */
import type { WriteJob, Written } from '../dialect.ts';
import type { Image } from '../image.ts';
import { rowKey } from '../row-key.ts';
import { imageColumns, type Rewritten, type SqlAnalyzer } from '../statement.ts';
import { ownColumns, stepsOf } from '../steps.ts';
import { imageOf } from './image-text.ts';

/** Runs the write. Throws AT_UNSUPPORTED_SQL before, or after it has run when the images say so. */
export async function writeOnPostgres<Native, Result>(
  analyzer: SqlAnalyzer,
  job: WriteJob<Native, Result>,
): Promise<Written<Result>> {
  const { write, facts, statement, perform } = job;
  const rewritten = await analyzer.rewrite(statement.text, facts);
  const there = await imagesThere(job, rewritten);
  const result = await perform(rewritten.text, statement.parameters);
  const rows = statement.results.rowsOf(result);
  const steps = stepsOf({ write, facts, there, image: imageOf }, rows);
  const columns = ownColumns(facts.length);
  return { result: statement.results.without(result, columns, rewritten.givesRows), steps };
}

/** Rows that an upsert finds, locked, by their keys. */
async function imagesThere<Native, Result>(
  { facts: [facts], statement, session }: WriteJob<Native, Result>,
  { before }: Rewritten,
): Promise<ReadonlyMap<string, Image>> {
  const there = new Map<string, Image>();
  if (before === null || facts === undefined) return there;
  const values = before.parameters.map((number) => statement.parameters[number - 1]);
  const { rows } = await session.query(before.text, values);
  for (const row of rows) {
    const image = imageOf(facts, String(row[imageColumns.before]));
    there.set(rowKey(facts, image), image);
  }
  return there;
}
