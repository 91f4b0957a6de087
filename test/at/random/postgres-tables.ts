/**
 * Random tables for the property tests on PostgreSQL: shapes of keys, types with values that are hard
 * to keep, unique indexes, a foreign key. Values come from small pools, so that statements meet each
 * other's rows. Nothing here runs.
 */
import fc from 'fast-check';

/** A type, and texts that its input takes. */
export interface ValueType {
  readonly type: string;
  readonly texts: readonly string[];
  /** Has `=` and an order: may stand in conditions and in unique indexes. */
  readonly hasOrder: boolean;
}

export interface RandomColumn extends ValueType {
  readonly name: string;
  /** As SQL; null: none. */
  readonly fallback: string | null;
}

export interface RandomTable {
  /** As SQL. */
  readonly name: string;
  readonly key: readonly RandomColumn[];
  /** Neither of the key nor computed. */
  readonly columns: readonly RandomColumn[];
  /** Names of columns; null: no unique index besides the key. */
  readonly unique: readonly string[] | null;
  /** The columns that refer to the key of `to`. */
  readonly reference: {
    readonly to: 'parent' | 'self';
    readonly columns: readonly string[];
    readonly isDeferred: boolean;
  } | null;
  readonly isAlwaysIdentity: boolean;
  readonly ddl: string;
}

/** Two tables, the second may refer to the first. */
export interface RandomPair {
  readonly parent: RandomTable;
  readonly child: RandomTable;
}

/** Types that the columns below use; once in each database. */
export const sharedTypes = `
  create schema "Shop x";
  create type "Shop x"."Mood" as enum ('sad', 'o"k', 'a,b', '');
  create type pair as (a integer, "B" text);
  create domain short as varchar(6);`;

const nasty = [
  '',
  'a',
  'A',
  'a,b',
  ',',
  ';',
  '_',
  'a_',
  '^^^',
  '"',
  `o'x`,
  '\\',
  ' ',
  ' a',
  'NULL',
];

function ordered(type: string, texts: readonly string[]): ValueType {
  return { type, texts, hasOrder: true };
}

function unordered(type: string, texts: readonly string[]): ValueType {
  return { type, texts, hasOrder: false };
}

const whole = ordered('integer', ['0', '1', '2', '-7', '2147483647']);

const types: readonly ValueType[] = [
  ordered('numeric', ['0', '-0.00', '1.10', '1.1', '12345678901234567890.123456789', 'NaN']),
  ordered('numeric(10,2)', ['0', '1.10', '-99999999.99', '5']),
  ordered('bigint', ['0', '9223372036854775807', '-9007199254740993']),
  ordered('smallint', ['0', '-32768', '7']),
  ordered('real', ['0', '-0', '1e-45', 'NaN', '3.4028235e38', '0.1']),
  ordered('double precision', ['0', '-0', '4.9e-324', '-Infinity', 'NaN', '0.30000000000000004']),
  ordered('timestamp with time zone', [
    ...['2024-02-29 12:34:56.123456+05:30', 'infinity', '-infinity'],
    ...['0001-01-01 00:00:00+00 BC', '1890-01-01 00:00:00+00', '294276-12-31 23:59:59.999999+00'],
  ]),
  ordered('timestamp(3)', ['2024-03-31 02:30:00.1239', 'infinity', '4713-01-01 00:00:00 BC']),
  ordered('date', ['2024-02-29', 'infinity', '0044-03-15 BC', '5874897-12-31']),
  ordered('time', ['24:00', '00:00:00.000001', '12:00']),
  ordered('time with time zone', ['24:00+15:59:59', '12:00:00.5-03']),
  ordered('interval', ['1 mon -2 days 03:04:05.6', '24:00', '1 day', '-00:00:00.000001']),
  ordered('bytea', ['\\x', '\\x00ff27', '\\x5c5c22', '\\x2c28']),
  ordered('jsonb', ['{"a": [1, 2.50, null]}', '"x€\\n"', 'null', '1.0', '{}']),
  unordered('json', ['{"b" : 1,  "b":2 }', '[ ]', '"\\u00e4"', 'null']),
  ordered('text', [...nasty, '€😀', '\n\r\t', 'ﬀ', '(1,"a")', '{a}', '\u0001']),
  ordered('varchar(8)', ['', 'NULL', '  x ', 'ÄÖ']),
  ordered('char(5)', ['', 'a', 'a  ', ' b', 'abcde']),
  ordered('"char"', ['a', '"', '']),
  ordered('text[]', ['{}', '{a,"b,c",NULL,"NULL","","\\""}', '[-1:0]={x,y}', '{{a},{b}}']),
  ordered('integer[]', ['{}', '[0:1]={1,2}', '{{1,2},{3,NULL}}']),
  ordered('"Shop x"."Mood"', ['sad', 'o"k', 'a,b', '']),
  ordered('"Shop x"."Mood"[]', ['{}', '{sad,"o\\"k","a,b",""}']),
  ordered('int4range', ['empty', '[1,5)', '(,)', '(,3]']),
  ordered('tstzrange', ['empty', '["2024-01-01 00:00+00","2024-01-02 00:00:00.5+00")']),
  ordered('nummultirange', ['{}', '{[1,2.50),(3,4]}']),
  ordered('boolean', ['t', 'f']),
  ordered('bit(3)', ['101', '000']),
  ordered('varbit', ['', '1', '0010']),
  ordered('uuid', ['00000000-0000-0000-0000-000000000001', 'ffffffff-ffff-ffff-ffff-ffffffffffff']),
  ordered('inet', ['10.0.0.1/8', '::1', '10.0.0.1']),
  ordered('macaddr', ['08:00:2b:01:02:03']),
  ordered('money', ['-12.34', '0', '92233720368547758.07']),
  unordered('point', ['(1,2)', '(-0,1e-300)']),
  unordered('path', ['[(0,0),(1,1)]', '((0,0),(1,1))']),
  ordered('tsvector', ["a:1 'b c':2A", '']),
  ordered('pair', ['(1,"a,b")', '(,)', '(2,"")']),
  ordered('short', ['', 'x"y']),
];

/** One type of a key, or several. */
interface KeyShape {
  readonly types: readonly ValueType[];
  /** Of the first column. */
  readonly fallback?: 'identity' | 'always' | 'sequence' | 'uuid';
}

const alike = ordered('text', ['a', 'b', 'a,b', '', ',', '","', 'a"', '_', 'a_', '^^^']);
const small = ordered('bigint', ['1', '2', '3', '4', '-1', '9007199254740993']);

const keys: readonly KeyShape[] = [
  { types: [small] },
  { types: [small], fallback: 'identity' },
  { types: [small], fallback: 'always' },
  { types: [ordered('integer', ['1', '2', '3', '4'])], fallback: 'sequence' },
  {
    types: [
      ordered('uuid', [
        '00000000-0000-0000-0000-00000000000a',
        'C4CA4238-A0B9-2382-0DCC-509A6F75849B',
        '{c81e728d9d4c2f636f067f89cc14862c}',
      ]),
    ],
    fallback: 'uuid',
  },
  { types: [ordered('text', nasty)] },
  { types: [alike, alike] },
  { types: [alike, whole, ordered('date', ['2024-02-29', 'infinity', '0044-03-15 BC'])] },
  { types: [alike, alike, alike] },
  { types: [ordered('numeric', ['1', '1.0', '1.00', '100', '1e2', '0.10', '-0', 'NaN'])] },
  { types: [ordered('numeric(8,3)', ['1', '1.0', '1.0004', '100', '1e2'])] },
  { types: [ordered('date', ['2024-02-29', 'infinity', '-infinity', '0044-03-15 BC'])] },
  { types: [ordered('char(3)', ['a', 'a ', 'b', ''])] },
  { types: [ordered('"Shop x"."Mood"', ['sad', 'o"k', 'a,b', ''])] },
  { types: [ordered('bytea', ['\\x', '\\x00', '\\x2c22', '\\xff'])] },
  {
    types: [
      ordered('timestamp with time zone', [
        ...['2024-02-29 12:34:56.123456+05:30', '2024-02-29 07:04:56.123456+00', '-infinity'],
      ]),
    ],
  },
  { types: [ordered('boolean', ['t', 'f']), ordered('short', ['', 'x', 'NULL'])] },
];

const oddNames = ['select', 'Größe "x"', '__proto__', 'constructor', 'a.b', '$1', 'x y'];

/** `prefix` makes the tables' names unique in their database. */
export function randomPair(prefix: string): fc.Arbitrary<RandomPair> {
  const shape = fc.record({
    key: fc.constantFrom(...keys),
    columns: fc.uniqueArray(fc.constantFrom(...types), { minLength: 1, maxLength: 6 }),
    unique: fc.nat(5),
    isComputed: fc.boolean(),
    isQualified: fc.boolean(),
  });
  const reference = fc.record({
    to: fc.constantFrom('parent', 'self', 'none' as const),
    isDeferred: fc.boolean(),
  });
  return fc.tuple(shape, shape, reference).map(([parentShape, childShape, to]) => {
    const parent = table(`${prefix} p`, parentShape, null);
    return { parent, child: table(`${prefix} c`, childShape, { ...to, parent }) };
  });
}

interface Shape {
  readonly key: KeyShape;
  readonly columns: readonly ValueType[];
  readonly unique: number;
  readonly isComputed: boolean;
  readonly isQualified: boolean;
}

interface WantedReference {
  readonly to: 'parent' | 'self' | 'none';
  readonly isDeferred: boolean;
  readonly parent: RandomTable;
}

function table(name: string, shape: Shape, wanted: WantedReference | null): RandomTable {
  const { fallback } = shape.key;
  const id = shape.isQualified ? `"Shop x".${quoted(name)}` : quoted(name);
  const key = shape.key.types.map((type, index) => ({
    ...{ ...type, name: index === 0 ? 'id' : `Key "${index}`, fallback: null },
    ...(index === 0 && fallback !== undefined ? { fallback: 'default' } : {}),
  }));
  const plain = shape.columns.map((type, index) => ({
    ...type,
    name: oddNames[index] ?? `c${index}`,
    fallback: index === 1 ? literal(type.texts[0] ?? '') : null,
  }));
  const to = wanted === null || wanted.to === 'none' ? null : wanted.to;
  const target = to === 'self' ? key : (wanted?.parent.key ?? []);
  const referring = to === null ? [] : target.map(referringColumn);
  const columns = [{ ...whole, name: 'n', fallback: '1' }, ...plain, ...referring];
  const sortable = [...plain, ...referring].filter(({ hasOrder }) => hasOrder);
  const first = sortable[shape.unique]?.name;
  const unique = first === undefined ? null : [first, ...(shape.unique % 2 === 0 ? ['n'] : [])];
  const reference =
    to === null
      ? null
      : {
          to,
          columns: referring.map((one) => one.name),
          isDeferred: wanted?.isDeferred === true,
        };
  const described = {
    ...{ name: id, key, columns, unique, reference },
    isAlwaysIdentity: fallback === 'always',
  };
  const targetName = to === 'self' ? id : (wanted?.parent.name ?? '');
  return { ...described, ddl: ddlOf(described, { ...shape, name, targetName, target }) };
}

function referringColumn(column: RandomColumn, index: number): RandomColumn {
  return { ...column, name: `ref${index}`, fallback: null };
}

interface DdlParts {
  readonly name: string;
  readonly key: KeyShape;
  readonly isComputed: boolean;
  readonly targetName: string;
  readonly target: readonly RandomColumn[];
}

function ddlOf(
  described: Omit<RandomTable, 'ddl'>,
  { name, key: shape, isComputed, targetName, target }: DdlParts,
): string {
  const { key, columns, unique, reference } = described;
  const schema = described.name.startsWith('"Shop x".') ? '"Shop x".' : '';
  const sequence = `${schema}${quoted(`${name} seq`)}`;
  const lines = [
    ...key.map((column, index) => {
      const how = index === 0 ? keyFallback(shape.fallback, literal(sequence)) : '';
      return `${quoted(column.name)} ${column.type} not null ${how}`;
    }),
    ...columns.map((column) => {
      const fallback = column.fallback === null ? '' : `default ${column.fallback}`;
      return `${quoted(column.name)} ${column.type} ${fallback}`;
    }),
    ...(isComputed ? ['computed bigint generated always as (n * 2) stored'] : []),
    `primary key (${names(key)})`,
  ];
  if (reference !== null) {
    const when = reference.isDeferred ? 'deferrable initially deferred' : '';
    const own = reference.columns.map(quoted).join(', ');
    lines.push(`foreign key (${own}) references ${targetName} (${names(target)}) ${when}`);
  }
  const index = unique === null ? '' : uniqueIndex(described.name, unique);
  // Owned, so that a truncate begins it anew.
  const owned = `alter sequence ${sequence} owned by ${described.name}.${quoted(key[0]?.name ?? '')}`;
  const create = `create table ${described.name} (${lines.join(', ')})`;
  return `create sequence ${sequence}; ${create}; ${owned}; ${index}`;
}

function uniqueIndex(table: string, columns: readonly string[]): string {
  return `create unique index on ${table} (${columns.map(quoted).join(', ')})`;
}

function keyFallback(fallback: KeyShape['fallback'], sequence: string): string {
  switch (fallback) {
    case undefined:
      return '';
    case 'identity':
      return 'generated by default as identity';
    case 'always':
      return 'generated always as identity';
    case 'sequence':
      return `default nextval(${sequence})`;
    case 'uuid':
      return `default md5(nextval(${sequence})::text)::uuid`;
    default:
      return fallback satisfies never;
  }
}

function names(columns: readonly RandomColumn[]): string {
  return columns.map(({ name }) => quoted(name)).join(', ');
}

/** An identifier. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A constant; strings have no escapes. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
