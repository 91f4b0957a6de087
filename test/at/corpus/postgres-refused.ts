/** The part of the corpus of PostgreSQL that is refused, each with its reason. */

/** Never runs. `refusedBy`: what the text says, or what its tables and functions are. */
export interface RefusedCase {
  readonly expect: 'refused';
  readonly refusedBy: 'text' | 'facts';
  readonly sql: string;
  /** One line. */
  readonly why: string;
}

const refusedByText = refused('text', [
  ['select 1; select 2', 'several statements'],
  ['update acct set cents = 0; delete from acct', 'several statements'],
  ['selec 1', 'no SQL'],
  [
    "update acct set note = (array['a', 'b'])[2] where id = 1",
    'the writer of texts leaves out parentheses',
  ],
  ['select * from acct where', 'no SQL'],
  ['with gone as (delete from acct returning *) select * from gone', 'a write in a CTE'],
  [
    'with moved as (delete from queue returning *) insert into acct (id, owner) select id + 500, state from moved',
    'a write in a CTE',
  ],
  [
    'with up as (update acct set cents = 0 returning id) delete from item using up where up.id = item.order_id',
    'a write in a CTE',
  ],
  [
    "with new as (insert into acct (id, owner) values (90, 'x') returning id) update item set qty = 1 from new where order_id = new.id",
    'a write in a CTE',
  ],
  ['select * into copy from acct', 'DDL'],
  ['create table copy as select * from acct', 'DDL'],
  ['create table t (id int primary key)', 'DDL'],
  ['create temporary table t (id int)', 'DDL'],
  ['alter table acct add column x int', 'DDL'],
  ['drop table acct', 'DDL'],
  ['create index on acct (cents)', 'DDL'],
  ['create view v as select 1', 'DDL'],
  ["create function f() returns int language sql as 'select 1'", 'DDL'],
  ['create sequence q', 'DDL'],
  ['alter sequence queue_id_seq restart', 'DDL'],
  ['create extension citext', 'DDL'],
  ['create trigger t after insert on acct for each row execute function write_audit()', 'DDL'],
  ['grant select on acct to public', 'DDL'],
  ["comment on table acct is 'x'", 'DDL'],
  ['alter table acct rename to account', 'DDL'],
  ['reindex table acct', 'DDL'],
  ['truncate acct', 'no rows to image'],
  ['truncate acct, item cascade', 'no rows to image'],
  ['copy acct from stdin', 'no rows to image'],
  ['copy acct to stdout', "never part of a transaction's work here"],
  ['call tidy_up()', 'code unseen'],
  ['do $$ begin delete from acct; end $$', 'code unseen'],
  ['lock table acct', 'a lock that is no row lock'],
  ['refresh materialized view summary', 'no rows to image'],
  ['vacuum', 'not in a transaction'],
  ['analyze acct', 'statistics of the system'],
  ['cluster acct', 'not in a transaction'],
  ['checkpoint', 'not in a transaction'],
  ['prepare p as update acct set cents = 0', 'the statement runs unseen'],
  ['execute p', 'the statement runs unseen'],
  ['declare c cursor for select * from acct for update', 'locks unseen'],
  ['update acct set cents = 0 where current of c', 'the row is known to the cursor only'],
  ['delete from acct where current of c', 'the row is known to the cursor only'],
  [
    'merge into acct a using item i on i.order_id = a.id when matched then update set cents = 0 when not matched then do nothing',
    'several kinds of change in one',
  ],
  ["prepare transaction 'x'", 'two-phase commit of the database'],
  ["commit prepared 'x'", 'two-phase commit of the database'],
  ["rollback prepared 'x'", 'two-phase commit of the database'],
  ['commit and chain', 'the next one would not be ours'],
  ['rollback and chain', 'the next one would not be ours'],
  ['begin isolation level serializable', 'it has begun at another level'],
  ['begin read only', 'it has begun in another mode'],
  ['start transaction isolation level repeatable read', 'it has begun at another level'],
  ['set transaction isolation level serializable', 'it has begun at another level'],
  ['savepoint settle_0', 'a name of ours'],
  ['discard all', 'undoes the session'],
  ['reset all', 'undoes the session'],
  ['set search_path to shop', 'names would mean other tables'],
  ['set local search_path = shop, public', 'names would mean other tables'],
  ["set schema 'shop'", 'names would mean other tables'],
  ["select set_config('search_path', 'shop', true)", 'names would mean other tables'],
  ['select set_config($1, $2, true)', 'the setting cannot be told'],
  ['set role postgres', 'names would mean other tables'],
  ['set session authorization postgres', 'names would mean other tables'],
  ['set session_replication_role = replica', 'triggers and foreign keys off'],
  ['set standard_conforming_strings = off', 'texts would be read otherwise'],
  ['set quote_all_identifiers = on', 'images would be written otherwise'],
  ['reset search_path', 'names would mean other tables'],
  ["set names 'latin1'", 'images would be read otherwise'],
  ['set constraints all deferred', 'the undo could violate them on its way'],
  ["notify news, 'x'", 'sent at the local commit, cannot be taken back'],
  ["select pg_notify('news', 'x')", 'sent at the local commit, cannot be taken back'],
  ['explain analyze update acct set cents = 0', 'it runs'],
  ['explain (analyze, buffers) delete from acct', 'it runs'],
  ['explain (analyze false) delete from acct', 'an option that may say yes'],
  ['select id from acct where id in (select id from acct for update)', 'a lock inside'],
  ['with locked as (select id from acct for update) select * from locked', 'a lock inside'],
  [
    "insert into item (order_id, pos, sku, qty) select id, 9, 'x', 1 from acct for update",
    'a lock inside',
  ],
  [
    'update acct set cents = 0 where id in (select order_id from item for update)',
    'a lock on another table inside',
  ],
  [
    'delete from acct where id in (select a.id from acct a join item i on i.order_id = a.id for update)',
    'a lock on several tables inside',
  ],
  ['select * from (select * from acct) s for update', 'a lock on a subquery'],
  ['select * from (select * from acct) s for update of s', 'a lock on a subquery'],
  ['with few as (select * from acct) select * from few for update of few', 'a lock on a CTE'],
  ['with few as (select * from acct) select * from few for update', 'a lock on nothing'],
  ['select distinct owner from acct for update', 'rows that are none of a table'],
  ['select owner, count(*) from acct group by owner for update', 'rows that are none of a table'],
  [
    'select id from acct union select id from shop.acct for update',
    'rows that are none of a table',
  ],
  [
    'select row_number() over w from acct window w as (order by id) for update',
    'rows that are none of a table',
  ],
  [
    'select * from (acct a join item i on i.order_id = a.id) as j for update',
    'the tables are hidden by the alias',
  ],
  ['select * from acct tablesample system (50) for update', 'a sample'],
  ['select * from generate_series(1, 2) g for update', 'no table'],
  [
    'update acct a set cents = s.qty from (select * from item order by qty limit 1) s where s.order_id = a.id',
    'evaluated twice, maybe otherwise',
  ],
  [
    'update acct a set cents = s.qty from item tablesample system (50) s where s.order_id = a.id',
    'evaluated twice, maybe otherwise',
  ],
  [
    "update queue set state = 'x' from (select id from queue limit 1 for update skip locked) s where s.id = queue.id",
    'evaluated twice, maybe otherwise',
  ],
  [
    "with p as not materialized (select id from queue limit 1) update queue set state = 'x' from p where p.id = queue.id",
    'evaluated twice, maybe otherwise',
  ],
  [
    'with acct as (select 1 as n) update acct set cents = n from acct where id = 1',
    'a CTE that hides the table',
  ],
  [
    'update acct a set cents = 1 from item i join tag t using (id) where i.order_id = a.id returning *',
    '`*` cannot be spelled out',
  ],
  [
    'update acct a set cents = 1 from item i natural join tag t where i.order_id = a.id returning *',
    '`*` cannot be spelled out',
  ],
  ['update acct settle_rows set cents = 1', 'a name of ours'],
  ['update acct set cents = 1 returning cents as settle_before', 'a name of ours'],
  ['delete from settle_undo', 'a table of ours'],
  ['insert into settle_barrier default values', 'a table of ours'],
  ['update mydb.public.acct set cents = 0', 'a database in the name'],
  [
    'insert into stat (key, hits) select owner, 1 from acct on conflict (key) do update set hits = 0',
    'the rows cannot be named before',
  ],
  [
    'insert into stat (hits) values (1) on conflict (key) do update set hits = 0',
    'the key is a default',
  ],
  [
    "insert into queue (id, state) values (default, 'x') on conflict (id) do update set state = 'y'",
    'the key is a default',
  ],
  [
    "insert into queue default values on conflict (id) do update set state = 'y'",
    'the key is a default',
  ],
  [
    'insert into stat (key, hits) values (lower($1), 1) on conflict (key) do update set hits = 0',
    'the key is computed',
  ],
  [
    'insert into stat (key, hits) values ((select max(owner) from acct), 1) on conflict (key) do update set hits = 0',
    'the key is computed',
  ],
  [
    "insert into tag values (9, 1, 'red', 1, false) on conflict on constraint tag_acct_id_name_key do update set weight = 1",
    'the columns are not named',
  ],
  [
    "insert into stat (key, hits) values ('x', 1) on conflict (lower(key)) do update set hits = 0",
    'an expression in the index',
  ],
  [
    `insert into stat (key, hits) values ('x', 1) on conflict (key collate "C") do update set hits = 0`,
    'another equality',
  ],
  [
    "insert into strict_id (id, name) overriding user value values (1, 'x') on conflict (id) do update set name = 'y'",
    'the value given is not the one taken',
  ],
]);

const refusedByFacts = refused('facts', [
  ["insert into keyless values (1, 'x')", 'no primary key'],
  ["update keyless set name = 'x'", 'no primary key'],
  ['delete from keyless', 'no primary key'],
  ['select * from keyless for update', 'no primary key'],
  ['update rich set cents = 0 where id = 9', 'a view'],
  ['select * from rich for update', 'a view'],
  ["insert into audited values (2, 'y')", 'a trigger writes'],
  ["update audited set name = 'y' where id = 1", 'a trigger writes'],
  ['delete from audited where id = 1', 'a trigger writes'],
  [
    "insert into audited values (1, 'y') on conflict (id) do update set name = 'y'",
    'a trigger writes',
  ],
  ['delete from parent where id = 1', 'a cascade deletes'],
  ["insert into ruled values (1, 'x')", 'a rule writes'],
  ["update parted set name = 'y' where id = 1", 'a partitioned table'],
  ["update base set name = 'y' where id = 1", 'an inherited table'],
  ['select spend(1)', 'a function that writes'],
  ['update acct set cents = spend(2) where id = 1', 'a function that writes'],
  ['update summary set count = 1', 'a materialized view'],
  ["update pg_class set relname = 'x' where relname = 'acct'", 'a table of the system'],
  ['insert into nowhere values (1)', 'no such table'],
]);

/** Those that their text gives away, then those that need the catalogue. */
export const refusedOnPostgres: readonly RefusedCase[] = [...refusedByText, ...refusedByFacts];

function refused(
  refusedBy: RefusedCase['refusedBy'],
  cases: readonly (readonly [sql: string, why: string])[],
): readonly RefusedCase[] {
  return cases.map(([sql, why]) => ({ expect: 'refused', refusedBy, sql, why }));
}
