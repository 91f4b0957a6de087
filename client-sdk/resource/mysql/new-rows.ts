/**
 * The keys of rows that an insert makes, known from what it gives, and the rows themselves by these
 * keys afterwards. Guards: exactly as many rows are found as were made, so none is taken for new
 * that was there.
 */
import type { Session, TableFacts } from '../facts.ts';
import type { Image } from '../image.ts';
import { unsupported } from '../refusal.ts';
import { exactText, type Given, givenIn } from './given-values.ts';
import { keyCondition } from './image-columns.ts';
import { quoted } from './names.ts';
import { isWord } from './pieces.ts';
import type { InsertShape } from './shape.ts';
import { ownAlias, type Rows, rowsWhere } from './stored-rows.ts';
import type { InsertColumn, InsertFacts } from './unique-keys.ts';

/** A row of an insert, as far as it is known before it runs. */
export interface NewRow {
  /** The texts of the columns of its primary key that are given. */
  readonly image: Image;
  /** The column of its primary key that the database numbers; null: none. */
  readonly numbered: string | null;
  /** What it gives a column. */
  readonly given: (column: string) => Given;
}

/** Throws AT_UNSUPPORTED_SQL for a key that is known only when the statement has run. */
export function newRowsOf(
  shape: InsertShape,
  { facts, table }: { readonly facts: TableFacts; readonly table: InsertFacts },
  parameters: readonly unknown[],
): readonly NewRow[] {
  const { rows } = shape;
  if (rows === null) {
    throw unsupported(
      'insert … select',
      'select the rows first and insert them with `values`, or add `returning` on MariaDB',
    );
  }
  const names = (shape.columns ?? table.visible).map((name) => name.toLowerCase());
  const isEmpty = rows.every((row) => row.length === 0);
  if (!isEmpty && rows.some((row) => row.length !== names.length)) {
    throw unsupported('values that are not as many as the columns', 'name the columns');
  }
  const newRows = rows.map((row): NewRow => {
    const given = (column: string): Given =>
      givenIn(row[names.indexOf(column.toLowerCase())], parameters);
    return { ...keyOf(facts, table, given), given };
  });
  const isMixed = new Set(newRows.map(({ numbered }) => numbered)).size > 1;
  if (!isMixed) return newRows;
  throw unsupported('rows with and without a number of their own', 'insert them separately');
}

function keyOf(
  facts: TableFacts,
  table: InsertFacts,
  given: NewRow['given'],
): Pick<NewRow, 'image' | 'numbered'> {
  const texts: [string, string][] = [];
  let numbered: string | null = null;
  for (const { name } of facts.key) {
    const column = table.columns.find((each) => each.name === name);
    const value = given(name);
    if (isNumbered(column, value)) numbered = name;
    else texts.push([name, keyText(facts, column, { name, value })]);
  }
  // Not by assignment: a column may be called __proto__.
  return { image: Object.fromEntries(texts), numbered };
}

function isNumbered(column: InsertColumn | undefined, { kind }: Given): boolean {
  return column?.isAutoIncrement === true && (kind === 'default' || kind === 'null');
}

function keyText(
  facts: TableFacts,
  column: InsertColumn | undefined,
  { name, value }: { readonly name: string; readonly value: Given },
): string {
  const type = facts.columns.find((each) => each.name === name)?.type ?? '';
  const text = value.kind === 'value' ? exactText(type, value.value) : null;
  // Zero asks for a number in one sql_mode and is one in another.
  const isZero = column?.isAutoIncrement === true && text === '0';
  if (text !== null && !isZero) return text;
  throw unsupported(
    `an insert whose ${name}, in the primary key of ${facts.id}, is known only afterwards`,
    `give ${name} as a plain value of type ${type}, or add \`returning\` on MariaDB`,
  );
}

/** How many rows the statement just before has changed. Must be the next on the session. */
export async function changedRows(session: Session): Promise<number> {
  const { rows } = await session.query('select row_count() as changed');
  return Number(rows[0]?.['changed']);
}

/** The rows, just inserted. Throws AT_UNSUPPORTED_SQL unless each of them is found. */
export async function insertedRows(
  session: Session,
  facts: TableFacts,
  rows: readonly NewRow[],
): Promise<Rows> {
  const conditions = await conditionsFor(session, facts, rows);
  const found = await rowsWhere(session, facts, conditions);
  if (found.size === rows.length) return found;
  throw unsupported(
    `an insert into ${facts.id} of which ${found.size} of ${rows.length} rows were found`,
    'give the primary key in plain values, each once',
  );
}

async function conditionsFor(
  session: Session,
  facts: TableFacts,
  rows: readonly NewRow[],
): Promise<readonly string[]> {
  const [first] = rows;
  const numbered = first?.numbered ?? null;
  if (numbered === null) return rows.map(({ image }) => keyCondition(facts, ownAlias, image));
  const numbers = rows.length === 1 ? ['last_insert_id()'] : await numbersOf(session, rows);
  const others = facts.key.filter(({ name }) => name !== numbered);
  return rows.map(({ image }, i) => {
    const number = `${ownAlias}.${quoted(numbered)} = ${numbers[i]}`;
    if (others.length === 0) return number;
    return `${keyCondition({ ...facts, key: others }, ownAlias, image)} and ${number}`;
  });
}

/**
 * Of an insert whose rows are known before it runs, all without a number, the numbers follow one
 * another: in mode 0 and 1 because nobody else gets one meanwhile, in mode 2 because all are taken
 * at once ({@link refuseScatteredNumbers} has seen to the exception).
 */
async function numbersOf(session: Session, rows: readonly NewRow[]): Promise<readonly string[]> {
  const answer = await session.query(
    `select cast(last_insert_id() as char) as first, @@auto_increment_increment as step`,
  );
  const first = BigInt(String(answer.rows[0]?.['first']));
  const step = BigInt(String(answer.rows[0]?.['step']));
  return rows.map((_, i) => String(first + BigInt(i) * step));
}

/**
 * Statements that call functions of the user's may take their numbers in several goes, and those
 * that pass rows over may leave gaps: throws for several rows without numbers then.
 */
export function refuseScatteredNumbers(shape: InsertShape, rows: readonly NewRow[]): void {
  if (rows.length <= 1 || rows.every(({ numbered }) => numbered === null)) return;
  const isPlain = (shape.rows ?? []).every((row) =>
    row.every(({ tokens }) => !tokens.some((token) => isWord(token, '('))),
  );
  if (shape.way === 'insert' && isPlain) return;
  throw unsupported(
    'several rows that the database numbers, with functions or passing rows over',
    'give plain values, insert the rows one by one, or add `returning` on MariaDB',
  );
}
