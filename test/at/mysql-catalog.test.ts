/** What the catalogue of MySQL says of tables and functions, and what it refuses. */
import { describe, expect, it } from 'vitest';
import type { Hazard } from '../../client-sdk/resource/facts.ts';
import { seesTriggers } from '../../client-sdk/resource/mysql/table-query.ts';
import { describeOn } from '../support/databases.ts';
import { factsOf, freshCatalog, openDatabase, openSession } from './mysql-undo-world.ts';

await describeOn('mysql', (server) => {
  it('knows columns and keys, whatever the names are', async () => {
    const { session, database } = await openDatabase(server, [
      `create table \`O'dd, "x\` (\`a\`\`b\` int not null, K varchar(9) character set latin1 not null,
        g int as (\`a\`\`b\` + 1) stored, v int as (2) virtual, n varbinary(3) not null,
        primary key (K, n, \`a\`\`b\`))`,
    ]);
    const facts = await freshCatalog().factsOf(session, { schema: null, name: `O'dd, "x` });
    expect(facts).toMatchObject({
      id: `\`${database}\`.\`O'dd, "x\``,
      key: [
        { name: 'K', form: 'weight' },
        { name: 'n', form: 'text' },
        { name: 'a`b', form: 'text' },
      ],
      ...{ hazards: [], isGuarded: false, refusal: null },
    });
    expect(facts.columns.map(({ name, isGenerated }) => `${name} ${isGenerated}`)).toEqual([
      ...['a`b false', 'K false', 'g true', 'n false'],
    ]);
    const full = await freshCatalog().factsOf(session, { schema: database, name: `O'dd, "x` });
    expect(full).toEqual(facts);
    const other = freshCatalog().factsOf(session, { schema: null, name: `o'dd, "X` });
    await expect(other).rejects.toMatchObject({ code: 'AT_UNSUPPORTED_SQL' });
  });

  it.each([
    ['create table r (a int)', 'it has no primary key'],
    ['create view r as select 1 as a', 'it is a view'],
    ['create sequence r', 'it is a sequence'],
    ['create table r (a int primary key) engine = MyISAM', 'its engine MyISAM is not InnoDB'],
    ['create table r (a int primary key) engine = Aria', 'its engine Aria is not InnoDB'],
    ['create table r (a int primary key) with system versioning', 'it is system versioned'],
    ['create table r (a text, primary key (a(5)))', 'its key takes only the first letters of a'],
    ['create table r (a double primary key)', 'its key column a has type double'],
    [
      'create table r (a varchar(9) collate utf8mb4_uca1400_as_cs primary key)',
      'its key column a has type varchar(9)',
    ],
    ['create table settle_r (a int primary key)', 'names that begin with settle_'],
  ])('refuses: %s', async (create, why) => {
    const { session } = await openDatabase(server, [create]);
    const facts = await factsOf(session, create.includes('settle_r') ? 'settle_r' : 'r');
    expect(facts.refusal).toContain(why);
  });

  it('refuses tables of the server, temporary ones, and none at all', async () => {
    const { session } = await openDatabase(server, []);
    expect((await factsOf(session, 'mysql.global_priv')).refusal).toContain('the database itself');
    await session.query('create temporary table r (a int primary key)');
    await expect(factsOf(session, 'r')).rejects.toThrow('there is no table r');
  });

  it('finds triggers and foreign keys that change other rows', async () => {
    const { session } = await openDatabase(server, [
      'create table p (id int primary key, code int unique, up int, foreign key s (up) references p (id))',
      `create table c (id int primary key, p int, code int,
        constraint f1 foreign key (p) references p (id) on delete cascade,
        constraint f2 foreign key (code) references p (code) on update set null)`,
      'create trigger t1 after insert on p for each row set @a = 1',
      'create trigger t2 before update on p for each row set new.up = null',
      'create table plain (id int primary key) partition by hash (id) partitions 3',
    ]);
    const rows: Hazard['on'] = ['insert', 'delete'];
    expect((await factsOf(session, 'p')).hazards).toEqual(
      expect.arrayContaining([
        { what: 'trigger t1', on: rows, columns: null },
        { what: 'trigger t2', on: ['update'], columns: null },
        { what: 'foreign key f1 (on delete cascade)', on: ['delete'], columns: null },
        { what: 'foreign key f2 (on update set null)', on: ['update'], columns: ['code'] },
      ]),
    );
    expect((await factsOf(session, 'p')).hazards).toHaveLength(4);
    expect(await factsOf(session, 'plain')).toMatchObject({ hazards: [], refusal: null });
  });

  it('refuses what it cannot see: without the privilege nobody is shown a trigger', async () => {
    const { session, database, url } = await openDatabase(server, [
      'create table t (id int primary key)',
      'create trigger tr before insert on t for each row set @a = 1',
    ]);
    const user = `blind_${process.pid}`;
    await session.query(`create user ${user} identified by 'x'`);
    await session.query(`grant select, insert, update, delete on \`${database}\`.* to ${user}`);
    const own = new URL(url);
    own.username = user;
    own.password = 'x';
    const blind = await openSession(own.href);
    expect((await factsOf(blind, 't')).refusal).toContain('may not see its triggers');
    await session.query(`grant trigger on \`${database}\`.t to ${user}`);
    const seeing = await openSession(own.href);
    expect(await factsOf(seeing, 't')).toMatchObject({
      refusal: null,
      hazards: [{ what: 'trigger tr' }],
    });
    await session.query(`drop user ${user}`);
  });

  it('remembers for a minute, and asks nothing when it knows', async () => {
    const { session } = await openDatabase(server, ['create table t (id int primary key)']);
    let nowMs = 0;
    const { createMysqlCatalog } = await import('../../client-sdk/resource/mysql/catalog.ts');
    const catalog = createMysqlCatalog(() => nowMs);
    const names = async () =>
      (await catalog.factsOf(session, { schema: null, name: 't' })).columns.map(({ name }) => name);
    expect(await names()).toEqual(['id']);
    await session.query('alter table t add b int');
    expect(await names()).toEqual(['id']);
    nowMs = 60_000;
    expect(await names()).toEqual(['id', 'b']);
  });

  it('tells functions that may write', async () => {
    const { session, database } = await openDatabase(server, [
      'create function peek() returns int deterministic reads sql data return 1',
      'create function pure() returns int deterministic no sql return 1',
      'create function unsure() returns int not deterministic reads sql data return 1',
      'create function writes() returns int deterministic modifies sql data return 1',
      'create function abs() returns int return 1',
    ]);
    const writers = await freshCatalog().writers(session, [
      ...['now', 'count', 'st_astext', 'peek', 'PURE', 'unsure', 'writes', 'nobody_has_this'],
      ...[
        `${database}.peek`,
        `\`${database}\`.\`writes\``,
        `${database}.abs`,
        'sleep',
        'load_file',
      ],
    ]);
    expect(writers).toEqual([
      ...['unsure', 'writes', 'nobody_has_this', `\`${database}\`.\`writes\``, `${database}.abs`],
    ]);
    const { rows } = await session.query(
      'select lower(function) as name from information_schema.sql_functions',
    );
    const names = rows.map((row) => String(row['name']));
    expect(await freshCatalog().writers(session, names)).toEqual([]);
  });
});

describe('grants', () => {
  it.each([
    ['GRANT ALL PRIVILEGES ON *.* TO `root`@`%`', true],
    ['GRANT SELECT, TRIGGER ON `shop`.* TO `a`@`%`', true],
    ['GRANT SELECT ON `shop`.* TO `a`@`%`', false],
    ['GRANT TRIGGER ON `sh\\_op`.* TO `a`@`%`', false],
    ['GRANT TRIGGER ON `s%`.* TO `a`@`%`', true],
    ['GRANT TRIGGER ON `sho_`.* TO `a`@`%`', true],
    ['GRANT TRIGGER ON `shop`.`orders` TO `a`@`%`', true],
    ['GRANT TRIGGER ON `shop`.`other` TO `a`@`%`', false],
    ['GRANT ALL PRIVILEGES ON `shop`.`orders_2` TO `TRIGGER`@`%`', false],
    ['GRANT `role` TO `a`@`%`', false],
    ['REVOKE TRIGGER ON `shop`.* FROM `a`@`%`', false],
  ])('%s', (line, sees) => {
    expect(seesTriggers([line], { schema: 'shop', name: 'orders' })).toBe(sees);
  });
});
