/** Where automatic undo of others goes wrong, one test each: what it must not do, on MySQL and MariaDB. */
import { expect, it, onTestFinished } from 'vitest';
import { describeOnKind } from './either-kind.ts';
import { holesOfEither } from './holes-either.ts';
import { conflicts, refuses, rolledBack, startWorld, undone, type World } from './holes-world.ts';

await describeOnKind('mysql', (kind) => {
  holesOfEither(kind);

  it('an upsert that is rolled back leaves the row that was there, and takes the new one', async () => {
    const world = await startWorld(kind);
    await run(world, [
      `create table item (id int auto_increment primary key, code varchar(9) unique,
        place int unique, n int default 0)`,
      "insert into item values (1, 'a', 1, 0), (2, 'b', 2, 0), (3, null, 3, 0)",
      "insert into named values ('Ada', 1)",
    ]);
    const before = await rowsOfAll(world, ['account', 'item', 'named']);
    await undone(world, [
      "insert into account values (1, 'new', 7) on duplicate key update cents = values(cents)",
      "insert into account values (8, 'new', 7) on duplicate key update cents = 9",
      "insert ignore into account values (2, 'new', 7), (9, 'new', 9)",
      "replace into account values (3, 'new', 7), (10, 'new', 7)",
      // Met by another key than the primary one.
      "insert into item (code) values ('a') on duplicate key update n = n + 1",
      "insert ignore into item (id, code, n) values (7, 'a', 7), (8, 'new', 8)",
      "insert ignore into item (code) values ('another')",
      // One row takes the place of two.
      "replace into item values (1, 'b', 3, 5)",
      "replace into item (code, place) values ('a', 9)",
      // The same key in other letters.
      "replace into named values ('ADA', 2)",
    ]);
    expect(await rowsOfAll(world, ['account', 'item', 'named'])).toEqual(before);
  });

  it('numbers that the database draws for several rows at a time are known', async () => {
    const world = await startWorld(kind);
    await run(world, [
      'create table item (id int auto_increment primary key, name varchar(20))',
      'create table ticket (tenant int, id int auto_increment, primary key (tenant, id), key (id))',
      "insert into item values (5, 'there')",
    ]);
    const before = await rowsOfAll(world, ['item', 'ticket']);
    const texts = [
      "insert into item (name) values ('a'), ('b'), ('c')",
      "insert into item values (null, 'a'), (default, 'b')",
      'insert into ticket (tenant) values (2), (1), (2)',
      'insert into item (name) select name from item returning id',
    ];
    const work = async () => {
      for (const text of texts) {
        await world.bank.query(text);
        await world.wallets.query("insert into item (name) values ('theirs'), ('theirs')");
      }
    };
    await rolledBack(world, work);
    const [items = [], tickets = []] = await rowsOfAll(world, ['item', 'ticket']);
    expect(items.filter((row) => !row.endsWith(',theirs)'))).toEqual(before[0]);
    expect(items).toHaveLength(1 + 2 * texts.length);
    expect(tickets).toEqual(before[1]);
  });

  it('keys that the database takes for one are one lock', async () => {
    const world = await startWorld(kind);
    await world.wallets.query("insert into named values ('Ada', 1), ('Bob', 2)");
    const before = await world.wallets.rowsOf('named');
    const work = async () => {
      await world.bank.query("update named set cents = 5 where name = 'Ada'");
      await world.bank.query("delete from named where name = 'Bob'");
    };
    await rolledBack(world, work, () =>
      conflicts(world, [
        "update named set cents = 6 where name = 'ADA '",
        "delete from named where name = 'ada'",
        "insert into named values ('BOB', 3)",
        "insert into named values ('bob ', 3)",
      ]),
    );
    expect(await world.wallets.rowsOf('named')).toEqual(before);
  });

  it('a write in `with` is refused before it runs', async () => {
    const world = await startWorld(kind);
    const before = await world.wallets.rowsOf('account');
    await refuses(world, [
      'with x as (select 1 as id) update account set cents = 1 where id in (select id from x)',
      'with x as (select 1 as id) delete from account where id in (select id from x)',
      "with x as (select 7 as id) insert into account select id, 'x', 1 from x",
      'insert into account with x as (select 7 as id) select id, null, 1 from x',
      "replace into account with x as (select 1 as id) select id, 'x', 1 from x",
    ]);
    expect(await world.wallets.rowsOf('account')).toEqual(before);
  });

  it('writes that change rows which they do not name are refused', async () => {
    const world = await startWorld(kind);
    await run(world, [
      'create table log (line varchar(9))',
      'create table watched (id int primary key, n int)',
      "create trigger a after insert on watched for each row insert into log values ('x')",
      "create trigger b after update on watched for each row insert into log values ('x')",
      "create trigger c after delete on watched for each row insert into log values ('x')",
      'create table parent (id int primary key, code int unique)',
      `create table child (id int primary key, p int references parent (id) on delete cascade,
        c int references parent (code) on update set null)`,
      'create view seen as select * from account',
      'create table old (id int primary key) engine = Aria',
      'create function wipe() returns int modifies sql data begin delete from log; return 1; end',
      'create procedure wiping() delete from log',
      "insert into log values ('first')",
      'insert into watched values (1, 1)',
      'insert into parent values (1, 10)',
      'insert into child values (1, 1, 10)',
    ]);
    const tables = ['log', 'watched', 'parent', 'child', 'account', 'old'];
    const before = await rowsOfAll(world, tables);
    await refuses(world, [
      ...['insert into watched values (2, 2)', 'update watched set n = 2', 'delete from watched'],
      ...['replace into watched values (1, 2)', 'insert ignore into watched values (1, 2)'],
      ...['delete from parent', 'update parent set code = 11', 'replace into parent values (1, 9)'],
      ...['delete p from parent p join child c on c.p = p.id'],
      ...["insert into seen values (9, 'x', 1)", 'update seen set cents = 1', 'delete from seen'],
      ...['select * from seen for update', 'insert into old values (1)'],
      ...['select wipe()', 'update account set cents = wipe()', 'do wipe()', 'call wiping()'],
      ...['select * from account where cents = wipe() for update', 'set @a = wipe()'],
      ...[
        "insert into log values ('y')",
        'truncate account',
        "load data infile 'f' into table log",
      ],
      ...['update account set cents = 1; delete from log', "prepare p from 'delete from log'"],
      ...["execute immediate 'delete from log'", 'begin not atomic delete from log; end'],
      ...['update account a join log l on true set a.cents = 1, l.line = 1'],
    ]);
    expect(await rowsOfAll(world, tables)).toEqual(before);
  });

  it('what would make a local commit less than one is refused', async () => {
    const world = await startWorld(kind);
    await refuses(world, [
      // Commits of their own, said or not.
      ...[
        'create table x (a int)',
        'create temporary table x (a int)',
        'alter table pair add x int',
      ],
      ...['drop table pair', 'lock tables account write', 'unlock tables', 'analyze table account'],
      ...[
        'flush tables',
        'set autocommit = 1',
        'set @@session.autocommit = on',
        'rename table a to b',
      ],
      ...['commit and chain', 'rollback release', '/*!50000 commit */', '/*M! commit */'],
      ...[
        "execute immediate 'commit'",
        'if 1 then commit; end if',
        "xa start 'x'",
        'handler a open',
      ],
      ...['start transaction read only', 'create user x', "set password = password('x')"],
      // Settings of which an undo would know nothing.
      ...['set foreign_key_checks = 0', 'set unique_checks = 0', 'set sql_log_bin = 0'],
      ...["set sql_mode = ''", 'set time_zone = system', 'set innodb_lock_wait_timeout = 1'],
      ...['set session transaction isolation level read uncommitted', "set names 'latin1'"],
      'set statement foreign_key_checks = 0 for delete from account',
    ]);
    expect(await world.wallets.rowsOf('account')).toHaveLength(3);
  });

  it('rows that refer to each other come and go together', async () => {
    const world = await startWorld(kind);
    await run(world, [
      `create table tree (id int primary key, up int, foreign key (up) references tree (id))`,
      'insert into tree values (1, 1), (2, null), (3, 2), (4, 3)',
    ]);
    const before = await world.wallets.rowsOf('tree');
    await undone(world, [
      'insert into tree values (5, null), (6, 5), (7, 7), (8, 6)',
      'update tree set up = 4 where id = 2',
      'insert into tree values (9, 1) on duplicate key update up = 2',
      'update tree set up = null where id in (2, 3, 4)',
      'delete from tree where id in (3, 4) order by id desc',
    ]);
    expect(await world.wallets.rowsOf('tree')).toEqual(before);
  });

  it('columns that the database writes itself are neither lost nor taken for a change', async () => {
    const world = await startWorld(kind);
    await run(world, [
      `create table doc (id int primary key, cents int, twice int as (cents * 2) stored,
        more int as (cents + 1) virtual,
        changed timestamp(6) not null default current_timestamp(6) on update current_timestamp(6))`,
      "insert into doc (id, cents, changed) values (1, 1, '2020-01-02 03:04:05.678901')",
    ]);
    const before = await world.wallets.rowsOf('doc');
    await undone(world, [
      'update doc set cents = cents + 1',
      'insert into doc (id, cents) values (2, 2)',
      'insert into doc (id, cents) values (1, 5) on duplicate key update cents = values(cents)',
      'replace into doc (id, cents) values (1, 7)',
      'delete from doc',
    ]);
    expect(await world.wallets.rowsOf('doc')).toEqual(before);
  });

  it('a table of another database is refused, whose locks would be elsewhere', async () => {
    const world = await startWorld(kind);
    const other = `hole_${crypto.randomUUID().slice(0, 8)}`;
    await run(world, [
      `create database ${other}`,
      `create table ${other}.account (id int primary key, cents int)`,
      `insert into ${other}.account values (1, 1)`,
    ]);
    onTestFinished(() => run(world, [`drop database ${other}`]));
    await refuses(world, [
      `update ${other}.account set cents = 2`,
      `insert into ${other}.account values (2, 2)`,
      `select * from ${other}.account for update`,
    ]);
    expect(await world.wallets.rowsOf(`${other}.account`)).toEqual(['(1,1)']);
  });

  it('a row too long for the functions of the server is no row of nulls', async () => {
    const world = await startWorld(kind);
    await run(world, [
      'create table big (id int primary key, body longtext, n int)',
      'insert into big values (1, repeat("x", @@max_allowed_packet * 0.6), 0)',
    ]);
    const update = (text: string) => world.settle.transaction({}, () => world.bank.query(text));
    const isRefused = { code: 'AT_UNSUPPORTED_SQL' };
    await expect(update('update big set n = 1')).rejects.toMatchObject(isRefused);
    await expect(update('delete from big')).rejects.toMatchObject(isRefused);
    await world.wallets.query("update big set body = 'short'");
    const lengthen = "update big set body = repeat('y', @@max_allowed_packet * 0.6)";
    await expect(update(lengthen)).rejects.toMatchObject(isRefused);
    expect(await world.wallets.rowsOf('big')).toEqual(['(1,short,0)']);
  });

  it('an undo row too long for a packet leaves nothing committed', async () => {
    const world = await startWorld(kind);
    await run(world, [
      'create table big (id int primary key, body longtext)',
      'insert into big values (1, repeat("x", @@max_allowed_packet * 0.3))',
    ]);
    const before = await world.wallets.rowsOf('big');
    const work = world.settle.transaction({}, async () => {
      await world.shop.query('update account set cents = 0 where id = 1');
      await world.bank.query('update big set body = reverse(concat(body, 1))');
    });
    await expect(work).rejects.toThrow();
    expect((await world.wallets.rowsOf('big')).join() === before.join()).toBe(true);
    expect(await world.orders.rowsOf('account')).toContain('(1,Ada,1000)');
    expect([await world.orders.undoRows(), await world.wallets.undoRows()]).toEqual([0, 0]);
  });
});

async function run({ wallets }: World, texts: readonly string[]): Promise<void> {
  for (const text of texts) await wallets.query(text);
}

async function rowsOfAll({ wallets }: World, tables: readonly string[]) {
  return Promise.all(tables.map((table) => wallets.rowsOf(table)));
}
