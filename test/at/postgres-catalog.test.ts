/** What the catalogue says of tables and functions: refusals, hazards, writers, and its memory. */
import { describe, expect, it } from 'vitest';
import { createPostgresCatalog } from '../../client-sdk/resource/postgres/catalog.ts';
import { describeOn } from '../support/databases.ts';
import { factsOf, freshCatalog, openDatabase, type TestSession } from './postgres-undo-world.ts';

const trigger = `create function f() returns trigger language plpgsql as 'begin return new; end';`;
const table = 'create table t (id int primary key, a int, b int)';

/** Schema, then the refusal of `t`. */
const refusals: readonly (readonly [string, string])[] = [
  ['create view t as select 1 as id', 'it is a view'],
  ['create materialized view t as select 1 as id', 'it is a materialized view'],
  [
    `create foreign data wrapper w; create server s foreign data wrapper w;
     create foreign table t (id int) server s`,
    'it is a foreign table',
  ],
  ['create table t (id int primary key) partition by range (id)', 'it is a partitioned table'],
  [
    `create table p (id int primary key) partition by range (id);
     create table t partition of p default`,
    'it is a partition',
  ],
  [
    `${table}; create table c () inherits (t)`,
    'it inherits from another table, or another one from it',
  ],
  [
    'create table p (id int); create table t (primary key (id)) inherits (p)',
    'it inherits from another table, or another one from it',
  ],
  ['create sequence t', 'it is a sequence'],
  ['create temporary table t (id int primary key)', 'it is a temporary table'],
  ['create table t (id int unique not null)', 'it has no primary key'],
  ['create table t (id int primary key deferrable)', 'its primary key is deferrable'],
  [
    `${table}; create schema s; create table s.settle_undo (id int)`,
    'the database has several tables settle_undo: locks would not meet',
  ],
  [`${table}; create rule r as on update to t do also select 1`, 'it has the rule r'],
  [
    `create collation c (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
     create table t (id text collate c primary key)`,
    'its key column id has a nondeterministic collation',
  ],
  ...[
    'real',
    'double precision',
    'interval',
    'jsonb',
    'int4range',
    'integer[]',
    'time with time zone',
    'bpchar',
    'oidvector',
    'tsvector',
  ].map(
    (type) =>
      [
        `create table t (n int, "K k" ${type}, primary key (n, "K k"))`,
        `its key column K k has type ${type}, in which equal values may differ as text`,
      ] as const,
  ),
  [
    'create domain d as float8; create domain e as d; create table t (id e primary key)',
    'its key column id has type public.e, in which equal values may differ as text',
  ],
];

/** Schema, then what statements on `t` would set off: verbs, columns, what. */
const hazards: readonly (readonly [string, readonly string[]])[] = [
  [table, []],
  [
    `${table}; ${trigger} create trigger ins after insert on t execute function f()`,
    ['insert,delete * trigger ins'],
  ],
  [
    `${table}; ${trigger} create trigger del before delete on t for each row execute function f()`,
    ['insert,delete * trigger del'],
  ],
  [
    `${table}; ${trigger} create trigger upd before update of b, a or insert on t
       for each row execute function f()`,
    ['insert,delete * trigger upd', 'update b,a trigger upd'],
  ],
  [
    `${table}; ${trigger} create trigger tru before truncate on t execute function f();
     create trigger off before update on t for each row execute function f();
     alter table t disable trigger off;
     create trigger replica before update on t for each row execute function f();
     alter table t enable replica trigger replica`,
    [],
  ],
  [
    `${table}; ${trigger} create trigger always before update on t execute function f();
     alter table t enable always trigger always`,
    ['update * trigger always'],
  ],
  [
    `create table t (id int primary key, a int, g int generated always as (a + 1) stored unique);
     ${trigger} create trigger upd after update of g on t for each row execute function f();
     create table c (g int references t (g) on update cascade)`,
    ['update * trigger upd', 'update * foreign key c_g_fkey (on update cascade)'],
  ],
  [`${table}; create table c (t int references t)`, []],
  [
    `create table t (id int primary key, a int, b int, unique (b, a));
     create table c (x int, y int, constraint k foreign key (x, y) references t (b, a)
       on delete set null on update set default);
     create table d (t int references t on delete cascade)`,
    [
      'delete * foreign key d_t_fkey (on delete cascade)',
      'delete * foreign key k (on delete set null)',
      'update b,a foreign key k (on update set default)',
    ],
  ],
  [
    `create table t (id int primary key, up int references t on delete set default)`,
    ['delete * foreign key t_up_fkey (on delete set default)'],
  ],
  [
    `create function v() returns int language sql as 'select 1';
     create function s() returns int stable language sql as 'select 1';
     create domain d as int default v(); create domain e as int check (value < v());
     create table t (id serial primary key, a int default v(),
       b int default s() check (b > v()), d d default 1, e e)`,
    [
      'insert,update a default of a with v()',
      'insert,update,delete * v() in a check or a domain',
      'insert,update,delete * v() in a check or a domain',
      'insert,update,delete * v() in a check or a domain',
    ],
  ],
  [
    `create extension "uuid-ossp"; create extension pgcrypto;
     create table t (id uuid primary key default uuid_generate_v4(), a bytea default gen_random_bytes(4))`,
    [],
  ],
  [
    `create type pair as (n int, doc xml[]);
     create table t (id int generated always as identity primary key, a pair)`,
    [
      'update id id, generated always as identity,',
      'delete * xml in a, whose declaration cannot be read back,',
      'update a xml in a, whose declaration cannot be read back,',
    ],
  ],
];

await describeOn('postgres', (server) => {
  describe('facts', () => {
    it.each(refusals)('refuse: %s', async (schema, refusal) => {
      const { session } = await openDatabase(server, schema);
      expect((await factsOf(session, 't')).refusal).toBe(refusal);
    });

    it.each(hazards)('tell what a statement sets off: %s', async (schema, expected) => {
      const { session } = await openDatabase(server, schema);
      const facts = await factsOf(session, 't');
      expect(facts.refusal).toBe(null);
      const found = facts.hazards.map(
        ({ what, on, columns }) => `${on.join()} ${columns?.join() ?? '*'} ${what}`,
      );
      expect(found).toEqual(expected);
    });

    it('refuse our own tables, those of the system, and what is not there', async () => {
      const { session } = await openDatabase(server, '');
      expect((await factsOf(session, 'settle_undo')).refusal).toContain('settle_');
      const own = 'it belongs to the database itself';
      expect((await factsOf(session, 'pg_class')).refusal).toBe(own);
      expect((await factsOf(session, 'information_schema.sql_sizing')).refusal).toBe(own);
      await expect(factsOf(session, 'shop.nowhere')).rejects.toMatchObject({
        code: 'AT_UNSUPPORTED_SQL',
        detail: expect.stringContaining('there is no table shop.nowhere'),
      });
    });

    it('know row security and triggers for the session that asks', async () => {
      const { session } = await openDatabase(
        server,
        `${table}; alter table t enable row level security; create role limited_${process.pid};
         grant select on t to limited_${process.pid};
         ${trigger} create trigger upd after update on t execute function f()`,
      );
      const seen = await factsOf(session, 't');
      expect(seen).toMatchObject({ refusal: null, hazards: [{ what: 'trigger upd' }] });
      await session.query('set session_replication_role to replica');
      expect((await factsOf(session, 't')).hazards).toEqual([]);
      await session.query(`set role limited_${process.pid}`);
      expect((await factsOf(session, 't')).refusal).toContain('row security');
      await session.query(`reset role; drop owned by limited_${process.pid};
        drop role limited_${process.pid}`);
    });

    it('spell names and types so that they mean the same in every session', async () => {
      const { session } = await openDatabase(
        server,
        `create schema "S.x"; create type "S.x"."Color" as enum ('red');
         create domain "S.x".pos as int; set search_path to "S.x", public;
         create table "T ""q""" (gone int, "Id" bigint, c "Color", cs "Color"[], p pos, ps pos[],
           n numeric(10,2), ns numeric(10,2)[], ch char(3), bp bpchar, qc "char", b bit(3),
           ts timestamp(3) with time zone, v varchar(5), g int generated always as (1) stored,
           i int generated always as identity, d int generated by default as identity,
           primary key (ch, "Id", c, n));
         alter table "T ""q""" drop gone`,
      );
      const facts = await factsOf(session, 'T "q"');
      expect(facts.id).toBe('"S.x"."T ""q"""');
      expect(facts.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
        'Id bigint',
        'c "S.x"."Color"',
        'cs "S.x"."Color"[]',
        'p "S.x".pos',
        'ps "S.x".pos[]',
        'n numeric(10,2)',
        'ns numeric(10,2)[]',
        'ch character(3)',
        'bp bpchar',
        'qc "char"',
        'b bit(3)',
        'ts timestamp(3) with time zone',
        'v character varying(5)',
        'g integer',
        'i integer',
        'd integer',
      ]);
      expect(facts.columns.filter((one) => one.isGenerated).map(({ name }) => name)).toEqual(['g']);
      const always = facts.columns.filter((one) => one.isAlwaysIdentity);
      expect(always.map(({ name }) => name)).toEqual(['i']);
      expect(facts.key).toEqual([
        { name: 'ch', form: 'text' },
        { name: 'Id', form: 'text' },
        { name: 'c', form: 'text' },
        { name: 'n', form: 'number' },
      ]);
    });
  });

  describe('functions', () => {
    const schema = `create schema shop; create function shop.w() returns int language sql as 'select 1';
      create function reads() returns int stable language sql as 'select 1';
      create function "Odd.name"() returns int language sql as 'select 1';
      create function overloaded(int) returns int stable language sql as 'select 1';
      create function overloaded(text) returns int language sql as 'select 1';
      create function step(int, int) returns int language sql as 'select 1';
      create aggregate agg (int) (sfunc = step, stype = int);
      create aggregate fine (int) (sfunc = int4pl, stype = int);
      create procedure proc() language sql as 'select 1';
      create extension "uuid-ossp"; create extension dblink`;

    it('may write when one of that name may', async () => {
      const { session } = await openDatabase(server, schema);
      const writers = (names: readonly string[]) => freshCatalog().writers(session, names);
      const fine = [
        ...['now', 'count', 'random', 'nextval', 'setval', 'pg_advisory_xact_lock', 'reads'],
        ...['pg_catalog.lower', 'gen_random_uuid', 'uuid_generate_v4', 'nobody', 'w', 'fine'],
        ...['clock_timestamp', 'settle_image', 'pg_catalog.w', 'Now', 'nowhere.now'],
      ];
      expect(await writers(fine)).toEqual([]);
      const writing = [
        ...['shop.w', '"Odd.name"', 'public."Odd.name"', 'overloaded', 'agg', 'proc'],
        ...[
          'lo_create',
          'pg_catalog.lo_unlink',
          'query_to_xml',
          'ts_stat',
          'dblink_exec',
          'dblink',
        ],
      ];
      expect(await writers([...fine, ...writing])).toEqual(writing);
      expect(await writers([])).toEqual([]);
      await session.query('set search_path to shop');
      expect(await writers(['w', 'overloaded'])).toEqual(['w']);
    });
  });

  describe('memory', () => {
    it('lasts a minute, and keeps no failure', async () => {
      const { session } = await openDatabase(server, '');
      let nowMs = 0;
      const catalog = createPostgresCatalog(() => nowMs);
      const counting = counted(session);
      const columns = async () =>
        (await catalog.factsOf(counting, { schema: null, name: 't' })).columns.length;
      await expect(columns()).rejects.toThrow('there is no table t');
      await session.query(table);
      expect(await columns()).toBe(3);
      await session.query('alter table t drop a');
      nowMs = 59_999;
      expect(await columns()).toBe(3);
      expect(counting.asked()).toBe(2);
      nowMs = 60_000;
      expect(await columns()).toBe(2);
      expect(await catalog.writers(counting, ['now', 'lo_put'])).toEqual(['lo_put']);
      expect(await catalog.writers(counting, ['lo_put', 'now'])).toEqual(['lo_put']);
      expect(counting.asked()).toBe(4);
    });
  });
});

function counted(session: TestSession) {
  let asked = 0;
  return {
    query(text: string, parameters?: readonly unknown[]) {
      asked += 1;
      return session.query(text, parameters);
    },
    asked: () => asked,
  };
}
