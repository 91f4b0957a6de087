/**
 * Every type of PostgreSQL through undo rows and back, bit for bit. The judge is the database: rows
 * are compared with a copy by `*=`, which compares the stored bytes, and by a checksum.
 */
import { describe, expect, it } from 'vitest';
import type { Session } from '../../client-sdk/resource/facts.ts';
import { fieldsOf, imageOf } from '../../client-sdk/resource/postgres/image-text.ts';
import { rowKey } from '../../client-sdk/resource/row-key.ts';
import { describeOn } from '../support/databases.ts';
import { branch, factsOf, openDatabase, restore, stepBy } from './postgres-undo-world.ts';

const nasty = [
  `''`,
  `' '`,
  `'null'`,
  `'NULL'`,
  `'"'`,
  `'""'`,
  `'\\'`,
  `'\\\\"'`,
  `'(,)'`,
  `'{}'`,
  `''''`,
  `E'a\\tb\\nc\\r'`,
  `'über 😀 ﷺ'`,
  `E'\\u00a0\\u2028'`,
  `E'\\x01'`,
  `'$1 $json$'`,
];

/** Type → values as SQL. Everything gets NULL besides. */
const types: Readonly<Record<string, readonly string[]>> = {
  smallint: ['-32768', '0', '32767'],
  integer: ['-2147483648', '2147483647'],
  bigint: ['-9223372036854775808', '9223372036854775807', '9007199254740993'],
  numeric: [`'NaN'`, `'Infinity'`, `'-Infinity'`, '0', '0.00', '1.10', `repeat('9', 500)::numeric`],
  'numeric(12,3)': ['1.5', '-999999999.999'],
  real: [`'NaN'`, `'-0'`, `'Infinity'`, '0.1', '1e-45', '3.4028235e38'],
  'double precision': [`'NaN'`, `'-0'`, `'-Infinity'`, '0.1', '5e-324', '1.7976931348623157e308'],
  money: [`'-92233720368547758.08'`, `'92233720368547758.07'`, `'0.01'`],
  'char(5)': [`'a'`, `''`, `' b'`, `'ab(,)'`],
  bpchar: [`'a  '`, `''`],
  '"char"': [`'a'`, `''`, `'"'`],
  'varchar(20)': [`'a '`, `''`],
  name: [`'a name'`],
  text: nasty,
  bytea: [`''`, `'\\x00'`, `'\\x5c22277f80ff'`, `decode(repeat('ab', 5000), 'hex')`],
  boolean: ['true', 'false'],
  date: [`'infinity'`, `'-infinity'`, `'4713-01-01 BC'`, `'0001-12-31 BC'`, `'5874897-12-31'`],
  time: [`'00:00'`, `'24:00'`, `'23:59:59.999999'`],
  'time(2)': [`'23:59:59.99'`],
  timetz: [`'12:00:00.000001+05:45:30'`, `'24:00-15:59'`],
  timestamp: [`'infinity'`, `'4713-11-24 00:00:00 BC'`, `'294276-12-31 23:59:59.999999'`],
  timestamptz: [
    `'-infinity'`,
    `'0044-03-15 12:00 BC'`,
    `'2024-03-31 02:30:00.000001 Europe/Paris'`,
  ],
  interval: [
    `'1 mon -2 days 03:04:05.000006'`,
    `'-1 year -1 mon +1 day -0.5 sec'`,
    `'24:00'`,
    `'1 day'`,
  ],
  'interval day to second(3)': [`'-4 days 5.125 sec'`],
  uuid: [`'00000000-0000-0000-0000-000000000000'`, `'ffffffff-ffff-ffff-ffff-ffffffffffff'`],
  json: [`'null'`, `'{ "b" : 1,  "b":1.0 }'`, `'"\\u0041"'`],
  jsonb: [`'null'`, `'{"b": 1.00, "a": [null, "\\""]}'`, `'""'`, `'1e20'`],
  'integer[]': [`'{}'`, `'{NULL,1}'`, `'{{1,2},{3,NULL}}'`, `'[-1:1]={1,2,3}'`],
  'text[]': [`array['', 'NULL', null, '"', '\\', '{', 'a,b', ' ']`, `array[['a'],[null]]`],
  'timestamptz[]': [`array['2024-01-01 00:00 Asia/Kathmandu'::timestamptz, 'infinity']`],
  'float8[]': [`'{-0,NaN,0.1}'`],
  'bytea[]': [`array['\\x00ff'::bytea, '']`],
  int4range: [`'empty'`, `'[1,5)'`, `'(,)'`],
  numrange: [`'[1.10,2.0]'`],
  tstzrange: [`'[2024-01-01 00:00+05, infinity]'`],
  int4multirange: [`'{}'`, `'{[1,2),[5,)}'`],
  tstzmultirange: [`'{[2024-01-01 00:00+05, 2025-01-01 00:00+05)}'`],
  'odd."Color x"': [`'red'`, `'"quoted, (x)"'`, `''`],
  'odd."Color x"[]': [`array['red', null, '']::odd."Color x"[]`],
  'odd.pair': [`row(1, 'a "b", \\', null)`, `row(null, null, null)`, `row(-1, '', '{1.0}')`],
  'odd.pair[]': [`array[row(1, '"', '{-0}')::odd.pair, null]`],
  'odd.even': ['2', '-4'],
  'odd.word[]': [`array['a', 'B']::odd.word[]`],
  'odd.span': [`'[-0,0.1]'`],
  'bit(3)': [`b'101'`],
  'bit varying': [`b''`, `b'1'`, `b'0000000000000000000000001'`],
  inet: [`'10.0.0.1/8'`, `'::1'`, `'::ffff:1.2.3.4/128'`],
  cidr: [`'10.0.0.0/8'`, `'2001:db8::/32'`],
  macaddr: [`'08:00:2b:01:02:03'`],
  macaddr8: [`'08:00:2b:01:02:03:04:05'`],
  point: [`'(-0,0.1)'`, `'(NaN,Infinity)'`],
  line: [`'{1,-1,0}'`],
  lseg: [`'[(0,0),(1,0.1)]'`],
  box: [`'(1,1),(0.1,-0)'`],
  path: [`'[(0,0),(1,1)]'`, `'((0,0),(1,1))'`],
  polygon: [`'((0,0),(1,1),(2,0.3))'`],
  circle: [`'<(0.1,0.2),3>'`],
  tsvector: [`'a:1A ''b c'':2 ''it''''s'' "q" \\\\'`, `''`],
  tsquery: [`'a & !(b | ''c d'':*A) <2> e'`],
  jsonpath: [`'strict $.a[*] ? (@ > 1.0)'`],
  xml: [`'<a b="1">x<!-- c --></a>'`, `xml 'text and <b/>'`, `''`],
  regclass: [`'public.settle_undo'`, `'pg_class'`, `'odd."Color y"'`],
  regtype: [`'odd.pair'`, `'timestamptz'`],
  oid: ['4294967295'],
  pg_lsn: [`'16/B374D848'`],
  xid8: [`'18446744073709551615'`],
  pg_snapshot: [`'10:20:10,14'`],
  'odd.hstore': [`'"a b"=>"\\"", c=>NULL, ""=>""'`, `''`],
  'odd.citext': [`'Mixed Case'`],
  'odd.ltree': [`'a.b_c.D'`],
};

const schema = `create schema odd; create extension hstore schema odd;
  create extension citext schema odd; create extension ltree schema odd;
  create type odd."Color x" as enum ('red', '"quoted, (x)"', '');
  create table odd."Color y" (); create type odd.pair as (a int, "b c" text, d float8[]);
  create domain odd.even as bigint check (value % 2 = 0);
  create domain odd.word as varchar(4) not null;
  create type odd.span as range (subtype = float8)`;

const oddSettings = [
  `set datestyle to 'German, DMY'; set timezone to 'Asia/Kathmandu';
   set intervalstyle to sql_standard; set extra_float_digits to -15; set bytea_output to escape;
   set array_nulls to off; set xmloption to document; set search_path to public, odd`,
  `set datestyle to 'SQL, MDY'; set timezone to 'America/St_Johns'; set intervalstyle to iso_8601;
   set extra_float_digits to 0; set standard_conforming_strings to on;
   set search_path to odd, public, pg_catalog`,
];

await describeOn('postgres', (server) => {
  describe('types', () => {
    it('come back bit for bit, whatever the sessions are set to', async () => {
      const { session, open } = await openDatabase(server, schema);
      const names = Object.keys(types);
      for (const [index, type] of names.entries()) {
        const table = `public.t${index}`;
        const rows = ['null', ...(types[type] ?? [])].map((value, id) => `(${id}, ${value})`);
        await session.query(
          `create table ${table} (id int primary key, "v (x)" ${type});
           insert into ${table} values ${rows.join(', ')}`,
        );
        await session.query(`create table odd.c${index} as table ${table}`);
      }
      const writer = await open();
      await writer.query(oddSettings[0] ?? '');
      const start = await checksums(session, names.length);
      for (const [index, type] of names.entries()) {
        await branch(writer, { gid: 'g', branchId: index + 1 }, () =>
          changeAll(writer, index, type),
        );
      }
      expect(await equalTables(session, names)).toEqual([]);
      const undoer = await open();
      await undoer.query(oddSettings[1] ?? '');
      expect(await restore(undoer, 'g')).toMatchObject({ kind: 'restored' });
      const differing = await equalTables(session, names);
      expect(names.filter((name) => !differing.includes(name))).toEqual([]);
      expect(await checksums(session, names.length)).toEqual(start);
    });

    it('come back with identities and generated columns', async () => {
      const { session } = await openDatabase(
        server,
        `create table t (dropped int, id bigint generated always as identity primary key,
           "select" int generated by default as identity, name text default 'none',
           twice text generated always as (name || name) stored, t text, unique (twice));
         alter table t drop dropped;
         insert into t (name, t) values ('a', 'x'), ('b', null)`,
      );
      await session.query('create table c as table t');
      await branch(session, { gid: 'g', branchId: 1 }, async () => [
        ...(await stepBy(session, 't', {
          where: 'id = 1',
          change: `update t set name = 'z' where id = 1`,
        })),
        ...(await stepBy(session, 't', { where: 'true', change: 'delete from t where id = 2' })),
        ...(await stepBy(session, 't', {
          where: 'id = 3',
          change: `insert into t (name) values ('b')`,
        })),
      ]);
      expect(await restore(session, 'g')).toMatchObject({ kind: 'restored' });
      const { rows } = await session.query(
        'select count(*)::int as same from t join c on c.id = t.id and t.* *= c.*',
      );
      expect(rows).toEqual([{ same: 2 }]);
      expect((await session.query('select from t')).count).toBe(2);
    });
  });

  describe('images', () => {
    it('are read as PostgreSQL writes them', async () => {
      const { session } = await openDatabase(server, '');
      const next = randomFrom(20_240_101);
      for (let round = 0; round < 300; round += 1) {
        const fields = Array.from({ length: 1 + next(6) }, () => randomField(next));
        const list = fields.map((_, index) => `$${index + 1}::text`).join(', ');
        const { rows } = await session.query(`select row(${list})::text as text`, fields);
        expect(fieldsOf(String(rows[0]?.['text']))).toEqual(fields);
      }
    });

    it('are of their own table, or refused', async () => {
      const { session } = await openDatabase(server, 'create table t (id int primary key, a int)');
      const facts = await factsOf(session, 't');
      expect(imageOf(facts, 'public.t(1,)')).toEqual({ id: '1', a: null });
      for (const text of ['shop.t(1,)', 'public.t2(1,)', '(1,)', 'record(1,)', 'public.t', '']) {
        expect(() => imageOf(facts, text)).toThrow('this row is not of public.t');
      }
      expect(() => imageOf(facts, 'public.t(1)')).toThrow('public.t has 2 columns, this row 1');
    });
  });

  describe('keys', () => {
    const spellings: readonly (readonly [string, string, string, string])[] = [
      ['numeric', '1.0', '1.000', '1'],
      ['numeric', '100', '1e2', '100'],
      ['numeric(8,2)', '0', '-0.00', '0'],
      ['odd.citext', 'Ab', 'aB', 'ab'],
      ['char(4)', 'a', 'a  ', 'a   '],
      ['timestamptz', '2024-01-01 05:45+05:45', '2024-01-01 00:00Z', '2024-01-01 00:00:00+00'],
      ['odd.even', '2', '+2', '2'],
      ['bytea', '\\x61', 'a', '\\x61'],
    ];

    it.each(spellings)('%s: %s and %s are one', async (type, one, other, text) => {
      const { session } = await openDatabase(server, schema);
      await session.query('set search_path to public, odd');
      await session.query(`create table t (n int, k ${type}, l text, primary key (l, k))`);
      const facts = await factsOf(session, 't');
      expect(facts.refusal).toBe(null);
      const key = async (value: string) => {
        const { rows } = await session.query(
          `insert into t values (1, $1::${type}, '["') returning settle_image(t.*) as image`,
          [value],
        );
        await session.query('delete from t');
        return rowKey(facts, imageOf(facts, String(rows[0]?.['image'])));
      };
      expect(await key(one)).toBe(JSON.stringify(['["', text]));
      expect(await key(other)).toBe(await key(one));
    });
  });
});

/** Every row is updated to the value of its neighbour, then all are deleted, then some come again. */
async function changeAll(session: Session, index: number, type: string) {
  const table = `public.t${index}`;
  const count = 1 + (types[type]?.length ?? 0);
  const by = (change: string) => stepBy(session, table, { where: 'true', change });
  return [
    ...(await by(
      `update ${table} t set "v (x)" = c."v (x)" from odd.c${index} c
        where c.id = (t.id + 1) % ${count}`,
    )),
    ...(await by(`delete from ${table}`)),
    ...(await by(
      `insert into ${table} select id + 1, "v (x)" from odd.c${index} where id % 2 = 0`,
    )),
  ];
}

/** Types whose table is as its copy. */
async function equalTables(session: Session, names: readonly string[]) {
  const equal: string[] = [];
  for (const [index, name] of names.entries()) {
    const { rows } = await session.query(
      `select from public.t${index} t full join odd.c${index} c on c.id = t.id
        where (t.* *= c.*) is not true`,
    );
    if (rows.length === 0) equal.push(name);
  }
  return equal;
}

async function checksums(session: Session, tables: number) {
  const sums: unknown[] = [];
  for (let index = 0; index < tables; index += 1) {
    const { rows } = await session.query(
      `select md5(string_agg(t::text, ';' order by id)) as sum from public.t${index} t`,
    );
    sums.push(rows[0]?.['sum']);
  }
  return sums;
}

/** Whole numbers below the limit, the same for the same seed. */
function randomFrom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >> 8) % limit;
  };
}

const letters = [
  '"',
  '\\',
  ',',
  '(',
  ')',
  ' ',
  '\n',
  '\t',
  '\v',
  'a',
  'é',
  '😀',
  '\u00a0',
  '{',
  "'",
];

function randomField(next: (limit: number) => number): string | null {
  if (next(8) === 0) return null;
  return Array.from({ length: next(6) }, () => letters[next(letters.length)]).join('');
}
