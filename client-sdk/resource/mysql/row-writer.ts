/**
 * The statements that read, lock and write data rows for a rollback on MySQL. Each row is looked up
 * by its whole key, so that no other row is waited for. Guards: exactly one row is touched, and no
 * other with it; what was written is read again by `restore.ts`.
 */
import type { Column, Session, TableFacts } from '../facts.ts';
import type { Image } from '../image.ts';
import type { RowChange } from '../restore-plan.ts';
import { rowKey } from '../row-key.ts';
import {
  imageExpression,
  imageOf,
  isWhole,
  keyCondition,
  keyConditionOf,
  writtenAs,
} from './image-columns.ts';
import { quoted } from './names.ts';
import { deleteAction, hazardOfUndo, touchedByUpdate } from './table-facts.ts';
import type { ReferenceRow, TableRow } from './table-query.ts';

/** A table as it is now. */
export interface RestoredTable {
  readonly row: TableRow;
  readonly facts: TableFacts;
}

/**
 * Answers the rows with the keys of these images by key, and locks them unless they are only read;
 * others are not there.
 */
export async function currentRows(
  session: Session,
  { facts }: RestoredTable,
  images: readonly Image[],
  lock: 'for update' | '' = 'for update',
): Promise<ReadonlyMap<string, Image>> {
  const current = new Map<string, Image>();
  for (const image of images) {
    const { rows } = await session.query(
      `select ${imageExpression(facts, 't')} as image from ${facts.id} as t
        where ${keyCondition(facts, 't', image)} ${lock}`,
    );
    for (const { image: text } of rows) {
      if (!isWhole(text)) throw new Error(`a row of ${facts.id} is too long to be read`);
      const found = imageOf(facts, text);
      current.set(rowKey(facts, found), found);
    }
  }
  return current;
}

/** Writes one row back. Answers what is against it; null: it is written. Throws what the driver throws. */
export async function writeBack(
  session: Session,
  { from, to, table }: RowChange<RestoredTable>,
): Promise<string | null> {
  const columns = from === null || to === null ? [] : changedColumns(table.facts, from, to);
  const verb = from === null ? 'insert' : to === null ? 'delete' : 'update';
  // A foreign key that came since may refer to a row that is to be deleted, or not: that is looked at.
  const row = verb === 'delete' ? { ...table.row, references: [] } : table.row;
  const hazard = hazardOfUndo(row, verb, columns);
  if (hazard !== null) return `${hazard} has come since and may change other rows`;
  if (to === null) return from === null ? null : await deleteRow(session, table, from);
  if (from === null) return await insertRow(session, table.facts, to);
  if (columns.length === 0) return 'only columns that the database computes differ';
  return await updateRow(session, table, { from, to, columns });
}

/** What a statement of a rollback does. */
export type Verb = 'insert' | 'update' | 'delete';

/**
 * The statement with which {@link writeBack} writes one row, without running it. In place of each
 * value stands what `placeOf` says of its column. `columns`: those that an update sets.
 */
export function textOf(
  table: RestoredTable,
  { verb, columns }: { readonly verb: Verb; readonly columns: readonly string[] },
  placeOf: (column: Column) => string,
): string {
  const { facts } = table;
  switch (verb) {
    case 'insert':
      return insertText(facts, placeOf);
    case 'update': {
      const key = keyConditionOf(facts, 't', placeOf);
      return updateText(table, columns, { valueFor: placeOf, key });
    }
    case 'delete':
      return deleteText(facts, keyConditionOf(facts, facts.id, placeOf));
    default:
      return verb satisfies never;
  }
}

async function insertRow(session: Session, facts: TableFacts, to: Image): Promise<null> {
  await session.query(insertText(facts, (column) => writtenAs(column, valueIn(to, column.name))));
  return null;
}

function insertText(facts: TableFacts, valueFor: (column: Column) => string): string {
  const columns = facts.columns.filter(({ isGenerated }) => !isGenerated);
  return `insert into ${facts.id} (${columns.map(({ name }) => quoted(name)).join(', ')})
      values (${columns.map(valueFor).join(', ')})`;
}

interface Update {
  readonly from: Image;
  readonly to: Image;
  readonly columns: readonly string[];
}

async function updateRow(
  session: Session,
  table: RestoredTable,
  { from, to, columns }: Update,
): Promise<null> {
  const valueFor = (column: Column): string => writtenAs(column, valueIn(to, column.name));
  const key = keyCondition(table.facts, 't', from);
  await session.query(updateText(table, columns, { valueFor, key }));
  return null;
}

interface UpdateParts {
  readonly valueFor: (column: Column) => string;
  readonly key: string;
}

function updateText(
  { facts, row }: RestoredTable,
  columns: readonly string[],
  { valueFor, key }: UpdateParts,
): string {
  // What the database would set to the time of now keeps its own when it is said.
  const said = new Set([...columns, ...touchedByUpdate(row)]);
  const set = facts.columns
    .filter(({ name, isGenerated }) => said.has(name) && !isGenerated)
    .map((column) => `t.${quoted(column.name)} = ${valueFor(column)}`);
  return `update ${facts.id} as t set ${set.join(', ')} where ${key}`;
}

/** Columns that are not as they were, without those that the database computes. */
function changedColumns(facts: TableFacts, from: Image, to: Image): readonly string[] {
  return facts.columns
    .filter(({ name, isGenerated }) => !isGenerated && from[name] !== to[name])
    .map(({ name }) => name);
}

/**
 * Deletes the row, unless rows that refer to it would change with it: ours are gone by now. Nobody
 * can add one meanwhile, for that takes a lock on this row.
 */
async function deleteRow(
  session: Session,
  { row, facts }: RestoredTable,
  from: Image,
): Promise<string | null> {
  for (const reference of row.references) {
    const what = deleteAction(reference);
    if (what === null || !(await isReferred(session, facts, { reference, from }))) continue;
    return `others refer to it: ${what}`;
  }
  const text = deleteText(facts, keyCondition(facts, facts.id, from));
  const isHeld = await isHeldByItself(session, { row, facts }, from);
  await session.query(isHeld ? text.replace(/^delete/, unheldDelete) : text);
  return null;
}

// Each server reads its own way to switch that off for one statement and takes the other for a comment.
const unheldDelete = `/*M! set statement foreign_key_checks = 0 for */
  delete /*+ set_var(foreign_key_checks = 0) */`;

/**
 * Whether the row refers to itself, and nothing else to it. InnoDB lets such a row be inserted and
 * never be deleted, for when it is, it still stands there as the one that refers.
 */
async function isHeldByItself(
  session: Session,
  { row, facts }: RestoredTable,
  from: Image,
): Promise<boolean> {
  const own = row.references.filter(({ table }) => table === facts.id);
  if (own.length === 0) return false;
  for (const reference of row.references) {
    if (await isReferred(session, facts, { reference, from })) return false;
  }
  const pairs = own.map(({ columns }) =>
    columns.map((column) => `t.${quoted(column.theirs)} = t.${quoted(column.own)}`).join(' and '),
  );
  const { rows } = await session.query(
    `select 1 as held from ${facts.id} as t
      where ${keyCondition(facts, 't', from)} and (${pairs.join(' or ')})`,
  );
  return rows.length > 0;
}

function deleteText({ id }: TableFacts, key: string): string {
  return `delete from ${id} where ${key}`;
}

interface Referred {
  readonly reference: ReferenceRow;
  readonly from: Image;
}

async function isReferred(
  session: Session,
  facts: TableFacts,
  { reference, from }: Referred,
): Promise<boolean> {
  const pairs = reference.columns.map(
    ({ own, theirs }) => `c.${quoted(theirs)} = t.${quoted(own)}`,
  );
  // A row may refer to itself. By its values, for MariaDB has years differ that are the same.
  const others = reference.table === facts.id ? `and not ${keyCondition(facts, 'c', from)}` : '';
  const { rows } = await session.query(
    `select 1 as referred from ${facts.id} as t join ${reference.table} as c on ${pairs.join(' and ')}
      where ${keyCondition(facts, 't', from)} ${others} limit 1`,
  );
  return rows.length > 0;
}

function valueIn(image: Image, name: string): string | null {
  const value = image[name];
  if (value === undefined) throw new Error('an image lacks a column of its table');
  return value;
}
