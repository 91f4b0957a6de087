/**
 * How each type of MySQL 8 and MariaDB is read as a text of ASCII and written back bit for bit.
 * Pure. Invariants: what is read does not depend on settings of the session (time_zone, sql_mode,
 * character sets); what is written is right under those of `session.ts`, and is read again anyway.
 * A type that is not here has no images, and its table is refused.
 *
 * Texts hold no comma, and none is `~` or `!`: that is what joins the columns of a row, NULL, and
 * what is longer than the server's functions give.
 */
import type { Column, TableFacts } from '../facts.ts';
import type { Image } from '../image.ts';
import { weightOf } from '../row-key.ts';
import { textLiteral } from './literals.ts';
import { quoted } from './names.ts';

/** How values of a type become texts. */
export type Reading =
  /** Letters in a character set: their bytes in it, in hex. `isPadded`: a char, without its padding. */
  | {
      readonly kind: 'letters';
      readonly charset: string;
      readonly collation: string;
      readonly isPadded: boolean;
    }
  /** MySQL's json as the server prints it, in hex. MariaDB's json is `letters`. */
  | { readonly kind: 'json' }
  /** Bytes, in hex. Geometry is its internal form, which dumps carry, too. */
  | { readonly kind: 'bytes' }
  /** Whole and decimal numbers, as printed. */
  | { readonly kind: 'number' }
  /** Through double, whose text is the shortest that reads back the same. A float alone prints six digits. */
  | { readonly kind: 'double' }
  /** A number without text of its own: bit. */
  | { readonly kind: 'bits' }
  /** Place and text, `2:6162`. The place writes it, the text tells that the list has not changed. */
  | { readonly kind: 'choice' }
  /** Seconds since 1970, for the printed form depends on the time zone and is not unique. */
  | { readonly kind: 'instant' }
  /** As printed: dates and times of day, uuid and addresses of MariaDB. */
  | { readonly kind: 'printed' };

const kinds: Readonly<Record<string, Exclude<Reading['kind'], 'letters'>>> = {
  ...named('number', ['tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'decimal', 'year']),
  ...named('double', ['float', 'double']),
  ...named('bits', ['bit']),
  ...named('bytes', ['binary', 'varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob']),
  ...named('bytes', ['geometry', 'point', 'linestring', 'polygon', 'multipoint']),
  ...named('bytes', ['multilinestring', 'multipolygon', 'geometrycollection', 'geomcollection']),
  ...named('choice', ['enum', 'set']),
  ...named('printed', ['date', 'datetime', 'time', 'uuid', 'inet4', 'inet6']),
  ...named('instant', ['timestamp']),
  ...named('json', ['json']),
};

function named<Kind>(kind: Kind, names: readonly string[]): Readonly<Record<string, Kind>> {
  return Object.fromEntries(names.map((name) => [name, kind]));
}

const lettered = /^(char|varchar|tinytext|text|mediumtext|longtext)\b/;
const inCharset = / character set (\w+) collate (\w+)$/;

/** How columns of this {@link Column.type} are read; null: not known, so no image can be taken. */
export function readingOf(type: string): Reading | null {
  const name = /^[a-z0-9]+/.exec(type)?.[0] ?? '';
  if (!lettered.test(type)) {
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    return kind === undefined ? null : { kind };
  }
  const [, charset, collation] = inCharset.exec(type) ?? [];
  if (charset === undefined || collation === undefined) return null;
  return { kind: 'letters', charset, collation, isPadded: name === 'char' };
}

/** A column of which the image has a text: `expression` reads it, NULL when `column` is. */
interface Field {
  readonly name: string;
  readonly column: string;
  readonly expression: string;
}

/**
 * One expression that reads a row of this table, as a text that {@link imageOf} understands. NULL
 * when there is no row (outer joins aside), or not a whole text ({@link isWhole}) when it or a column
 * is longer than max_allowed_packet. `alias`: what the table is called in the statement, quoted.
 */
export function imageExpression(facts: Pick<TableFacts, 'columns' | 'key'>, alias: string): string {
  // A function whose result is too long answers NULL, with a warning: that is no value of a row.
  const texts = fieldsOf(facts, alias).map(
    ({ expression, column }) => `ifnull(${expression}, if(${column} is null, '~', '!'))`,
  );
  // Of one character set, whatever that of the connection is; the mark in front tells it from others.
  return `convert(concat_ws(',', '${mark}', ${texts.join(', ')}) using ascii)`;
}

const mark = 'r';

/** Whether what {@link imageExpression} gave has all columns of its row. */
export function isWhole(text: unknown): text is string {
  return typeof text === 'string' && !text.includes(',!');
}

/** The image that the text is. Throws a plain Error for what is no row of this table. */
export function imageOf(facts: Pick<TableFacts, 'id' | 'columns' | 'key'>, text: string): Image {
  const [first, ...texts] = text.split(',');
  const fields = fieldsOf(facts, '');
  if (first !== mark || texts.length !== fields.length) {
    throw new Error(`this is no row of ${facts.id}: it has ${texts.length} columns`);
  }
  // Not by assignment: a column may be called __proto__.
  return Object.fromEntries(
    fields.map(({ name }, index) => {
      const value = texts[index];
      return [name, value === undefined || value === '~' ? null : value];
    }),
  );
}

/** The text of which {@link imageOf} makes this image. */
export function imageText(facts: Pick<TableFacts, 'columns' | 'key'>, image: Image): string {
  return [mark, ...fieldsOf(facts, '').map(({ name }) => image[name] ?? '~')].join(',');
}

/** Expressions of what `rowKey` takes from an image, in the order of the key. */
export function keyTexts(
  facts: Pick<TableFacts, 'columns' | 'key'>,
  alias: string,
): readonly string[] {
  const fields = new Map(fieldsOf(facts, alias).map((field) => [field.name, field.expression]));
  return facts.key.map(({ name, form }) => {
    const expression = fields.get(form === 'weight' ? weightOf(name) : name);
    if (expression === undefined) throw new Error(`the key has no column ${name}`);
    return expression;
  });
}

/** The columns, and the weights of key columns that are compared by them. */
function fieldsOf(
  { columns, key }: Pick<TableFacts, 'columns' | 'key'>,
  alias: string,
): readonly Field[] {
  const weights = key.filter(({ form }) => form === 'weight');
  return [
    ...columns.map((column) => ({
      ...{ name: column.name, column: `${alias}.${quoted(column.name)}` },
      expression: textOf(column, alias),
    })),
    ...weights.map(({ name }) => {
      const column = columns.find((each) => each.name === name);
      if (column === undefined) throw new Error(`the key has no column ${name}`);
      const weight = { name: weightOf(name), column: `${alias}.${quoted(name)}` };
      return { ...weight, expression: weightText(column, alias) };
    }),
  ];
}

function textOf({ name, type }: Column, alias: string): string {
  const column = `${alias}.${quoted(name)}`;
  const reading = known(type);
  switch (reading.kind) {
    case 'letters':
      return reading.isPadded ? trimmedHex(column) : `hex(${column})`;
    case 'bytes':
      return `hex(${column})`;
    case 'json':
      return `hex(cast(${column} as char character set utf8mb4))`;
    case 'number':
    case 'printed':
      return `cast(${column} as char)`;
    case 'double':
      return `cast(cast(${column} as double) as char)`;
    case 'bits':
      return `cast(cast(${column} as unsigned) as char)`;
    case 'choice':
      // Under sql_mode ORACLE concat leaves NULL out.
      return `if(${column} is null, null,
        concat(cast(cast(${column} as unsigned) as char), ':', hex(${column})))`;
    case 'instant':
      return `cast(unix_timestamp(${column}) as char)`;
    default:
      return reading satisfies never;
  }
}

/**
 * The text of a value of this column as an expression that writes it. Throws a plain Error for a
 * text that the type does not give.
 */
export function writtenAs(
  { name, type }: Pick<Column, 'name' | 'type'>,
  text: string | null,
): string {
  if (text === null) return 'null';
  const reading = known(type);
  switch (reading.kind) {
    case 'letters':
      return `convert(x'${matching(hex, text, name)}' using ${reading.charset})`;
    case 'json':
      return `convert(x'${matching(hex, text, name)}' using utf8mb4)`;
    case 'bytes':
      return `x'${matching(hex, text, name)}'`;
    case 'number':
    case 'bits':
      return matching(number, text, name);
    case 'double':
    case 'printed':
      return textLiteral(text);
    case 'choice':
      // A number is a place in the list; in quotes it would be a text of the list.
      return matching(choice, text, name).replace(/:.*/, '');
    case 'instant': {
      const seconds = matching(number, text, name);
      // No instant is 0: the zero timestamp prints as that.
      return Number(seconds) === 0 ? `'0000-00-00 00:00:00'` : `from_unixtime(${seconds})`;
    }
    default:
      return reading satisfies never;
  }
}

const hex = /^([0-9A-F]{2})*$/;
const number = /^-?[0-9]+(\.[0-9]+)?$/;
const choice = /^[0-9]+:([0-9A-F]{2})*$/;

function matching(pattern: RegExp, text: string, name: string): string {
  if (!pattern.test(text)) throw new Error(`the image of ${name} is not of its type`);
  return text;
}

/** The condition that is true for the row with the key of this image, and by the key's index. */
export function keyCondition(
  facts: Pick<TableFacts, 'columns' | 'key'>,
  alias: string,
  image: Image,
): string {
  return keyConditionOf(facts, alias, (column) => {
    const text = image[column.name];
    if (typeof text !== 'string') throw new Error(`the image has no ${column.name}, a key column`);
    return comparedTo(column, text);
  });
}

/** The same condition with the values that `valueFor` says, as expressions. */
export function keyConditionOf(
  facts: Pick<TableFacts, 'columns' | 'key'>,
  alias: string,
  valueFor: (column: Column) => string,
): string {
  const conditions = facts.key.map(({ name }) => {
    const column = facts.columns.find((each) => each.name === name);
    if (column === undefined) throw new Error(`the table has no ${name}, which is in its key`);
    return `${alias}.${quoted(name)} = ${valueFor(column)}`;
  });
  return `(${conditions.join(' and ')})`;
}

/** Two columns of different collations cannot be compared unless one says which counts. */
function comparedTo(column: Column, text: string): string {
  const reading = known(column.type);
  const value = writtenAs(column, text);
  return reading.kind === 'letters' ? `${value} collate ${reading.collation}` : value;
}

function known(type: string): Reading {
  const reading = readingOf(type);
  if (reading === null) throw new Error(`columns of type ${type} have no images`);
  return reading;
}

/**
 * Two values of a collation are equal exactly when these texts are. Where spaces at the end do not
 * count, neither do other letters at the end that weigh as much as a space; each letter's weight has
 * the same length, so whole weights are taken off.
 */
function weightText({ name, type }: Column, alias: string): string {
  const reading = known(type);
  if (reading.kind !== 'letters') throw new Error(`${name} has no weights`);
  const { charset, collation, isPadded } = reading;
  const column = `${alias}.${quoted(name)}`;
  const comparison = comparisonOf(collation);
  if (comparison === 'trimmed') return trimmedHex(column);
  const weight = `hex(weight_string(${isPadded ? `rtrim(${column})` : column}))`;
  if (comparison === 'exact') return `ifnull(${weight}, space(0))`;
  const space = `convert(space(1) using ${charset}) collate ${collation}`;
  return `ifnull(trim(trailing hex(weight_string(${space})) from ${weight}), space(0))`;
}

/**
 * Without the spaces at the end. A char has none of its own, but PAD_CHAR_TO_FULL_LENGTH gives it
 * its padding back. Under sql_mode ORACLE nothing is left of an empty text, not even itself.
 */
function trimmedHex(column: string): string {
  return `if(${column} is null, null, ifnull(hex(rtrim(${column})), space(0)))`;
}

/** How values of a collation are told apart. */
export type Comparison =
  /** By their bytes, spaces at the end included. */
  | 'bytes'
  /** By their weights, spaces at the end included. */
  | 'exact'
  /** By their bytes, spaces at the end left out. */
  | 'trimmed'
  /** By one weight a letter, spaces at the end left out. */
  | 'padded';

/** Collations of one weight a letter. */
const single = new RegExp(
  [
    '_general(_mysql500)?_ci$|_unicode(_520)?_ci$',
    '^latin1_(swedish|german1|german2|danish|spanish|general)_c[is]$',
    // Of a language, by the Unicode algorithm at its first level.
    '^(utf8|utf8mb3|utf8mb4|ucs2|utf16|utf32)_[a-z]+[0-9]?_ci$',
    '_uca1400_([a-z]+[0-9]?_)?ai_ci$',
  ].join('|'),
);

/** Null: not known, and a key must not have it. */
export function comparisonOf(collation: string): Comparison | null {
  if (collation === 'binary' || /_(nopad|0900)_bin$/.test(collation)) return 'bytes';
  if (/_(nopad|0900)_/.test(collation)) return 'exact';
  if (collation.endsWith('_bin')) return 'trimmed';
  return single.test(collation) ? 'padded' : null;
}
