/**
 * The corpus of PostgreSQL: each statement is supported, and its undo proven, or refused with
 * AT_UNSUPPORTED_SQL before it runs. None passes silently. Runs on `postgres-schema.ts`.
 */

import { type RefusedCase, refusedOnPostgres } from './postgres-refused.ts';

/** A statement and what becomes of it. */
export type CorpusCase = SupportedCase | RefusedCase;

/** Runs; `as`: what its analysis says it is, so that no write passes for a read. */
export interface SupportedCase {
  readonly expect: 'supported';
  readonly as: 'read' | 'session' | 'control' | 'insert' | 'update' | 'delete' | 'upsert' | 'lock';
  readonly sql: string;
  readonly parameters?: readonly unknown[];
}

const reads = supported('read', [
  ['select * from acct'],
  ['select 1'],
  ['select id, twice(cents) from acct where id = $1', 1],
  ["values (1, 'a'), (2, 'b')"],
  ['table acct'],
  ['select count(*), max(cents) from acct group by owner having count(*) > 0'],
  ['select * from acct union all select * from acct'],
  ['with rich as (select * from acct where cents > 300) select * from rich order by id limit 2'],
  ['with recursive n(i) as (select 1 union all select i + 1 from n where i < 5) select * from n'],
  ['select * from rich'],
  ['select a.*, i.* from acct a left join item i on i.order_id = a.id'],
  ['select * from keyless;'],
  ["select nextval('queue_id_seq')"],
  ["select set_config('statement_timeout', '10s', true)"],
  ["select 'insert into acct' as text -- ; delete from acct"],
  ['select $$ ; drop table acct $$ as text'],
  ['select row_number() over (order by id) from acct'],
  ['select exists (select from acct where id = 1)'],
  ['select * from acct tablesample system (100)'],
  ['select lower(owner), pg_catalog.now() from acct'],
  ["select id from acct where owner ilike 'own%' escape '!'"],
  ['explain analyze select * from acct'],
  [`select 'it''s', E'a\\\\nb', U&'d\\\\0061t', B'101', X'1F', 1e3, -1, .5`],
]);

const sessions = supported('session', [
  [''],
  ['  -- nothing but a comment'],
  ["set statement_timeout = '5s'"],
  ["set local work_mem = '8MB'"],
  ['show timezone'],
  ['reset statement_timeout'],
  ['explain select * from acct'],
  ['explain update acct set cents = 0'],
  ["set time zone 'Europe/Berlin'"],
  ['listen news'],
  ['unlisten news'],
  ["set application_name to 'shop'"],
]);

const controls = supported('control', [
  ['begin'],
  ['start transaction'],
  ['begin isolation level read committed read write'],
  ['commit'],
  ['end'],
  ['rollback'],
  ['abort'],
  ['savepoint one'],
  ['release savepoint one'],
  ['rollback to savepoint one'],
]);

const updates = supported('update', [
  ['update acct set cents = cents - $1 where id = $2', 5, 1],
  ['update acct a set cents = a.cents - 1 where a.id = 1 and a.cents > 10'],
  ['update acct set cents = 0'],
  ["update only acct set note = 'only' where id in (1, 2, 3)"],
  ['update public.acct set note = public.acct.owner where public.acct.id = 4'],
  ['update shop.acct set cents = cents + 1 where id = $1 returning *', 1],
  ['update shop.acct as x set cents = x.cents * 2 returning x.id, x.cents as money'],
  ["update acct set (owner, note) = ('a', 'b') where id = 1 returning owner || note as both"],
  [
    'update acct set (owner, note) = (select sku, price::text from item where order_id = 1 and pos = 1) where id = 2',
  ],
  ['update acct set cents = default, version = version + 1 where id = any ($1)', [1, 2]],
  ["update acct set id = id, owner = 'same key' where id = 3"],
  ["update acct set cents = cents + 1 where owner like 'owner %' or note is null"],
  [
    'update acct set cents = (select sum(qty) from item i where i.order_id = acct.id) where id < 3 returning *',
  ],
  ['update acct set cents = cents - 1 where id in (select order_id from item where qty > 2)'],
  [
    'update acct set cents = cents - 1 where exists (select from item where item.order_id = acct.id)',
  ],
  [
    "update acct set note = 'first' where id = (select id from acct where cents > 200 order by id limit 1) returning id",
  ],
  [
    "update queue set state = 'taken' where id = (select id from queue where state = 'new' order by id limit 1 for update skip locked) returning *",
  ],
  [
    "update queue set state = 'taken' where id in (select id from queue order by id limit 2 for update) returning id, state",
  ],
  [
    "with picked as (select id from queue where state = 'new' order by id limit 2 for update skip locked) update queue set state = 'taken' from picked where queue.id = picked.id returning queue.*",
  ],
  [
    'with best as materialized (select order_id, max(price) as price from item group by order_id) update acct a set note = best.price from best where best.order_id = a.id returning a.id, best.price',
  ],
  [
    'with recursive up(n) as (select 1 union all select n + 1 from up where n < 3) update acct set version = n from up where id = n',
  ],
  ['update acct a set cents = i.qty from item i where i.order_id = a.id and i.pos = 1 returning *'],
  ['update acct a set cents = a.cents + 1 from item i where i.order_id = a.id returning a.id'],
  [
    'update acct a set cents = i.qty + j.qty from item i join item j on j.order_id = i.order_id and j.pos = 2 where i.order_id = a.id and i.pos = 1 returning *',
  ],
  [
    "update acct a set note = v.note from (values ($1::bigint, $2), (2, 'two')) as v (id, note) where v.id = a.id returning *",
    1,
    'one',
  ],
  ['update acct a set cents = b.cents from acct b where b.id = a.id + 1'],
  ['update acct a set note = g::text from generate_series(1, 2) as g where g = a.id returning *'],
  [
    'update acct a set cents = s.total from (select order_id, sum(qty) as total from item group by order_id) s where s.order_id = a.id',
  ],
  ['update item set qty = qty + 1 where (order_id, pos) = ($1, $2) returning *', 1, 2],
  ['update item set price = price * 1.1, qty = $1 where order_id = 2', 7],
  [
    'update item i set price = 0.005 from acct a where a.id = i.order_id and i.pos = 1 and a.cents >= $1::bigint',
    100,
  ],
  [
    `update queue set payload = jsonb_set(payload, '{n}', '2') where payload @> '{"n": 1}' and id = 1`,
  ],
  ["update queue set tags[1] = 'changed' where id = 2 returning tags"],
  [
    "update queue set payload = payload || jsonb_build_object('at', lower('X')), tags = array_append(tags, 'c') where id between 2 and 3",
  ],
  ["update stat set hits = hits + 1 where key = 'home' returning doubled"],
  ['update stat set hits = hits + 1 where key = $1', 'a"b\\c, (d)'],
  ["update sheet set sheet = sheet.sheet || '!' where sheet.a = 1 returning sheet"],
  ["update sheet set mail = 'c@d', color = 'dark' where a = 2"],
  [
    `update "Odd Name" set "group" = 'it''s', "sheet's" = E'line\\nbreak' where "Key" = 1 returning *`,
  ],
  [`update "Odd Name" as "O N" set "group" = "O N"."sheet's" where "O N"."Key" = 2`],
  [
    "update acct set note = case when cents > 500 then 'rich' when cents is null then 'none' else 'poor' end where not (id = 9)",
  ],
  ['update acct set note = coalesce(note, owner), version = greatest(version, 3) where id = 5;'],
  ["update acct set note = owner || ' ' || cents::text || $1::text where id = 6", '!'],
  ['update acct set cents = cents where false'],
  [
    "update acct set note = to_char(timestamp '2020-01-01' at time zone 'UTC' + interval '1 day', 'YYYY') where id = 7",
  ],
  [`/* a comment */ update acct set note = 'c' -- here\n where id = 8`],
  ['update acct set cents = twice(cents) where twice(cents) > 400'],
  [
    "update acct set note = substring(owner from 2 for 3) || extract(year from date '2021-02-03') || overlay('abc' placing 'x' from 2) where id is distinct from 1",
  ],
  [
    "update acct set cents = - cents, version = (version + 1) * (2 - -1) % 5 where (id = 1 or id = 2) and (cents > 0 and owner <> '')",
  ],
  [
    "update acct set note = (string_to_array('a b c', ' '))[2], version = ((1, 2) = (1, 2))::int where id = 1 and cents not in (1, 2) and owner not like 'x%' and id not between 50 and 60",
  ],
]);

const deletes = supported('delete', [
  ['delete from acct where id = $1', 1],
  ['delete from acct'],
  ['delete from acct a where a.cents > 300 returning a.id, a.owner'],
  ['delete from item using acct where acct.id = item.order_id and acct.cents > 100 returning *'],
  ['delete from item i using acct a join tag t on t.acct_id = a.id where a.id = i.order_id'],
  [
    'delete from queue where id = (select id from queue order by id limit 1 for update skip locked) returning *',
  ],
  ['delete from queue where ctid in (select ctid from queue limit 2)'],
  [
    'with old as (select id from acct where cents < 300) delete from acct using old where old.id = acct.id',
  ],
  ['delete from only shop.acct where id in (1, 2) returning id as gone'],
  ['delete from "Odd Name" where "group" is null'],
  ["delete from sheet where sheet.sheet = 'one' returning sheet.*"],
  ['delete from item where (order_id, pos) in ((1, 1), (2, 2))'],
]);

const inserts = supported('insert', [
  ["insert into acct values (20, 'new')"],
  ['insert into acct (id, owner) values ($1, $2), ($3, $2) returning *', 21, 'b', 22],
  ['insert into queue default values returning id'],
  [`insert into queue (state, tags) values ('x', '{a,"b c",NULL}'), (default, default)`],
  ["insert into queue (id, state) overriding system value values (77, 'own')"],
  ["insert into strict_id (name) values ('third') returning *"],
  ["insert into strict_id (id, name) overriding system value values (50, 'fifty')"],
  ["insert into strict_id (id, name) overriding user value values (50, 'fifty')"],
  ["insert into acct as a (id, owner) values (30, 'a') returning a.id, a.version + 1 as next"],
  [
    'insert into acct (id, owner, cents) select id + 100, owner, cents from acct where id < 4 returning id',
  ],
  [
    "with src as (select 1 as n union select 2) insert into acct (id, owner) select n + 200, 'cte' from src",
  ],
  ["insert into acct (id, owner) values (1, 'taken') on conflict do nothing"],
  [
    "insert into acct (id, owner) values (1, 'taken'), (40, 'free') on conflict (id) do nothing returning id",
  ],
  [
    "insert into tag values (9, 1, 'red', 1, false) on conflict on constraint tag_acct_id_name_key do nothing",
  ],
  [
    "insert into tag values (9, 1, 'red', 10, false) on conflict (name, weight) where not deleted do nothing",
  ],
  ['insert into shop.acct (id, cents) values (3, (select max(cents) from shop.acct))'],
  ["insert into stat (key, hits) values ('new', 1) returning doubled"],
  ["insert into sheet (a, sheet, mail, color) values (3, 'three', 'x@y', 'dark') returning sheet"],
  [`insert into "Odd Name" values (3, '', null)`],
  ['insert into item table item limit 0'],
  [
    "insert into item (order_id, pos, sku, qty) values (9, 1, lower('SKU'), 1 + 2), (9, 2, 'x' || 'y', abs(-2))",
  ],
]);

const upserts = supported('upsert', [
  [
    'insert into stat (key, hits) values ($1, 1) on conflict (key) do update set hits = stat.hits + excluded.hits returning hits',
    'home',
  ],
  [
    "insert into stat (key, hits) values ('home', 1), ('fresh', 2) on conflict (key) do update set hits = excluded.hits",
  ],
  [
    'insert into stat as s (hits, key) values ($2, $1) on conflict (key) do update set hits = s.hits + 1 where s.hits < 100 returning s.*',
    'about',
    5,
  ],
  [
    "insert into stat (key, hits) values ('home', 1) on conflict (key) do update set hits = 0 where stat.hits > 100",
  ],
  [
    'insert into acct values ($1, $2, 7) on conflict (id) do update set owner = excluded.owner, cents = acct.cents + excluded.cents',
    1,
    'again',
  ],
  [
    "insert into acct (id, owner) values (4.6, 'rounded') on conflict (id) do update set note = 'upsert'",
  ],
  [
    "insert into acct (id, owner) values ('5', 'text'), ($1::int, 'cast'), (-1, 'minus') on conflict (id) do update set note = excluded.owner returning id, note",
    6,
  ],
  [
    "insert into item (order_id, pos, sku, qty) values ($1, $2, 'up', 1), (8, 8, 'ins', 2) on conflict (order_id, pos) do update set qty = item.qty + excluded.qty",
    1,
    1,
  ],
  [
    "insert into item (pos, order_id, sku, qty) values (2, 3, 'up', 1) on conflict (order_id, pos) do update set (sku, qty) = (excluded.sku, 0)",
  ],
  [
    "insert into tag (id, acct_id, name) values (50, 1, 'red') on conflict (acct_id, name) do update set weight = 99 returning *",
  ],
  [
    "insert into tag (id, acct_id, name, weight) values (51, 7, 'blue', 20) on conflict (name, weight) where not deleted do update set acct_id = 8",
  ],
  [
    "insert into queue (id, state) values (1, 'again') on conflict (id) do update set state = excluded.state, payload = null returning *",
  ],
  [
    `insert into "Odd Name" ("Key", "group") values (1, 'u') on conflict ("Key") do update set "group" = excluded."group"`,
  ],
  [
    'insert into shop.acct values (1, 9), (7, 1) on conflict (id) do update set cents = acct.cents + 1',
  ],
  [
    "with bonus as (select 3 as n) insert into acct (id, owner) values (2, 'cte') on conflict (id) do update set cents = (select n from bonus)",
  ],
  [
    "insert into sheet values (1, 'again', 'n@m', 'dark') on conflict (a) do update set sheet = excluded.sheet returning sheet.sheet",
  ],
  [
    "insert into strict_id (id, name) overriding system value values (1, 'up') on conflict (id) do update set name = excluded.name",
  ],
]);

const locks = supported('lock', [
  ['select * from acct where id = $1 for update', 1],
  ['select id, cents from acct a where cents > 200 order by cents desc limit 2 for no key update'],
  ['select * from acct for share'],
  ['select 1 from acct where id = 1 for key share'],
  ["select * from queue where state = 'new' order by id limit 2 for update skip locked"],
  ['select * from acct where id = 2 for update nowait'],
  ['select a.*, i.qty from acct a join item i on i.order_id = a.id where a.id = 1 for update'],
  ['select a.id from acct a join item i on i.order_id = a.id for update of a'],
  ['select a.id from acct a left join item i on i.order_id = a.id for update of a'],
  ['select a.id, s.id from acct a, shop.acct s where s.id = a.id for update of s for share of a'],
  ['select a.id as one, b.id as other from acct a join acct b on b.id = a.id + 1 for update'],
  ['with few as (select 1 as n) select acct.* from acct, few where id = n for update'],
  ['select acct.*, g from acct, generate_series(1, 1) g where id = g for update'],
  ['select from shop.acct for update'],
  ['select * from "Odd Name" where "Key" = any ($1) for update', [1, 2]],
  ['select i.* from item i where i.order_id in (select id from acct where cents < 300) for update'],
]);

/** Every statement. */
export const postgresCorpus: readonly CorpusCase[] = [
  ...reads,
  ...sessions,
  ...controls,
  ...updates,
  ...deletes,
  ...inserts,
  ...upserts,
  ...locks,
  ...refusedOnPostgres,
];

function supported(
  as: SupportedCase['as'],
  cases: readonly (readonly [sql: string, ...parameters: readonly unknown[]])[],
): readonly SupportedCase[] {
  return cases.map(([sql, ...parameters]) => ({ expect: 'supported', as, sql, parameters }));
}
