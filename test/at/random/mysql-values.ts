/**
 * Types of MariaDB with values that are hard to keep, as constants and as parameters. Constants have
 * neither backslashes nor question marks: those are refused in texts. Nothing here runs.
 */
import type { Parameter } from './pieces.ts';

/** A value in its two forms; at least one is there. */
export interface RandomValue {
  readonly sql: string | null;
  readonly bound: Parameter;
}

export interface ValueType {
  readonly type: string;
  readonly values: readonly RandomValue[];
  /** Values of it may be compared in conditions. */
  readonly isCompared: boolean;
  /** A whole column of it may stand in an index. */
  readonly isIndexed: boolean;
}

/** A constant of letters. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** As it is written in SQL, and as a text. */
function plain(text: string): RandomValue {
  return { sql: text, bound: text };
}

function letters(text: string): RandomValue {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are not for constants.
  return { sql: /[\\?\x00-\x1f]/.test(text) ? null : literal(text), bound: text };
}

function bytes(hex: string): RandomValue {
  return { sql: `x'${hex}'`, bound: Buffer.from(hex, 'hex') };
}

function computed(sql: string): RandomValue {
  return { sql, bound: null };
}

type Form = (text: string) => RandomValue;

function indexed(type: string, form: Form, texts: readonly string[]): ValueType {
  return { type, values: texts.map(form), isCompared: true, isIndexed: true };
}

function compared(type: string, form: Form, texts: readonly string[]): ValueType {
  return { ...indexed(type, form, texts), isIndexed: false };
}

function opaque(type: string, form: Form, texts: readonly string[]): ValueType {
  return { ...compared(type, form, texts), isCompared: false };
}

const nasty = [
  ...['', 'a', 'A', 'a ', 'a,b', ',', '~', '_', '"', `o'x`, '\\', ' ', ' a', 'NULL', 'ä', 'Ä'],
  ...['ß', '\0', '\t', '%', '\u200b'],
];

/** Of a column that statements count with. */
export const whole = indexed('int', plain, ['0', '1', '2', '-7', '2147483647']);

/** Set by the database on insert and update. */
export const touched = indexed('timestamp(6)', letters, [
  ...['2020-01-02 03:04:05.123456', '2020-01-02 03:04:05', '2001-01-01 00:00:00.000001'],
]);

const setOf64 = `set(${Array.from({ length: 64 }, (_, i) => `'m${i}'`).join(',')})`;

/** Columns may have them. */
export const columnTypes: readonly ValueType[] = [
  indexed('tinyint', plain, ['0', '-128', '127', '7']),
  indexed('tinyint unsigned', plain, ['0', '255', '7']),
  indexed('mediumint', plain, ['0', '-8388608', '8388607']),
  indexed('int(7) zerofill', plain, ['0', '42', '4294967295']),
  indexed('bigint', plain, ['0', '9223372036854775807', '-9223372036854775808']),
  indexed('bigint unsigned', plain, ['0', '18446744073709551615', '9007199254740993']),
  indexed('decimal(65,30)', plain, ['0', '1.10', `-${'9'.repeat(35)}.${'9'.repeat(30)}`]),
  indexed('decimal(5,2) unsigned zerofill', plain, ['0', '1.5', '999.99']),
  compared('float', plain, ['0.1', '-0.0', '1e-45', '3.4028234e38', '-16777216']),
  compared('double', plain, ['0.1', '-0.0', '5e-324', '1.7976931348623157e308', '123456.789']),
  compared('double(20,5)', plain, ['0.1', '123456789012345.12345']),
  indexed('bit(1)', computed, [`b'0'`, `b'1'`]),
  indexed('bit(13)', computed, [`b'1010101010101'`, '0']),
  indexed('bit(64)', computed, ['18446744073709551615', '9223372036854775808', '0']),
  indexed('char(6) character set utf8mb4', letters, ['', 'a', 'a  ', '  b', '😀']),
  indexed('char(6) character set utf8mb4 collate utf8mb4_nopad_bin', letters, ['', 'a', 'A']),
  indexed('varchar(40) character set utf8mb4', letters, [...nasty, '€😀', '\n\r']),
  indexed('varchar(40) character set utf8mb4 collate utf8mb4_bin', letters, nasty),
  indexed('varchar(40) character set utf8mb4 collate utf8mb4_unicode_nopad_ci', letters, nasty),
  indexed('varchar(10) character set latin1', letters, ['', 'a ', 'äöü', 'ÿ\0', '€']),
  indexed('varchar(10) character set ucs2', letters, ['', 'ä', 'ab']),
  indexed('varchar(10) character set utf16', letters, ['', 'ä😀']),
  indexed('varchar(10) character set sjis', letters, ['', 'ﾀ', 'ソ']),
  indexed('varchar(10) character set gbk', letters, ['你好', 'a']),
  compared('tinytext', letters, nasty),
  compared('text character set latin1', letters, ['', 'a ', 'ÿ']),
  compared('mediumtext', letters, ['', `äß"'${'x'.repeat(300)}`]),
  compared('longtext character set utf16', letters, ['', 'ä😀']),
  indexed('binary(4)', bytes, ['', '61', '00ff2000', '61000000']),
  indexed('varbinary(9)', bytes, ['', '00', 'ff20', '2c7e27', '5c2722']),
  compared('tinyblob', bytes, ['', '00ff', '5c']),
  compared('blob', bytes, ['', '5c2722', '00']),
  compared('mediumblob', bytes, ['', '00ff27'.repeat(90)]),
  compared('longblob', bytes, ['00']),
  indexed('date', letters, ['0000-00-00', '2024-02-29', '2024-00-00', '9999-12-31']),
  indexed('datetime', letters, ['0000-00-00 00:00:00', '9999-12-31 23:59:59']),
  indexed('datetime(6)', letters, ['0000-00-00 00:00:00.000000', '2024-03-31 02:30:00.000001']),
  indexed('time', letters, ['-838:59:59', '838:59:59', '00:00:00', '-00:00:01']),
  indexed('time(6)', letters, ['-838:59:59.999999', '-00:00:00.000001', '23:59:59.5']),
  indexed('timestamp null', letters, ['0000-00-00 00:00:00', '1999-12-31 23:59:59']),
  indexed('timestamp(6) null', letters, ['1999-12-31 23:59:59.999999', '2024-03-31 02:30:00']),
  indexed('year', plain, ['0', '1901', '2155']),
  indexed(`enum('', 'a', 'ä', 'x,y') collate utf8mb4_bin`, letters, ['', 'a', 'ä', 'x,y']),
  indexed(`enum('1', '0')`, letters, ['0', '1']),
  indexed(`set('', 'a', 'b')`, letters, ['', 'a', 'a,b']),
  indexed(setOf64, letters, ['m0', 'm0,m63', '18446744073709551615', '']),
  compared('json', letters, ['null', '{ "b" : 1,  "b":1.0, "ä": "\\u0041\\""}', '"x"', '[]']),
  opaque('geometry', computed, [`st_geomfromtext('POINT(1 2)', 4326)`, `point(-0.1, 1e300)`]),
  opaque('point', computed, ['point(0.1, -7)', 'point(0, 0)']),
  opaque('linestring', computed, [`st_geomfromtext('LINESTRING(0 0, 1 1.5)')`]),
  opaque('polygon', computed, [`st_geomfromtext('POLYGON((0 0, 1 0, 1 1, 0 0))', 101)`]),
  indexed('uuid', letters, [
    ...['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '00000000-0000-0000-0000-000000000000'],
  ]),
  indexed('inet6', letters, ['::1.2.3.4', 'fe80::1', '::']),
  indexed('inet4', letters, ['0.0.0.0', '255.255.255.255']),
];

/** Of which values do not fit every sql_mode; they are assigned only. */
export const oddDates: readonly RandomValue[] = [
  ...['2023-02-31', '2024-00-10', '0000-00-00'].map(letters),
];

/** One type of a key, or several; `numbered`: the place of the one that counts by itself. */
export interface KeyShape {
  readonly types: readonly ValueType[];
  readonly numbered?: number;
}

const small = ['1', '2', '3', '4'];
const ciText = (collation: string) =>
  indexed(`varchar(20) character set utf8mb4 collate ${collation}`, letters, nasty);
const alike = indexed('varchar(20)', letters, ['a', 'A', 'b', 'a,b', '', ',', '","', 'a"', '_']);
const day = indexed('date', letters, ['2024-02-29', '0000-00-00', '2024-00-00', '9999-12-31']);

/** Primary keys. */
export const keyShapes: readonly KeyShape[] = [
  { types: [indexed('int', plain, [...small, '-1'])] },
  { types: [indexed('int', plain, small)], numbered: 0 },
  { types: [indexed('bigint unsigned', plain, small)], numbered: 0 },
  {
    types: [
      indexed('bigint unsigned', plain, ['0', '1', '18446744073709551615', '9007199254740993']),
    ],
  },
  { types: [indexed('int', plain, small), indexed('int', plain, small)], numbered: 1 },
  { types: [ciText('utf8mb4_general_ci')] },
  { types: [ciText('utf8mb4_unicode_ci')] },
  { types: [ciText('utf8mb4_unicode_nopad_ci')] },
  { types: [ciText('utf8mb4_bin')] },
  { types: [ciText('utf8mb4_nopad_bin')] },
  { types: [indexed('varchar(9) character set latin1', letters, ['', 'a', 'A ', 'ä', 'Ä', '€'])] },
  { types: [indexed('char(3)', letters, ['a', 'A', 'a ', 'b', ''])] },
  { types: [indexed('varbinary(8)', bytes, ['', '00', '2c22', 'ff', '0000', '20'])] },
  {
    types: [
      indexed('binary(16)', bytes, [
        ...['00000000000000000000000000000001', 'ffffffffffffffffffffffffffffffff'],
        ...['20202020202020202020202020202020', '00'],
      ]),
    ],
  },
  {
    types: [
      indexed('decimal(10,3)', plain, ['1', '1.0', '1.000', '100', '0.10', '-0.5', '1.0004']),
    ],
  },
  { types: [alike, alike] },
  { types: [alike, whole, day] },
  { types: [alike, alike, alike] },
  { types: [day] },
  {
    types: [
      indexed('datetime(6)', letters, [
        ...['2024-02-29 12:34:56.123456', '2024-02-29 12:34:56', '2024-02-29 12:34:56.000000'],
        '0000-00-00 00:00:00',
      ]),
    ],
  },
  { types: [indexed('time(3)', letters, ['-838:59:59.999', '00:00:00.001', '00:00:00.0010'])] },
  {
    types: [
      indexed('timestamp(6)', letters, ['2024-02-29 12:34:56.123456', '1999-01-01 00:00:00']),
    ],
  },
  { types: [indexed(`enum('', 'a', 'x,y')`, letters, ['', 'a', 'x,y'])] },
  { types: [indexed(`set('a', 'b', 'c')`, letters, ['', 'a', 'a,b', 'b,a'])] },
  { types: [indexed('bit(3)', computed, ['5', '0', '7'])] },
  { types: [indexed('year', plain, ['0', '1901', '2155'])] },
  {
    types: [
      indexed('uuid', letters, [
        ...['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'],
        '00000000-0000-0000-0000-000000000000',
      ]),
    ],
  },
  { types: [indexed('inet6', letters, ['::1', '::1.2.3.4', 'fe80::1'])] },
];
