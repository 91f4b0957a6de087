/**
 * Statements put together from parts of the user's, ours, and keys of rows. Guards: every parameter
 * goes where its part goes; and texts that run the way the user asked stay few, however many keys
 * come by, for a driver may prepare each of them on the server.
 */
import type { TableFacts } from '../facts.ts';
import type { Image } from '../image.ts';
import { unsupported } from '../refusal.ts';
import { imageExpression, keyCondition, readingOf } from './image-columns.ts';
import { quoted } from './names.ts';
import type { Piece } from './pieces.ts';

/** SQL with its own values. */
export interface Bound {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** What a statement is put together from; null is left out. */
export type Part = string | Piece | Bound | null;

/** The parts behind one another. `parameters`: those of the user's statement. */
export function compose(parameters: readonly unknown[], parts: readonly Part[]): Bound {
  const texts: string[] = [];
  const values: unknown[] = [];
  for (const part of parts) {
    if (part === null) continue;
    texts.push(typeof part === 'string' ? part : part.text);
    if (typeof part === 'string') continue;
    if ('values' in part) values.push(...part.values);
    else values.push(...part.parameters.map((place) => parameters[place]));
  }
  return { text: texts.join(' '), values };
}

/** The clause with its words in front; null when it is not there. */
export function clause(words: string, piece: Piece | null): readonly Part[] {
  return piece === null ? [] : [words, piece];
}

/** Behind a select without a limit of its own: that of the session (`sql_select_limit`) is for others. */
export const allRows = 'limit 18446744073709551615';

/** A text of ours as one that reads all rows; that of a select without one has its limit set. */
export function readingAll(text: string): string {
  if (!/^\s*select\b/i.test(text) || /\blimit \d+\s*$/.test(text)) return text;
  const lock = /\s+for update\s*$/.exec(text)?.[0] ?? '';
  return `${text.slice(0, text.length - lock.length)} ${allRows}${lock}`;
}

/** The image of the row that is called `reference`, as this column. */
export function imageAs(facts: TableFacts, reference: string, column: string): string {
  return `${imageExpression(facts, quoted(reference))} as ${column}`;
}

/**
 * True for exactly these rows, with their keys as values. The number of keys is rounded up to a
 * power of two by saying the last one again, so that a table has some ten such texts.
 */
export function keysMatch(facts: TableFacts, alias: string, images: readonly Image[]): Bound {
  const last = images.at(-1);
  if (last === undefined) return { text: noRow(facts, alias), values: [] };
  const count = 2 ** Math.ceil(Math.log2(images.length));
  const all = [...images, ...Array.from({ length: count - images.length }, () => last)];
  const bounds = all.map((image) => keyMatch(facts, alias, image));
  const text = `(${bounds.map((bound) => bound.text).join(' or ')})`;
  return { text, values: bounds.flatMap(({ values }) => values) };
}

/**
 * True for no row, found by the key. A condition that is false for certain would not do: servers
 * answer such a statement at once, in another form than one that has looked and found nothing.
 */
function noRow({ columns, key }: TableFacts, alias: string): string {
  const values = key.map(({ name }) => {
    const value = someValue(columns.find((each) => each.name === name)?.type ?? '');
    return value === null ? null : `${alias}.${quoted(name)} = ${value}`;
  });
  return values.includes(null) ? '1 = 0' : `(${values.join(' and ')} and rand() < 0)`;
}

/** A value that columns of this type can have, in every sql_mode; null: no key has such a type. */
function someValue(type: string): string | null {
  const kind = readingOf(type)?.kind;
  switch (kind) {
    case 'number':
    case 'bits':
      return '0';
    case 'letters':
      return "''";
    case 'bytes':
      return "x''";
    case 'choice':
      return /'(?:[^']|'')*'/.exec(type)?.[0] ?? null;
    case 'instant':
      return "'2000-01-01 00:00:00'";
    case 'printed':
      return printedValues[/^[a-z0-9]+/.exec(type)?.[0] ?? ''] ?? null;
    case 'double':
    case 'json':
    case undefined:
      return null;
    default:
      return kind satisfies never;
  }
}

const printedValues: Readonly<Record<string, string>> = {
  date: "'2000-01-01'",
  datetime: "'2000-01-01 00:00:00'",
  time: "'00:00:00'",
  uuid: "'00000000-0000-0000-0000-000000000000'",
  inet4: "'0.0.0.0'",
  inet6: "'::'",
};

function keyMatch(facts: TableFacts, alias: string, image: Image): Bound {
  const columns = facts.key.map(({ name }) => {
    const column = facts.columns.find((each) => each.name === name);
    const text = image[name];
    if (column === undefined || typeof text !== 'string') {
      throw new Error(`an image of ${facts.id} has no ${name}, which is in its key`);
    }
    const value = valueFor(column.type);
    if (value !== null) {
      return { text: `${alias}.${quoted(name)} = ${value}`, values: [text] };
    }
    const only = { columns: facts.columns, key: [{ name, form: 'text' }] } as const;
    return { text: keyCondition(only, alias, image), values: [] };
  });
  const text = `(${columns.map((column) => column.text).join(' and ')})`;
  return { text, values: columns.flatMap(({ values }) => values) };
}

/** How a parameter with the text of an image becomes a value; null: only a literal does. */
function valueFor(type: string): string | null {
  const reading = readingOf(type);
  switch (reading?.kind) {
    case 'letters':
      return `convert(unhex(?) using ${reading.charset}) collate ${reading.collation}`;
    case 'bytes':
      return 'unhex(?)';
    case 'number': {
      const decimal = /^decimal\(\d+,\d+\)/.exec(type)?.[0];
      if (decimal !== undefined) return `cast(? as ${decimal})`;
      return type.includes('unsigned') ? 'cast(? as unsigned)' : 'cast(? as signed)';
    }
    default:
      return null;
  }
}

/**
 * Throws for values that a driver would turn into more than one value, or into names: then nobody
 * knows from the text what is written. And for too many or too few of them.
 */
export function refuseValues(values: readonly unknown[], count: number): void {
  if (values.length !== count) {
    throw unsupported(
      `${values.length} values for ${count} question marks`,
      'give one value for each question mark',
    );
  }
  if (values.every(isSingle)) return;
  throw unsupported(
    'a list or an object as a value',
    'write `in (?, ?)` or `a = ?, b = ?` out, and give JSON as a text',
  );
}

function isSingle(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return typeof value !== 'function';
  return value instanceof Date || Buffer.isBuffer(value);
}
