/**
 * The corpus of MySQL and MariaDB: each statement is supported, and its undo proven, or refused with
 * AT_UNSUPPORTED_SQL. None passes silently. Runs on `mysql-schema.ts`.
 */

/** A statement and what becomes of it. */
export type MysqlCase = SupportedCase | RefusedCase;

/** Runs; `as`: what its analysis says it is, so that no write passes for a read. */
export interface SupportedCase {
  readonly expect: 'supported';
  readonly as: 'read' | 'session' | 'control' | 'insert' | 'update' | 'delete' | 'upsert' | 'lock';
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** Is not committed. `refusedBy`: its text, or its tables, functions, values and rows. */
export interface RefusedCase {
  readonly expect: 'refused';
  readonly refusedBy: 'text' | 'run';
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

type Line = readonly [sql: string, ...parameters: unknown[]];

const id = Buffer.from('aa0102030405060708090a0b0c0d0e0f', 'hex');

const reads = supported('read', [
  ['select * from acct'],
  ['select 1'],
  ['select id, twice(cents) from acct where id = ?', 1],
  ["select 'insert into acct' as text -- ; delete from acct"],
  ["select 'it''s', x'1F', 1e3, -1, .5, 0x1f /* a; comment */ # another"],
  ['select `id` from `acct` order by `cents` desc limit 2, 1'],
  ['select count(*), max(cents) from acct group by owner having count(*) > 0'],
  ['select * from acct union all select * from acct;'],
  ['with r as (select * from acct where cents > 300) select * from r order by id limit 2'],
  ['with recursive n (i) as (select 1 union all select i + 1 from n where i < 5) select * from n'],
  ['select * from rich'],
  ['select a.*, i.* from acct a left join item i on i.id = a.id'],
  ['select row_number() over (partition by owner order by id) from acct'],
  ["select group_concat(distinct owner order by id separator ', ') from acct"],
  ['select cast(id as char(10)), convert(owner using utf8mb4), if(id, 1, 2) from acct'],
  ['select date_add(now(6), interval ? day), extract(year from curdate())', 1],
  ['select id from acct where owner like ? escape ?', '%a', '|'],
  ['select (id, place) in ((1, 3)), id <=> null, id div 2 from acct'],
  ['select last_insert_id(), @@session.sql_mode, database()'],
  ["select json_extract(concat('[', id, ']'), '$[0]') from acct"],
  ['explain select * from acct where id = 1'],
  ['select exists (select 1 from acct where id = 1)'],
]);

const sessions = supported('session', [
  [''],
  ['  -- nothing but a comment'],
  ['show tables'],
  ['describe acct'],
  ['set @a = 1'],
  ['set session max_statement_time = 10, @b = ?', 'x'],
]);

const controls = supported('control', [
  ['savepoint here'],
  ['SAVEPOINT `here`'],
  ['start transaction read write'],
  ['begin'],
]);

const updates = supported('update', [
  ['update acct set cents = cents - ? where id = ?', 300, 1],
  ['update acct set cents = 7'],
  ['UPDATE `acct` SET `cents` = 7 WHERE `id` = 2;'],
  ['update acct a set a.cents = a.cents + ?, note = ? where a.owner = ?', 1, 'é', 'Ada'],
  ['update acct as a set cents = 1 where a.id in (?, ?, ?)', 1, 2, 9],
  ['update acct set cents = 0 where id = 77'],
  ['update acct set cents = cents where id = 1'],
  ['update acct set cents = cents + 1 order by cents desc limit 2'],
  ['update acct set cents = cents + 1 where cents >= ? order by id limit ?', 0, 3],
  ['update acct set note = null where note is not null or cents between 1 and 500'],
  ['update acct set cents = (select max(qty) from item) where exists (select 1 from item)'],
  ['update acct set note = (select name from item where id = ?) where id = ?', 2, 1],
  ['update acct set cents = twice(cents) where id = 1'],
  ['update acct set note = case when cents > ? then ? else note end where id < ?', 9, 'r', 3],
  ['update low_priority ignore acct set cents = 5 where id = 1'],
  ['update ignore item set email = ? where id in (2, 3)', 'p@x'],
  ['update item set email = concat(id, ?) order by id desc', '@y'],
  ['update line set price = price * 1.1 where order_id = 1'],
  ['update line set sku = ? where (order_id, no) = (1, 2)', 'x'],
  ['update token set value = ? where id > ?', 'new', id],
  ['update doc set price = price + 1 where code = ?', 'INTRO'],
  ['update doc set body = ? where code = ?', 'long '.repeat(2_000), 'intro'],
  ['update doc set price = default, body = default(body)'],
  ['update seat set guest = ? where `row` = 1 and no = 2', 'bob'],
  ['update acct a join item i on i.id = a.id set a.cents = i.qty where i.qty >= ?', 0],
  ['update acct a join item i on i.id <> a.id and i.qty > ? set a.note = ?', 0, 'joined'],
  ['update item i left join acct a on a.id = i.id set i.qty = ? where a.place > ?', 9, 1],
  ['update item left join acct on acct.id = item.id + 2 set acct.note = ?', 'outer'],
  [
    'update acct a join (select order_id, sum(price) as s from line group by order_id) l ' +
      'on l.order_id = a.id set a.cents = l.s',
  ],
  ['update parent set n = n + 1'],
  ['update visit set n = n + 1'],
  ['update visit set n = n + ? where big = ?', 1, 18446744073709551615n],
  ['update shade set n = n + ? order by color', 1],
  ['update shade set n = ? where bits = 5', 1],
  ['update acct a join acct b on a.id = b.place set a.cents = b.cents + a.cents'],
  ['update acct a left join item i on i.id = a.id set a.note = i.name where i.id is null'],
  ['update token set value = 1 where value = ?', 'none'],
  ['update acct a join item i on i.id = a.id set a.cents = 1 where i.qty > ?', 1000],
  ['update acct set cents = 8 where id in (select id from (select id from item) d) -- why'],
]);

const deletes = supported('delete', [
  ['delete from acct where id = ?', 1],
  ['delete from acct'],
  ['delete from acct where cents < ? order by cents desc limit ?', 900, 2],
  ['delete quick ignore from acct where id = 1'],
  ['delete from acct where id in (select id from item where qty > ?)', 0],
  ['delete from acct where note is null'],
  ['delete from acct where 1 = 0'],
  ['delete from line where order_id = 1 and no = 2'],
  ['delete from token where id = ?', Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex')],
  ['delete a from acct a join item i on i.id = a.id where i.qty = ?', 0],
  ['delete from a using acct a join item i on i.id <> a.id where i.qty > ?', 0],
  ['delete acct from acct left join item on item.id = acct.id where item.id is null'],
  ['delete from acct where id > ? returning id, owner as who', 2],
  ['delete from acct where id > 100 returning *'],
  ['delete from acct where id > ? order by cents desc limit ? returning id, owner', 1, 2],
  ['delete from line where(order_id = 1)order by(no)returning no'],
  ['delete from visit where n > 100 returning *'],
  ['delete from shade where n > 100 returning n'],
  ['delete from doc'],
  ['delete from child'],
  ['delete from visit where note = ?', "É '"],
  ['delete from shade where seen < ?', '2020-05-05'],
  ['delete s from shade s join acct a on a.id = s.n'],
  ['delete ignore from maker'],
  ['delete a from acct a join acct b on a.cents < b.cents'],
  ['delete a from acct a join item i on i.id = a.id where i.qty > ?', 1000],
  ['delete from line where no = 1 order by order_id limit 1'],
]);

const inserts = supported('insert', [
  ["insert into acct values (10, 'new', ?, null, 1)", 7],
  ['insert into acct (id, owner) values (?, ?), (?, ?)', 10, 'ten', 11n, "o'eleven"],
  ['insert acct (owner, id) value (?, ?)', 'x', '12'],
  ['insert into acct set id = ?, owner = lower(?), cents = default', 10, 'TEN'],
  ['insert into item (name) values (?)', 'cup'],
  ["insert into item (name, email) values ('a', null), ('b', null), ('c', 'c@x')"],
  ['insert into item values (null, ?, ?, 3)', 'cup', 'c@x'],
  ['insert into item (id, name) values (default, upper(?))', 'cup'],
  ['insert into item (id, name) values (?, ?)', 100, 'cup'],
  ['insert into line values (3, 1, ?, 9.99), (3, 2, ?, null)', 'a', 'b'],
  ['insert into token values (?, ?)', id, 'three'],
  ["insert into ticket (tenant, title) values (2, 'd')"],
  ["insert into ticket (tenant, title) values (2, 'd'), (3, 'e')"],
  ['insert into doc (code, price) values (?, ?)', 'über', 1.5],
  ["insert into doc (code) values ('a ')"],
  ['insert into acct (id, owner, cents) values (10, ?, (select max(qty) from item))', 'x'],
  ['insert into parent values (3, 30, 1)'],
  ['insert into child values (2, 2, null)'],
  ['insert into prefixed values (2, ?)', 'xyz'],
  ['insert into acct (id, owner) values (20 , ?) returning id, upper(owner) as who', 'r'],
  ['insert into item (name) values (?), (?) returning id', 'a', 'b'],
  ['insert into item (name) values (?) returning *', 'a'],
  [
    'insert into visit values (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ...['-7.5', '2024-02-29', '2024-02-29 23:59:59.9', 'x', '00112233-4455-6677-8899-AABBCCDDEEFF'],
    ...[0n, Buffer.from([1, 2]), '日本 \\', 3],
  ],
  [
    'insert ignore into visit values (1.1, ?, ?, ?, ?, ?, ?, ?, 0)',
    ...['2020-01-02', '2020-01-02 03:04:05.678', 'a b', '00112233-4455-6677-8899-aabbccddeeff'],
    ...[18446744073709551614n, Buffer.from(''), ''],
  ],
  ["insert into shade values ('green', b'1', '2022-01-01', 3) returning n"],
  ['insert high_priority ignore into acct (id, owner) values (1, ?)', 'there'],
  ['insert into token values (unhex(md5(?)), ?) returning hex(id)', 'x', 'y'],
  ['insert into acct select id + 100, owner, cents, note, place from acct returning id'],
  ["insert ignore into acct (id, owner) values (1, 'there'), (10, 'new') returning id"],
  ["insert ignore into acct (id, owner) values (1, 'there'), (10, 'new')"],
  ["insert ignore into acct (id, owner) values (1, 'there')"],
  ["insert ignore into item (name, email) values ('other', 'p@x')"],
  ["insert ignore into item (name, email) values ('other', 'o@x')"],
  ['insert ignore into item (id, name, email) values (9, ?, ?), (8, ?, ?)', 'a', 'p@x', 'b', 'z'],
  ["insert ignore into seat values (1, 1, 'q', 'Q'), (5, 5, 'ann', 'Z'), (6, 6, 'new', 'N')"],
  ["insert ignore into prefixed values (2, 'xyz')"],
]);

const upserts = supported('upsert', [
  [
    'insert into acct (id, owner) values (?, ?) on duplicate key update cents = cents + ?',
    ...[1, 'x', 5],
  ],
  [
    'insert into acct (id, owner) values (?, ?) on duplicate key update cents = cents + ?',
    ...[10, 'x', 5],
  ],
  [
    'insert into acct (id, owner, cents) values (1, ?, 1), (2, ?, 2) ' +
      'on duplicate key update cents = cents + values(cents)',
    ...['a', 'b'],
  ],
  [
    'insert into acct (id, owner) values (20, ?), (21, ?) on duplicate key update cents = 1',
    ...['a', 'b'],
  ],
  ['insert into acct (id, owner) values (1, ?) on duplicate key update owner = owner', 'x'],
  [
    'insert into item (name, email) values (?, ?) on duplicate key update qty = qty + 1',
    ...['pen', 'p@x'],
  ],
  [
    'insert into item (name, email) values (?, ?) on duplicate key update qty = qty + 1',
    ...['new', 'n@x'],
  ],
  ["insert into item (name) values ('no mail') on duplicate key update qty = qty + 1"],
  [
    'insert into item (id, name, email) values (1, ?, ?) on duplicate key update email = ?',
    ...['pen', 'other@x', 'third@x'],
  ],
  ["insert into line values (1, 2, 'x', 1) on duplicate key update price = values(price)"],
  ["insert into seat values (1, 1, 'ben', 'A9') on duplicate key update label = 'met'"],
  ['replace into acct (id, owner) values (?, ?)', 1, 'again'],
  ['replace acct set id = ?, owner = ?', 30, 'new'],
  ["replace into acct values (1, 'Ada', 1000, null, 3)"],
  ["replace into acct (id, owner) values (1, 'a'), (2, 'b'), (50, 'c')"],
  ["replace into item (name, email) values ('pen 2', 'p@x')"],
  ["replace into item (id, name, email) values (2, 'pen 2', 'p@x')"],
  ["replace into seat values (1, 1, 'ben', 'A2')"],
  ["replace into seat values (2, 1, 'ann', 'A2')"],
  ['replace into seat values (9, 9, null, null)'],
  ["replace into maker values (2, 'bolt')"],
  ["replace into maker values (2, 'new')"],
]);

const locks = supported('lock', [
  ['select * from acct where id = ? for update', 1],
  ['select owner as o, cents from acct a where a.cents > ? order by id limit 2 for update', 0],
  ['select * from acct lock in share mode'],
  ['select id from acct where id = 2 lock in share mode nowait'],
  ['select id from acct order by id limit 1 for update skip locked'],
  ['select id from acct for update wait 5'],
  ['select a.id, i.name from acct a join item i on i.id = a.id where i.qty > ? for update', 0],
  ['select a.id from acct a left join item i on i.id = a.id for update'],
  ['select a.id, l.no from acct a, line l where l.order_id = a.id for update'],
  ['select count(*), sum(cents) from acct where id < ? for update', 3],
  ['select twice(cents) from acct where id = 1 for update'],
  ['select 1 from acct where id = 77 for update'],
  ['select * from acct where id in (select order_id from line) for update'],
  ['select id from acct use index (primary) where id = 1 for update'],
]);

const texts = refused('text', [
  ['create table t (a int)'],
  ['drop table acct'],
  ['alter table acct add x int'],
  ['truncate table acct'],
  ['rename table acct to b'],
  ['create index i on acct (owner)'],
  ['grant select on acct to x'],
  ['lock tables acct write'],
  ['unlock tables'],
  ['load data infile ? into table acct', 'f'],
  ['call spend(1)'],
  ['do spend(1)'],
  ['handler acct open'],
  ["prepare p from 'delete from acct'"],
  ['execute p'],
  ['xa start ?', 'x'],
  ['start slave'],
  ['flush tables'],
  ['analyze table acct'],
  ['optimize table acct'],
  ['kill 1'],
  ['use other'],
  ['set autocommit = 0'],
  ['set session transaction isolation level serializable'],
  ['set transaction read only'],
  ['set global max_connections = 1'],
  ["set names 'latin1'"],
  ["set sql_mode = 'ANSI_QUOTES'"],
  ['set foreign_key_checks = 0'],
  ['set @a = spend(1)'],
  ['set @a = (select spend(1))'],
  ["set password = 'x'"],
  ['commit and chain'],
  ['start transaction read only'],
  ['start transaction with consistent snapshot'],
  ['savepoint settle_1'],
  ['select 1; select 2'],
  ['delete from acct; delete from item'],
  ["select id into outfile '/tmp/x' from acct"],
  ['select id into @a from acct limit 1'],
  ['select @a := id from acct'],
  ['update acct set cents = (@a := 1)'],
  ['update acct set cents = 1 where id = 1 /*! or 1 = 1 */'],
  ['select 1 /*!50000 for update */'],
  ['select 1 /*M! , 2 */'],
  ['select /*+ set_var(foreign_key_checks = 0) */ 1'],
  ['select "text"'],
  ["select 'a\\'b'"],
  ["update acct set note = 'what?' where id = 1"],
  ['update acct set ?? = 1', 'cents'],
  ['update acct set ? where id = 1', { cents: 1 }],
  ['insert into acct (id, owner) values ?', [[1, 'a']]],
  ['select * from acct where id = :id'],
  ['update acct, item set acct.cents = 1 where acct.id = item.id'],
  ['update acct a join item i on i.id = a.id set a.cents = 1, i.qty = 1'],
  ['update acct a join item i on i.id = a.id set cents = 1'],
  ['delete a, i from acct a join item i on i.id = a.id'],
  ['delete from a, i using acct a join item i on i.id = a.id'],
  ['with r as (select 1 as id) update acct set cents = 1 where id in (select id from r)'],
  ['insert into acct (id, owner) select * from acct for update'],
  ['delete from acct where id in (select id from item for update)'],
  ['select * from (select * from acct for update) a'],
  ['select * from (select * from acct) a for update'],
  ['select owner, count(*) from acct group by owner for update'],
  ['select distinct owner from acct for update'],
  ['select distinctrow owner from acct for update'],
  ['select 1 /* open'],
  ['set @settle_sql_mode = 1'],
  ['select id from acct union select id from item for update'],
  ['with r as (select * from acct) select * from r for update'],
  ['select 1 for update'],
  ['select * from acct for update of other'],
  ['select row_count()'],
  ['select found_rows()'],
  ['insert delayed into acct (id, owner) values (1, 2)'],
  ['insert into acct partition (p0) values (1)'],
  ['insert ignore into acct (id, owner) values (1, 2) on duplicate key update cents = 1'],
  ['update acct set cents = settle_x'],
  ['explain update acct set cents = 0'],
  ['explain delete from acct'],
  ['analyze select spend(1)'],
  ['frobnicate acct'],
  ['select * frm acct'],
  ['update acct set cents = 1 where id = 1)'],
  ['{call spend(1)}'],
]);

const runs = refused('run', [
  ['select spend(1)'],
  ['update acct set cents = spend(1) where id = 2'],
  ['update keyless set a = 1'],
  ["insert into shade values ('green', 1, '2022-01-01', 3)"],
  ["replace into shade values ('red', b'101', '2020-01-02 03:04:05.123456', 1)"],
  ['select * from part for update'],
  ['insert into keyless values (2)'],
  ['delete from keyless'],
  ['select * from keyless for update'],
  ['update rich set cents = 1'],
  ['insert into audited values (1, 2)'],
  ['replace into audited values (1, 2)'],
  ['delete from parent where id = 1'],
  ['update parent set code = 11 where id = 1'],
  ['update parent set CODE = 11 where id = 1'],
  ['replace into parent values (1, 10, 5)'],
  ['update old set id = 2'],
  ['insert into old values (1)'],
  ['update acct set id = 5 where id = 1'],
  ['update acct set ID = id + 100'],
  ['insert into acct (id, owner) values (1, ?) on duplicate key update id = 9', 'x'],
  ['insert into nowhere values (1)'],
  ['insert into acct select id + 100, owner, cents, note, place from acct'],
  ['replace into acct select id, owner, cents, note, place from acct'],
  ['insert into acct (id, owner) values (1 + 9, ?)', 'x'],
  ['insert into acct (id, owner) values (?, ?)', 1.5, 'x'],
  ['insert into acct (id, owner) values (?, ?)', '1e1', 'x'],
  ['insert into acct (id, owner) values (?, ?)', 'ten', 'x'],
  ["insert into acct (owner) values ('no key')"],
  ['insert into token values (unhex(md5(?)), ?)', 'x', 'y'],
  ["insert into token values (0x11, 'short')"],
  ['insert into item (id, name) values (0, ?)', 'zero'],
  ['insert into item (id, name) values (50, ?), (null, ?)', 'a', 'b'],
  ['insert into item (name) values (lower(?)), (lower(?))', 'A', 'B'],
  ["insert ignore into item (name, email) values ('a', 'p@x'), ('b', 'b@x')"],
  ["insert ignore into acct (id, owner) values (60, 'a'), (60, 'b')"],
  ["insert into prefixed values (1, 'x') on duplicate key update body = 'y'"],
  ["replace into prefixed values (3, 'abc')"],
  [
    'insert into acct (id, owner) values (1, ?), (99, ?) on duplicate key update cents = 1',
    ...['a', 'b'],
  ],
  ["insert into seat values (7, 7, 'ann', 'Z') on duplicate key update label = 'met'"],
  [
    'insert into item (id, name, email) values (1, ?, ?), (2, ?, ?) ' +
      'on duplicate key update email = concat(email, values(name))',
    ...['a', 'p@x', 'b', 'i@x'],
  ],
  [
    'insert into item (name, email) values (?, concat(?, ?)) on duplicate key update qty = 1',
    ...['a', 'p', '@x'],
  ],
  ["insert into acct (id, owner) values (1, 'x') on duplicate key update cents = 1 returning id"],
  ["insert into acct (id, owner) values (70, 'a'), (70, 'b') on duplicate key update cents = 1"],
  ["replace into acct (id, owner) values (70, 'a'), (70, 'b')"],
  ['update acct set cents = ? where id in (?)', 1, [1, 2]],
  ['update acct set note = ? where id = 1', { a: 1 }],
  ['update acct set note = ? where id = ?', 1],
  ['select lower(owner) from acct order by id limit 1 for update'],
]);

/** All of them. */
export const mysqlCorpus: readonly MysqlCase[] = [
  ...[...reads, ...sessions, ...controls, ...updates, ...deletes, ...inserts, ...upserts],
  ...[...locks, ...texts, ...runs],
];

function supported(as: SupportedCase['as'], lines: readonly Line[]): readonly SupportedCase[] {
  return lines.map(([sql, ...parameters]) => ({ expect: 'supported', as, sql, parameters }));
}

function refused(
  refusedBy: RefusedCase['refusedBy'],
  lines: readonly Line[],
): readonly RefusedCase[] {
  return lines.map(([sql, ...parameters]) => ({ expect: 'refused', refusedBy, sql, parameters }));
}
