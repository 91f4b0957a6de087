/**
 * The statements that read, lock and write data rows for a rollback. Every value goes as text to
 * the input function of its column's type, and every row that was written is read again. Guards:
 * exactly the given rows are touched, and no other with them.
 */
import type { Column, Session, TableFacts } from '../facts.ts';
import type { Image } from '../image.ts';
import type { RowChange as PlannedChange } from '../restore-plan.ts';
import { rowKey } from '../row-key.ts';
import { imageOf } from './image-text.ts';
import { deleteAction, hazardOfUndo } from './table-facts.ts';
import type { CascadeRow, TableRow } from './table-query.ts';

/** A table as it is now. */
export interface RestoredTable {
  readonly row: TableRow;
  readonly facts: TableFacts;
}

/** One row from what it is to what it was. */
export type RowChange = PlannedChange<RestoredTable>;

/**
 * Answers the rows with the keys of these images by key, and locks them unless they are only read;
 * others are not there.
 */
export async function currentRows(
  session: Session,
  { facts }: RestoredTable,
  images: readonly Image[],
  lock: 'for update of t' | '' = 'for update of t',
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
      ${lock}`,
    key.map(({ values }) => values),
  );
  const current = rows.map((row) => imageOf(facts, String(row['image'])));
  return new Map(current.map((image) => [rowKey(facts, image), image]));
}

/** What is against writing a row back, or went wrong with it. */
export interface Objection {
  readonly change: RowChange;
  readonly why: string;
}

/** What a statement of a rollback does. */
export type Verb = 'insert' | 'update' | 'delete';

/** What writing it back does to the row. */
export function verbOf({ from, to }: RowChange): Verb {
  return from === null ? 'insert' : to === null ? 'delete' : 'update';
}

/**
 * Writes rows of one table back, all with the same verb, updates one at a time. Several at once, so
 * that rows which refer to each other come and go together. Null: they are as they were.
 */
export async function writeBack(
  session: Session,
  changes: readonly RowChange[],
): Promise<Objection | null> {
  const [first] = changes;
  if (first === undefined) return null;
  const { table, from, to } = first;
  const verb = verbOf(first);
  const columns = from === null || to === null ? [] : changedColumns(table.facts, from, to);
  const hazard = hazardOfUndo(table.row, verb, columns);
  if (hazard !== null) {
    return { change: first, why: `${hazard} has come since and may change other rows` };
  }
  if (verb === 'delete') return await deleteRows(session, table, changes);
  if (verb === 'insert') return await insertRows(session, table.facts, changes);
  if (from === null || to === null) return null;
  const why = await updateRow(session, table.facts, { from, to, columns });
  return why === null ? null : { change: first, why };
}

/**
 * The statement with which {@link writeBack} writes one row, without running it. `columns`: those
 * that an update sets.
 */
export function textOf(table: RestoredTable, verb: Verb, columns: readonly string[]): string {
  const { facts } = table;
  // Values are parameters: the text is the same for all of them.
  const image = Object.fromEntries(facts.columns.map(({ name }) => [name, null]));
  switch (verb) {
    case 'insert':
      return insertOf(facts, [image]).text;
    case 'update':
      return updateOf(facts, { from: image, to: image, columns }).text;
    case 'delete':
      return deleteOf(table, [image]).text;
    default:
      return verb satisfies never;
  }
}

/** A text and its parameters. */
interface Bound {
  readonly text: string;
  readonly values: readonly (string | null)[];
}

/** Of one statement; PostgreSQL takes 65,535. */
const parametersMax = 60_000;

function chunksOf<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, at) => items.slice(at * size, (at + 1) * size));
}

async function insertRows(
  session: Session,
  facts: TableFacts,
  changes: readonly RowChange[],
): Promise<Objection | null> {
  const rowsMax = Math.max(1, Math.floor(parametersMax / writable(facts).length));
  for (const chunk of chunksOf(changes, rowsMax)) {
    const images = chunk.map(({ to }) => to).filter((to) => to !== null);
    const { text, values } = insertOf(facts, images);
    const { rows } = await session.query(text, values);
    const written = Map.groupBy(rows, (row) => keyOf(facts, row));
    for (const change of chunk) {
      if (change.to === null) continue;
      const why = differenceFrom(facts, change.to, written.get(rowKey(facts, change.to)) ?? []);
      if (why !== null) return { change, why };
    }
  }
  return null;
}

function insertOf(facts: TableFacts, images: readonly Image[]): Bound {
  const columns = writable(facts);
  const names = columns.map(({ name }) => quoted(name)).join(', ');
  const values = new Values();
  const lists = images.map((image) => {
    const list = columns.map(({ name, type }) => values.add(image[name], type));
    return `(${list.join(', ')})`;
  });
  const text = `insert into ${facts.id} as t (${names}) overriding system value
        values ${lists.join(', ')} returning settle_image(t.*) as image`;
  return { text, values: values.list };
}

function writable({ columns }: TableFacts): readonly Column[] {
  return columns.filter(({ isGenerated }) => !isGenerated);
}

function keyOf(facts: TableFacts, row: Readonly<Record<string, unknown>>): string {
  return rowKey(facts, imageOf(facts, String(row['image'])));
}

interface Update {
  readonly from: Image;
  readonly to: Image;
  readonly columns: readonly string[];
}

async function updateRow(
  session: Session,
  facts: TableFacts,
  update: Update,
): Promise<string | null> {
  if (update.columns.length === 0) return 'only columns that the database computes differ';
  const { text, values } = updateOf(facts, update);
  const { rows } = await session.query(text, values);
  return differenceFrom(facts, update.to, rows);
}

function updateOf(facts: TableFacts, { from, to, columns }: Update): Bound {
  const values = new Values();
  const set = columns.map(
    (name) => `${quoted(name)} = ${values.add(to[name], typeOf(facts, name))}`,
  );
  const text = `update ${facts.id} as t set ${set.join(', ')} where ${keyIs(facts, from, values)}
      returning settle_image(t.*) as image`;
  return { text, values: values.list };
}

/** Columns that are not as they were, without those that the database computes. */
function changedColumns(facts: TableFacts, from: Image, to: Image): readonly string[] {
  return facts.columns
    .filter(({ name, isGenerated }) => !isGenerated && from[name] !== to[name])
    .map(({ name }) => name);
}

/**
 * Deletes the rows, unless rows that refer to them would change with them: ours are gone by now.
 * Nobody can add one meanwhile, for that takes a lock on these rows.
 */
async function deleteRows(
  session: Session,
  table: RestoredTable,
  changes: readonly RowChange[],
): Promise<Objection | null> {
  const { facts } = table;
  const cascades = actingOnDelete(table);
  const hidden = cascades.find((cascade) => cascade.isHidden);
  const [first] = changes;
  if (hidden !== undefined && first !== undefined) {
    return { change: first, why: `row security hides rows of ${hidden.table} that refer to it` };
  }
  const rowsMax = Math.floor(parametersMax / facts.key.length);
  for (const chunk of chunksOf(changes, rowsMax)) {
    const images = chunk.map(({ from }) => from).filter((from) => from !== null);
    const { text, values } = deleteOf(table, images);
    const { rows } = await session.query(text, values);
    const gone = new Set(rows.map((each) => keyOf(facts, each)));
    const left = chunk.find(({ from }) => from !== null && !gone.has(rowKey(facts, from)));
    if (left !== undefined) return { change: left, why: whyLeft(cascades) };
  }
  return null;
}

function deleteOf(table: RestoredTable, images: readonly Image[]): Bound {
  const { facts } = table;
  const conditions = [
    ...facts.key.map(({ name }, index) => `t.${quoted(name)} = given.k${index}`),
    ...actingOnDelete(table).map((each) => unreferred(facts, each)),
  ];
  const names = facts.key.map((_, index) => `k${index}`).join(', ');
  const values = new Values();
  const lists = images.map((image) => {
    const list = facts.key.map(({ name }) => values.add(image[name], typeOf(facts, name)));
    return `(${list.join(', ')})`;
  });
  const text = `with given (${names}) as (values ${lists.join(', ')})
        delete from ${facts.id} as t using given where ${conditions.join(' and ')}
        returning settle_image(t.*) as image`;
  return { text, values: values.list };
}

function actingOnDelete({ row }: RestoredTable): readonly CascadeRow[] {
  return row.cascades.filter((cascade) => deleteAction(cascade) !== null);
}

function whyLeft(cascades: readonly CascadeRow[]): string {
  if (cascades.length === 0) return 'it could not be deleted';
  return `others refer to it: ${cascades.map(deleteAction).join(', ')}`;
}

function unreferred(facts: TableFacts, { table, columns }: CascadeRow): string {
  const pairs = columns.map(({ own, theirs }) => `c.${quoted(theirs)} = t.${quoted(own)}`);
  // A row may refer to itself, or to another one that goes with it.
  if (table === facts.id) {
    const same = facts.key.map(({ name }, index) => `c.${quoted(name)} = others.k${index}`);
    pairs.push(`not exists (select from given as others where ${same.join(' and ')})`);
  }
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
  // A column that the database computes of merged ones is not in `to`.
  const column = facts.columns.find(
    ({ name }) => Object.hasOwn(to, name) && written[name] !== to[name],
  );
  if (column === undefined) return null;
  return `column ${column.name} reads differently once it is written back`;
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
