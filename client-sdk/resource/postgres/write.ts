/**
 * Writes on PostgreSQL: the user's statement with `returning` images, in one round trip; an upsert
 * first looks at the rows that are there.
 */
import type { WriteJob, Written } from '../dialect.ts';
import type { TableFacts } from '../facts.ts';
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
  const key = keyGiven(facts, rewritten, statement.parameters);
  const { parameters } = statement;
  const isLooking = rewritten.keyParameters !== null;
  const result = await perform(rewritten.text, isLooking ? [...parameters, key] : parameters);
  const rows = statement.results.rowsOf(result);
  const steps = stepsOf({ write, facts, there, image: imageOf }, rows);
  const columns = ownColumns(facts.length);
  return {
    result: statement.results.without(result, columns, rewritten.givesRows),
    steps,
    // It has looked when the row was locked, at the row that was changed and at no other.
    isFree:
      rows.every((row) => row[imageColumns.held] === false) &&
      steps.every((step) => step.key === key),
  };
}

/** The key of the only row that it can change, if that is told by parameters whose text is plain. */
function keyGiven(
  [facts]: readonly TableFacts[],
  { keyParameters }: Rewritten,
  parameters: readonly unknown[],
): string | null {
  if (facts === undefined || keyParameters === null) return null;
  if (facts.key.some(({ form }) => form !== 'text')) return null;
  const values = keyParameters.map((number) => parameters[number - 1]);
  return values.every(isPlain) ? JSON.stringify(values.map(String)) : null;
}

function isPlain(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint';
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
