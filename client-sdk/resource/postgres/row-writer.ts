/**
 * The statements that read, lock and write data rows for a rollback. Every value goes as text to
 * the input function of its column's type, and every row that was written is read again. Guards:
 * exactly one row is touched, and no other with it.
 */
import type { Session, TableFacts } from '../facts.ts';
import { type Image, type Step, sameImage } from '../image.ts';
import { rowKey } from '../row-key.ts';
import { imageOf } from './image-text.ts';
import { deleteAction, hazardOfUndo } from './table-facts.ts';
import type { CascadeRow, TableRow } from './table-query.ts';

/** A table as it is now. */
export interface RestoredTable {
  readonly row: TableRow;
  readonly facts: TableFacts;
}

/** One row from what it is to what it was. Never both null. */
export interface RowChange {
  readonly table: RestoredTable;
  readonly step: Step;
  readonly from: Image | null;
  readonly to: Image | null;
}

/** Locks the rows with the keys of these images and answers them by key; others are not there. */
export async function currentRows(
  session: Session,
  { facts }: RestoredTable,
  images: readonly Image[],
): Promise<ReadonlyMap<string, Image>> {
  const key = facts.key.map(({ name }, index) => ({
    given: `$${index + 1}::${typeOf(facts, name)}[]`,
    alias: `k${index + 1}`,
    column: quoted(name),
    values: images.map((image) => image[name]),
  }));
  const { rows } = await session.query(
    `select settle_image(t.*) as image from ${facts.id} as t
      join unnest(${key.map(({ given }) => given).join(', ')})
        as given (${key.map(({ alias }) => alias).join(', ')})
        on ${key.map(({ alias, column }) => `t.${column} = given.${alias}`).join(' and ')}
      for update of t`,
    key.map(({ values }) => values),
  );
  const current = rows.map((row) => imageOf(facts, String(row['image'])));
  return new Map(current.map((image) => [rowKey(facts, image), image]));
}

/** Writes one row back. Answers what is against it, or what went wrong; null: it is as it was. */
export async function writeBack(session: Session, change: RowChange): Promise<string | null> {
  const { from, to, table } = change;
  const columns = from === null || to === null ? [] : changedColumns(table.facts, from, to);
  const verb = from === null ? 'insert' : to === null ? 'delete' : 'update';
  const hazard = hazardOfUndo(table.row, verb, columns);
  if (hazard !== null) return `${hazard} has come since and may change other rows`;
  if (to === null) return from === null ? null : await deleteRow(session, table, from);
  if (from === null) return await insertRow(session, table.facts, to);
  return await updateRow(session, table.facts, { from, to, columns });
}

async function insertRow(session: Session, facts: TableFacts, to: Image): Promise<string | null> {
  const columns = facts.columns.filter(({ isGenerated }) => !isGenerated);
  const values = new Values();
  const { rows } = await session.query(
    `insert into ${facts.id} as t (${columns.map(({ name }) => quoted(name)).join(', ')})
      overriding system value
      values (${columns.map(({ name, type }) => values.add(to[name], type)).join(', ')})
      returning settle_image(t.*) as image`,
    values.list,
  );
  return differenceFrom(facts, to, rows);
}

interface Update {
  readonly from: Image;
  readonly to: Image;
  readonly columns: readonly string[];
}

async function updateRow(
  session: Session,
  facts: TableFacts,
  { from, to, columns }: Update,
): Promise<string | null> {
  if (columns.length === 0) return 'only columns that the database computes differ';
  const values = new Values();
  const set = columns.map(
    (name) => `${quoted(name)} = ${values.add(to[name], typeOf(facts, name))}`,
  );
  const { rows } = await session.query(
    `update ${facts.id} as t set ${set.join(', ')} where ${keyIs(facts, from, values)}
      returning settle_image(t.*) as image`,
    values.list,
  );
  return differenceFrom(facts, to, rows);
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
  const values = new Values();
  const cascades = row.cascades.filter((cascade) => deleteAction(cascade) !== null);
  const hidden = cascades.find((cascade) => cascade.isHidden);
  if (hidden !== undefined) return `row security hides rows of ${hidden.table} that refer to it`;
  const conditions = [
    keyIs(facts, from, values),
    ...cascades.map((each) => unreferred(facts, each)),
  ];
  const { count } = await session.query(
    `delete from ${facts.id} as t where ${conditions.join(' and ')}`,
    values.list,
  );
  if (count === 1) return null;
  const what = cascades.map(deleteAction).join(', ');
  return cascades.length === 0 ? 'it could not be deleted' : `others refer to it: ${what}`;
}

function unreferred(facts: TableFacts, { table, columns }: CascadeRow): string {
  const pairs = columns.map(({ own, theirs }) => `c.${quoted(theirs)} = t.${quoted(own)}`);
  // A row may refer to itself.
  if (table === facts.id) pairs.push('c.ctid <> t.ctid');
  return `not exists (select from ${table} as c where ${pairs.join(' and ')})`;
}

function differenceFrom(
  facts: TableFacts,
  to: Image,
  rows: readonly Readonly<Record<string, unknown>>[],
): string | null {
  const [row] = rows;
  if (row === undefined || rows.length > 1) return `${rows.length} rows were written for one`;
  const written = imageOf(facts, String(row['image']));
  if (sameImage(written, to)) return null;
  const column = facts.columns.find(({ name }) => written[name] !== to[name])?.name;
  return `column ${column} reads differently once it is written back`;
}

function keyIs(facts: TableFacts, image: Image, values: Values): string {
  return facts.key
    .map(({ name }) => `t.${quoted(name)} = ${values.add(image[name], typeOf(facts, name))}`)
    .join(' and ');
}

function typeOf(facts: TableFacts, name: string): string {
  const column = facts.columns.find((each) => each.name === name);
  if (column === undefined) throw new Error(`${facts.id} has no column ${name}`);
  return column.type;
}

/** Parameters of a statement, each declared with its type: the type's own input reads it. */
class Values {
  readonly #list: (string | null)[] = [];

  get list(): readonly (string | null)[] {
    return this.#list;
  }

  add(text: string | null | undefined, type: string): string {
    if (text === undefined) throw new Error('an image lacks a column of its table');
    this.#list.push(text);
    return `$${this.#list.length}::${type}`;
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
