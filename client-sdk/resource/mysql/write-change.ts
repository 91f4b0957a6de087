/**
 * Updates and deletes. The rows are chosen, locked and read by a select with the user's own
 * conditions; then his change runs on exactly these rows, by their keys; then an update's rows are
 * read again. Guards: a condition is not asked twice, for it could choose other rows the second
 * time (`rand()`, a limit, a row that another transaction has just inserted).
 */
import type { WriteJob, Written } from '../dialect.ts';
import type { TableFacts } from '../facts.ts';
import type { Step } from '../image.ts';
import { unsupported } from '../refusal.ts';
import { imageColumns } from '../statement.ts';
import { allRows, clause, compose, imageAs, keysMatch, type Part } from './compose.ts';
import { quoted } from './names.ts';
import { isWord } from './pieces.ts';
import type { ChangeShape } from './shape.ts';
import { imagesUnder, lockedRows, type Rows } from './stored-rows.ts';

/** Runs it. Throws AT_UNSUPPORTED_SQL; the rows may be locked, and changed, by then. */
export async function writeChange<Native, Result>(
  job: WriteJob<Native, Result>,
  shape: ChangeShape,
  facts: TableFacts,
): Promise<Written<Result>> {
  refuseKeyColumns(facts, shape.columnsSet);
  const { statement, perform, session } = job;
  const { parameters } = statement;
  const select = compose(parameters, selectOf(shape, facts));
  const chosen = await perform(select.text, select.values);
  const before = imagesUnder(imageColumns.before, facts, statement.results.rowsOf(chosen));
  const change = compose(parameters, changeOf(shape, facts, before));
  const result = await perform(change.text, change.values);
  // `delete ignore` leaves rows that others refer to.
  const isGone = shape.verb === 'delete' && !isIgnored(shape);
  if (isGone) return { result, steps: stepsOf(shape, facts, before, new Map()) };
  const { rows: after, areFree } = await lockedRows(session, facts, before);
  return { result, steps: stepsOf(shape, facts, before, after), isFree: areFree };
}

/** Throws when a column of the primary key is among them. */
export function refuseKeyColumns(facts: TableFacts, columns: readonly string[]): void {
  const names = columns.map((name) => name.toLowerCase());
  const column = facts.key.find(({ name }) => names.includes(name.toLowerCase()));
  if (column === undefined) return;
  throw unsupported(
    `an update that sets ${column.name}, which is in the primary key of ${facts.id}`,
    'leave it out, or delete the row and insert another one',
  );
}

function selectOf(shape: ChangeShape, facts: TableFacts): readonly Part[] {
  return [
    `select ${imageAs(facts, shape.target.reference, imageColumns.before)} from`,
    shape.sources,
    ...clause('where', shape.where),
    ...clause('order by', shape.order),
    ...(shape.limit === null ? [allRows] : clause('limit', shape.limit)),
    'for update',
  ];
}

function changeOf(shape: ChangeShape, facts: TableFacts, before: Rows): readonly Part[] {
  const { head, sources, target, isJoin, order, returning } = shape;
  const images = [...before.values()];
  // The rows of a delete are known by now: it needs no join any more.
  if (shape.verb === 'delete' && isJoin) {
    return [head, `from ${facts.id} where`, keysMatch(facts, facts.id, images)];
  }
  const keys = keysMatch(facts, quoted(target.reference), images);
  // The order says which row comes first when two must not have the same value for a moment.
  const tail = [...clause('order by', order), ...clause('returning', returning)];
  if (shape.verb === 'delete') return [head, 'from', sources, 'where', keys, ...tail];
  // A join says where the new values come from.
  const joins = isJoin ? [...clause('(', shape.where), ...(shape.where ? [') and'] : [])] : [];
  return [head, sources, 'set', shape.set, 'where', ...joins, keys, ...tail];
}

function stepsOf(
  { verb }: ChangeShape,
  facts: TableFacts,
  before: Rows,
  after: Rows,
): readonly Step[] {
  return [...before].map(([key, image]) => {
    const now = after.get(key) ?? null;
    if (now === null && verb === 'update') throw changedKey(facts);
    return { table: facts.id, key, before: image, after: now };
  });
}

function isIgnored({ head }: ChangeShape): boolean {
  return head.tokens.some((token) => isWord(token, 'ignore'));
}

function changedKey({ id }: TableFacts): Error {
  return unsupported(
    `an update that changes the primary key of ${id}`,
    'delete the row and insert another one',
  );
}
