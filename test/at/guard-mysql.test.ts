/**
 * Guards on MySQL and MariaDB, without a resource: that they look where the locks are, whatever the
 * key is and whatever the session is set to, and what holds of this database alone.
 */
import { describe, expect, it } from 'vitest';
import type { Session } from '../../client-sdk/resource/facts.ts';
import { passGuards } from '../../client-sdk/resource/mysql/guard.ts';
import { planGuardOnMysql } from '../../client-sdk/resource/mysql/guard-plan.ts';
import { imageExpression, imageOf } from '../../client-sdk/resource/mysql/image-columns.ts';
import { describeOn } from '../support/databases.ts';
import { guardWorld } from './guard-world.ts';
import { factsOf, openDatabase, untilWaiting } from './mysql-undo-world.ts';

const words = ['a', 'B', ' a', 'ä', '', 'ß', 'a\t', '"', '\\', "'", ',', '","', '~', 'e\u0301x'];
const wide = [...words, '\u{1f600}', 'ﬁ', 'Ω', 'ー', '\u3000', '\u0001\u007f'];
const text = (values: readonly string[]) => values.map(hexLiteral);

/** Type → keys as SQL. */
const keys: Readonly<Record<string, readonly string[]>> = {
  int: ['-2147483648', '7'],
  'bigint unsigned': ['18446744073709551615', '0'],
  'int(9) unsigned zerofill': ['42'],
  'decimal(20,5)': ['1.5', '-999999999.99999', '0'],
  year: ['2024', '0'],
  'bit(9)': ['5', '511', '0'],
  'binary(4)': [`'a'`, `x'00ff'`, `''`],
  'varbinary(9)': [`''`, `'A '`, `'A'`, `x'00'`, `x'5c2227'`],
  [`enum('x', 'y"', '')`]: [`'x'`, `'y"'`, `''`],
  [`set('a', 'b')`]: [`''`, `'a,b'`, `'b'`],
  date: [`'2024-01-31'`, `'9999-12-31'`],
  'datetime(6)': [`'2024-01-31 01:02:03.000004'`, `'1000-01-01'`],
  datetime: [`'2024-10-27 02:30:00'`],
  'time(3)': [`'-838:59:59'`, `'12:00:00.125'`],
  // The first two are the same hour of the day in Berlin, an hour apart.
  timestamp: ['from_unixtime(1729989000)', 'from_unixtime(1729992600)', 'from_unixtime(1)'],
  'timestamp(6)': ['from_unixtime(1729989000.000001)', 'from_unixtime(1729992600.5)'],
  uuid: [`'FFFFFFFF-ffff-ffff-ffff-ffffffffffff'`],
  inet4: [`'10.0.0.1'`],
  inet6: [`'::1'`, `'::ffff:1.2.3.4'`],
  ...lettered('utf8mb4', wide, [
    'general_ci',
    'bin',
    'unicode_ci',
    'general_nopad_ci',
    'nopad_bin',
  ]),
  ...lettered('utf8mb4', wide, [
    'uca1400_ai_ci',
    'uca1400_nopad_as_cs',
    'german2_ci',
    'turkish_ci',
  ]),
  ...lettered('latin1', words.slice(0, 13), ['swedish_ci', 'german1_ci', 'general_cs', 'bin']),
  ...lettered('ascii', ['a', '', '"', '\\', ','], ['general_ci', 'bin']),
  ...lettered('utf16', wide, ['unicode_ci']),
  ...lettered('ucs2', ['a', 'ä', '', '"', 'Ω'], ['general_ci']),
};

function lettered(charset: string, values: readonly string[], collations: readonly string[]) {
  return Object.fromEntries(
    collations.flatMap((collation) =>
      ['varchar(20)', 'char(20)']
        // Such a char is refused as a key.
        .filter((type) => !(type === 'char(20)' && collation.includes('nopad')))
        .map((type) => [
          `${type} character set ${charset} collate ${charset}_${collation}`,
          text(values),
        ]),
    ),
  );
}

/** What another program may have set. */
const oddSettings = [
  `set sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH'`,
  `set names latin1 collate latin1_german2_ci`,
  `set time_zone = '+05:45'`,
  `set lc_messages = 'ja_JP'`,
];

async function guard(session: Session, name: string, wish: 'guard' | 'unguard' = 'guard') {
  const plan = await planGuardOnMysql(session, { schema: null, name }, wish);
  if (plan.kind !== 'statements') return plan;
  const { rows } = await session.query('select @@sql_mode as mode');
  for (const statement of plan.statements) await session.query(statement);
  await session.query(`set sql_mode = '${String(rows[0]?.['mode'])}'`);
  return plan;
}

async function lock(session: Session, table: string, key: string, gid = 'gid-1'): Promise<void> {
  await session.query(
    `insert into settle_undo (table_name, row_key, step, gid, branch_id, position, created_at_ms)
      values (${hexLiteral(table)}, ${hexLiteral(key)}, 0, '${gid}', 1, 1, 0)`,
  );
}

const unlock = `delete from settle_undo where gid <> ''`;

const { expectStranger, lockedAndFree } = guardWorld({
  ...{ factsOf, guard, lock, unlock, imageOf, oddSettings },
  imageExpression: (facts) => imageExpression(facts, 't'),
  isRefusal: ({ message }) => message.includes('locked by gid-1, see'),
});

await describeOn('mysql', (server) => {
  describe('the key that a guard looks for', () => {
    it.each(Object.keys(keys))('is the lock of the row: %s', async (type) => {
      const { session, open } = await openDatabase(server, [
        `create table t (k ${type} primary key, v int)`,
      ]);
      await session.query(`set sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'`);
      for (const [v, value] of (keys[type] ?? []).entries()) {
        // Of those that the collation takes for one, the first.
        await session.query(`insert ignore into t values (${value}, ${v})`);
      }
      expect((await factsOf(session, 't')).refusal).toBe(null);
      await guard(session, 't');
      expect(await lockedAndFree(session, await open(), 't')).toEqual([]);
    });

    it('is that of several columns, of odd names', async () => {
      const name = `t'"\\ ü`;
      const { session, open } = await openDatabase(server, [
        `create table \`${name}\` (v int, \`k\`\` ,'\\ x\` varchar(9), b int, \`select\` decimal(9,2),
          primary key (\`select\`, \`k\`\` ,'\\ x\`, b))`,
        `insert into \`${name}\` values (0, 'a","b', 1, 1.0), (1, 'a', 1, 1), (2, '","', 12, 10.5)`,
      ]);
      await guard(session, name);
      expect(await factsOf(session, name)).toMatchObject({ isGuarded: true, hazards: [] });
      expect(await lockedAndFree(session, await open(), name)).toEqual([]);
    });
  });

  describe('a guard', () => {
    const schema = [
      'create table t (id int primary key auto_increment, v int not null)',
      'insert into t values (1, 0), (2, 0), (3, 0)',
    ];

    it('refuses every write to a locked row and says who holds it', async () => {
      const { session, open, database } = await openDatabase(server, schema);
      await guard(session, 't');
      const table = `\`${database}\`.\`t\``;
      await lock(session, table, '["1"]');
      await lock(session, table, '["9"]');
      const other = await open();
      for (const write of [
        ...['update t set v = 1 where id = 1', 'update t set v = v', 'delete from t where id = 1'],
        ...['update t set id = 8 where id = 1', 'update t set id = 9 where id = 2'],
        ...['insert into t values (9, 0)', 'replace into t values (1, 5)', 'delete from t'],
        'insert into t values (1, 0) on duplicate key update v = 5',
        'insert ignore into t values (9, 5)',
      ]) {
        await expect(other.query(write), write).rejects.toMatchObject({
          errno: 1205,
          message: expect.stringMatching(
            new RegExp(
              `^locked by gid-1, see npm run settle -- tx show: \\["[19]"\\] of ${table};`,
            ),
          ),
        });
      }
      await other.query('update t set v = 7 where id = 2');
      await other.query('select * from t where id = 1 for update');
      await session.query(unlock);
      await other.query('delete from t where id = 1');
      await other.query('insert into t values (9, 0)');
      // What the guard tries to insert is not seen by whoever asks for the number of his row.
      other.release();
      const [header] = await other.pool.query('insert into t (v) values (0)');
      expect(header).toMatchObject({ affectedRows: 1, insertId: 10, warningStatus: 0 });
      expect((await session.query('select count(*) as n from settle_undo')).rows).toEqual([
        { n: 1 },
      ]);
    });

    it.each(['repeatable read', 'read committed', 'serializable'])(
      'sees what is locked since, and keeps no undo rows out: %s',
      async (level) => {
        const { session, open, database } = await openDatabase(server, schema);
        await guard(session, 't');
        const table = `\`${database}\`.\`t\``;
        const other = await open();
        await other.query(`set session transaction isolation level ${level}`);
        await other.query('set session innodb_lock_wait_timeout = 1');
        await other.query('start transaction with consistent snapshot');
        await other.query('update t set v = v + 1 where id = 3');
        await other.query('insert into t values (20, 0)');
        // In every gap that there is: before, between, after.
        for (const key of ['["1"]', '["2"]', '["21"]', '["4"]']) await lock(session, table, key);
        await lock(session, '`a`.`a`', '["1"]');
        await lock(session, '`zz`.`a`', '["1"]');
        await expect(other.query('update t set v = 1 where id = 1')).rejects.toThrow('locked by');
        await other.query('update t set v = v + 1 where id = 3');
        await other.query('commit');
        expect((await session.query('select v from t where id = 3')).rows).toEqual([{ v: 2 }]);
        await expect(other.query('update t set v = 1 where id = 1')).rejects.toThrow('locked by');
      },
    );

    it.each(['update t set v = 1 where id >= 1', 'insert into t values (2, 1)'])(
      'sees the lock of the transaction that it had to wait for: %s',
      async (write) => {
        const { session, open, database } = await openDatabase(server, schema);
        await guard(session, 't');
        const foreign = await open();
        await foreign.query(`set session transaction isolation level repeatable read`);
        await foreign.query('start transaction');
        await foreign.query('select * from t');
        await session.query('start transaction');
        await session.query(passGuards);
        const change = write.startsWith('insert') ? 'delete from t' : 'update t set v = 5';
        await session.query(`${change} where id = 2`);
        const waiting = foreign.query(write);
        waiting.catch(() => undefined);
        const watcher = await open();
        watcher.release();
        await untilWaiting(watcher.pool);
        await lock(session, `\`${database}\`.\`t\``, '["2"]');
        await session.query('commit');
        await expect(waiting).rejects.toMatchObject({ errno: 1205 });
        await expect(waiting).rejects.toThrow('locked by gid-1');
      },
    );

    it('lets the session pass that says it is ours, and no other', async () => {
      const { session, open, database } = await openDatabase(server, schema);
      await guard(session, 't');
      await lock(session, `\`${database}\`.\`t\``, '["1"]');
      const write = 'update t set v = v + 1 where id = 1';
      const other = await open();
      const { rows } = await session.query('select connection_id() as id');
      await other.query(`set @settle_writer = ${Number(rows[0]?.['id'])}`);
      await expect(other.query(write)).rejects.toThrow('locked by');
      await other.query(passGuards);
      await other.query(write);
      other.release();
      await expect(other.pool.query(write)).rejects.toThrow('locked by');
    });

    it('leaves a pool with no connection that still passes', async () => {
      const { session, open, database } = await openDatabase(server, schema);
      await guard(session, 't');
      await lock(session, `\`${database}\`.\`t\``, '["1"]');
      const other = await open();
      await other.query(passGuards);
      // What the connection had before cannot be put back.
      await other.query(`set @settle_sql_mode = 'nonsense'`);
      other.release();
      const write = 'update t set v = v + 1 where id = 1';
      await expect(other.pool.query(write)).rejects.toThrow('locked by');
    });

    it('refuses everything when what it collides with is gone', async () => {
      const { session, open } = await openDatabase(server, schema);
      await guard(session, 't');
      await session.query('truncate settle_undo');
      const other = await open();
      await expect(other.query('update t set v = 1')).rejects.toThrow('migrate --guard again');
      expect((await session.query('select * from settle_undo')).count).toBe(0);
      await guard(session, 't', 'unguard');
      await guard(session, 't');
      await other.query('update t set v = 1');
    });
  });

  describe('the catalogue', () => {
    const schema = ['create table t (id int primary key, v int)'];

    it('knows a guard, and makes it once', async () => {
      const { session, database } = await openDatabase(server, schema);
      expect(await factsOf(session, 't')).toMatchObject({ isGuarded: false });
      const first = await guard(session, 't');
      expect(first).toMatchObject({ kind: 'statements', table: `\`${database}\`.\`t\`` });
      expect(await factsOf(session, 't')).toMatchObject({ isGuarded: true, hazards: [] });
      expect(await guard(session, 't')).toMatchObject({ statements: [] });
      await guard(session, 't', 'unguard');
      expect(await factsOf(session, 't')).toMatchObject({ isGuarded: false, hazards: [] });
      expect(await guard(session, 't', 'unguard')).toMatchObject({ statements: [] });
    });

    it.each([
      ['another body', (text: string) => text.replace('1205', '1206')],
      ['another time', (text: string) => text.replace(' after ', ' before ')],
    ])('takes a trigger of that name with %s for a stranger', async (_, change) => {
      const { session } = await openDatabase(server, schema);
      const plan = await planGuardOnMysql(session, { schema: null, name: 't' }, 'guard');
      if (plan.kind !== 'statements') throw new Error(plan.why);
      for (const statement of plan.statements) await session.query(change(statement));
      await expectStranger(session);
    });

    it('takes a guard for a stranger when its table has another name or key', async () => {
      const { session } = await openDatabase(server, schema);
      await guard(session, 't');
      await session.query('alter table t rename to other');
      expect(await factsOf(session, 'other')).toMatchObject({ isGuarded: false });
      await guard(session, 'other');
      expect(await factsOf(session, 'other')).toMatchObject({ isGuarded: true, hazards: [] });
      await session.query('alter table other rename to t');
      await guard(session, 't');
      await session.query('alter table t drop primary key, add primary key (id, v)');
      await expectStranger(session);
    });

    it('says why a table has no guard', async () => {
      const { session } = await openDatabase(server, ['create table t (id float primary key)']);
      expect(await guard(session, 't')).toMatchObject({
        kind: 'refused',
        why: expect.stringContaining('equal values may differ as text'),
      });
      expect(await guard(session, 'nowhere')).toMatchObject({ why: 'is not there' });
    });
  });
});

function hexLiteral(value: string): string {
  return `convert(x'${Buffer.from(value).toString('hex')}' using utf8mb4)`;
}
