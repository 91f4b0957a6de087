/**
 * `select … for update` and its kin. The images come with the user's rows where one row of his is
 * one row of the tables. Otherwise his select runs first and locks its rows, and ours reads them
 * after it: it can only find more of them, and locks what it finds.
 */
import type { WriteJob, Written } from '../dialect.ts';
import type { Step } from '../image.ts';
import { unsupported } from '../refusal.ts';
import { imageColumns } from '../statement.ts';
import { ownColumns } from '../steps.ts';
import { allRows, compose, imageAs } from './compose.ts';
import type { LockShape } from './shape.ts';
import { imagesUnder } from './stored-rows.ts';

/** Runs it. Throws AT_UNSUPPORTED_SQL. */
export async function writeLock<Native, Result>(
  job: WriteJob<Native, Result>,
  shape: LockShape,
): Promise<Written<Result>> {
  const { statement, perform, facts } = job;
  const { parameters, results } = statement;
  const images = facts
    .map((each, i) => imageAs(each, shape.targets[i]?.reference ?? '', columnOf(i)))
    .join(', ');
  if (shape.isPlain) {
    const { list, rest, lock } = shape;
    const all = shape.hasLimit ? null : allRows;
    const select = compose(parameters, [list, `, ${images}`, rest, all, lock]);
    const result = await perform(select.text, select.values);
    const steps = stepsOf(job, results.rowsOf(result));
    return { result: results.without(result, ownColumns(facts.length), true), steps };
  }
  if (shape.hasLimit) {
    throw unsupported(
      'a lock with a limit and a computed column or order',
      'select plain columns, in the order of plain columns',
    );
  }
  const result = await perform(statement.text, parameters);
  const select = compose(parameters, [`select ${images}`, shape.rest, allRows, shape.lock]);
  const locked = await perform(select.text, select.values);
  return { result, steps: stepsOf(job, results.rowsOf(locked)) };
}

function columnOf(index: number): string {
  return index === 0 ? imageColumns.before : `${imageColumns.before}_${index + 1}`;
}

function stepsOf<Native, Result>(
  { facts }: WriteJob<Native, Result>,
  rows: readonly Readonly<Record<string, unknown>>[],
): readonly Step[] {
  return facts.flatMap((each, i) =>
    [...imagesUnder(columnOf(i), each, rows)].map(([key, image]) => ({
      ...{ table: each.id, key, before: image, after: image },
    })),
  );
}
