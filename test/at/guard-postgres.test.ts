/**
 * Guards on PostgreSQL, without a resource: that they look where the locks are, whatever the key is
 * and whatever the session is set to, and what holds of this database alone.
 */
import { describe, expect, it } from 'vitest';
import type { Session } from '../../client-sdk/resource/facts.ts';
import { passGuards } from '../../client-sdk/resource/postgres/guard.ts';
import { planGuardOnPostgres } from '../../client-sdk/resource/postgres/guard-plan.ts';
import { imageOf } from '../../client-sdk/resource/postgres/image-text.ts';
import { describeOn } from '../support/databases.ts';
import { guardWorld } from './guard-world.ts';
import { factsOf, openDatabase, transact, untilWaiting } from './postgres-undo-world.ts';

const texts = [
  ...[`''`, `' '`, `'a'`, `'A'`, `'a '`, `'"'`, `'""'`, `'\\'`, `'\\\\"'`, `''''`, `','`, `'","'`],
  ...[
    `'["a"]'`,
    `'a/b'`,
    `'null'`,
    `E'\\t\\n\\r\\b\\f'`,
    `E'\\x01\\x1f\\x7f'`,
    `E'\\u0080\\u00a0'`,
  ],
  ...[`E'\\u2028\\u2029\\ufeff'`, `'über 😀 ﷺ'`, `E'e\\u0301'`, `'$1 $guard$'`],
];

/** Type → keys as SQL. Every type that a key may have. */
const keys: Readonly<Record<string, readonly string[]>> = {
  smallint: ['-32768', '0'],
  integer: ['-2147483648', '7'],
  bigint: ['9223372036854775807', '9007199254740993'],
  oid: ['4294967295'],
  xid8: [`'18446744073709551615'`],
  pg_lsn: [`'16/B374D848'`],
  numeric: [`'NaN'`, `'Infinity'`, '1.50', '7', '100.00', '-0.10', '1e20', '0.000'],
  'numeric(12,3)': ['1.5', '-999999999.999', '10'],
  money: [`'-92233720368547758.08'`, `'0.01'`],
  'char(5)': [`'a'`, `''`, `' b'`, `'a",'`],
  '"char"': [`'a'`, `''`, `'"'`],
  'varchar(20)': [`'a '`, `''`],
  name: [`'a name'`],
  text: texts,
  'text collate "C"': texts,
  'odd.citext': [`'Ada'`, `''`, `'A "B'`],
  bytea: [`''`, `'\\x00'`, `'\\x5c22277f80ff'`],
  boolean: ['true', 'false'],
  date: [`'infinity'`, `'4713-01-01 BC'`, `'2024-02-03'`, `'5874897-12-31'`],
  time: [`'24:00'`, `'23:59:59.999999'`],
  timestamp: [`'infinity'`, `'2024-02-03 04:05:06.7'`, `'0001-01-01 BC'`],
  timestamptz: [`'-infinity'`, `'2024-03-31 02:30:00.000001 Europe/Paris'`, `'0044-03-15 BC'`],
  uuid: [`'FFFFFFFF-ffff-ffff-ffff-ffffffffffff'`],
  inet: [`'10.0.0.1'`, `'10.0.0.1/24'`, `'::1'`, `'::ffff:1.2.3.4'`],
  cidr: [`'10.0.0.0/8'`, `'10.0.0.1'`],
  macaddr: [`'08:00:2B:01:02:03'`],
  macaddr8: [`'08:00:2B:01:02:03'`],
  'bit(9)': [`'101010101'`],
  'bit varying': [`''`, `'101'`],
  'odd."Color x"': [`'red'`, `'"quoted, (x)"'`, `''`],
  'odd.amount': ['1.50', '2'],
  'odd.word': [`'a "word"'`],
};

const types = `create schema odd; create extension citext schema odd;
  create type odd."Color x" as enum ('red', '"quoted, (x)"', '');
  create domain odd.amount as numeric(9,2); create domain odd.word as text;`;

/** What another program may have set. */
const oddSettings = `set datestyle to 'SQL, DMY'; set timezone to 'Asia/Kathmandu';
  set bytea_output to 'escape'; set extra_float_digits to -3; set intervalstyle to 'iso_8601';
  set quote_all_identifiers to on; set search_path to odd; set standard_conforming_strings to off;
  set enable_indexscan to off; set escape_string_warning to off`;

async function guard(session: Session, name: string, wish: 'guard' | 'unguard' = 'guard') {
  const [schema, table] = name.includes('.') ? name.split('.') : [null, name];
  const plan = await planGuardOnPostgres(
    session,
    { schema: schema ?? null, name: table ?? '' },
    wish,
  );
  if (plan.kind !== 'statements') return plan;
  for (const statement of plan.statements) await session.query(statement);
  return plan;
}

async function lock(session: Session, table: string, key: string, gid = 'gid-1'): Promise<void> {
  await session.query(
    `insert into public.settle_undo (table_name, row_key, step, gid, branch_id, position, created_at_ms)
      values ($1, $2, 0, $3, 1, 1, 0)`,
    [table, key, gid],
  );
}

const unlock = 'delete from public.settle_undo';

const { expectStranger, lockedAndFree } = guardWorld({
  ...{ factsOf, guard, lock, unlock, imageOf },
  oddSettings: [oddSettings],
  imageExpression: () => 'settle_image(t.*)',
  isRefusal: (error) => 'code' in error && error.code === '55P03',
});

await describeOn('postgres', (server) => {
  describe('the key that a guard looks for', () => {
    it.each(Object.keys(keys))('is the lock of the row: %s', async (type) => {
      const { session, open } = await openDatabase(server, types);
      await session.query(`create table t (k ${type} primary key, v integer)`);
      for (const [v, value] of (keys[type] ?? []).entries()) {
        await session.query(`insert into t values (${value}, ${v})`);
      }
      expect((await factsOf(session, 't')).refusal).toBe(null);
      await guard(session, 't');
      expect(await lockedAndFree(session, await open(), 't')).toEqual([]);
    });

    it('is that of several columns, of odd names', async () => {
      const name = `odd."T'\\ x$guard$"`;
      const columns = `"k"" ,'\\ x" text, b integer, "select" numeric`;
      const { session, open } = await openDatabase(
        server,
        `${types} create table ${name} (v integer, ${columns},
           primary key ("select", "k"" ,'\\ x", b));
         insert into ${name} values (0, 'a","b', 1, 1.0), (1, 'a', 1, 1), (2, '","', 12, 10.50)`,
      );
      await guard(session, `odd.T'\\ x$guard$`);
      const facts = await factsOf(session, `odd.T'\\ x$guard$`);
      expect(facts).toMatchObject({ isGuarded: true, hazards: [] });
      expect(await lockedAndFree(session, await open(), `odd.T'\\ x$guard$`)).toEqual([]);
    });
  });

  describe('a guard', () => {
    const schema = `create table t (id integer primary key, v integer not null);
      insert into t values (1, 0), (2, 0)`;

    it('refuses every write to a locked row and says who holds it', async () => {
      const { session, open } = await openDatabase(server, schema);
      await guard(session, 't');
      await lock(session, 'public.t', '["1"]');
      await lock(session, 'public.t', '["9"]');
      const other = await open();
      for (const text of [
        ...['update t set v = 1 where id = 1', 'update t set v = v', 'delete from t where id = 1'],
        ...['update t set id = 3 where id = 1', 'update t set id = 9 where id = 2'],
        ...['insert into t values (9, 0)', 'truncate t'],
        'insert into t values (1, 0) on conflict (id) do update set v = 5',
      ]) {
        await expect(other.query(text), text).rejects.toMatchObject({
          code: '55P03',
          message: expect.stringMatching(
            /^row \["[19]"\] of public.t is locked by the global transaction gid-1, /,
          ),
          hint: expect.stringContaining('npm run settle -- tx show gid-1.'),
        });
      }
      await other.query('update t set v = 7 where id = 2; insert into t values (4, 0)');
      await other.query('select * from t where id = 1 for update');
      await session.query(unlock);
      await other.query('delete from t where id = 1; insert into t values (9, 0); truncate t');
    });

    it('is blind to nothing that a snapshot does not show', async () => {
      const { session, open } = await openDatabase(server, schema);
      await guard(session, 't');
      for (const level of ['repeatable read', 'serializable']) {
        const other = await open();
        await other.query(`begin isolation level ${level}`);
        await other.query('select * from t');
        await lock(session, 'public.t', '["1"]');
        await expect(other.query('update t set v = 1 where id = 1')).rejects.toMatchObject({
          code: '40001',
        });
        await other.query(`rollback; begin isolation level ${level}`);
        await other.query('update t set v = v + 1 where id = 2');
        await expect(other.query('truncate t')).rejects.toThrow('READ COMMITTED only');
        await other.query(`rollback; begin isolation level ${level}`);
        await other.query('update t set v = v + 1 where id = 2');
        await other.query('update t set v = v + 1 where id = 2');
        await other.query('commit');
        await session.query(unlock);
      }
      expect((await session.query('select v from t where id = 2')).rows).toEqual([{ v: 4 }]);
    });

    it.each(['update t set v = 1 where id = 1', 'insert into t values (1, 1)'])(
      'sees the lock of the transaction that it had to wait for: %s',
      async (text) => {
        const { session, open } = await openDatabase(server, schema);
        await guard(session, 't');
        const foreign = await open();
        const change = text.startsWith('insert') ? 'delete from t' : 'update t set v = 5';
        const late = await transact(session, async () => {
          await session.query(passGuards);
          await session.query(`${change} where id = 1`);
          const waiting = foreign.query(text);
          waiting.catch(() => undefined);
          await untilWaiting(await open(), foreign.pid);
          await lock(session, 'public.t', '["1"]');
          return { waiting };
        });
        await expect(late.waiting).rejects.toMatchObject({ code: '55P03' });
      },
    );

    it('lets the transaction pass that says it is ours, and nobody after it', async () => {
      const { session } = await openDatabase(server, schema);
      await guard(session, 't');
      await lock(session, 'public.t', '["1"]');
      const write = 'update t set v = v + 1 where id = 1';
      await transact(session, async () => {
        await session.query(passGuards);
        await session.query('savepoint s');
        await session.query(write);
        return true;
      });
      await expect(session.query(write)).rejects.toMatchObject({ code: '55P03' });
      // Not even when it is kept for the session, as no code of ours does.
      await session.query(passGuards.replace('true)', 'false)'));
      await expect(session.query(write)).rejects.toMatchObject({ code: '55P03' });
    });

    it('works for roles that may not read the undo rows', async () => {
      const role = `guarded_${process.pid}`;
      const { session } = await openDatabase(
        server,
        `${schema}; create role ${role};
        grant select, update on t to ${role}`,
      );
      await guard(session, 't');
      await lock(session, 'public.t', '["1"]');
      await session.query(`set role ${role}`);
      await session.query('update t set v = 1 where id = 2');
      await expect(session.query('update t set v = 1')).rejects.toMatchObject({ code: '55P03' });
      await session.query(`reset role; drop owned by ${role}; drop role ${role}`);
    });
  });

  describe('the catalogue', () => {
    const schema = 'create table t (id integer primary key, v integer)';

    it('knows a guard, and makes it once', async () => {
      const { session } = await openDatabase(server, schema);
      expect(await factsOf(session, 't')).toMatchObject({ isGuarded: false });
      const first = await guard(session, 't');
      expect(first).toMatchObject({ kind: 'statements', table: 'public.t' });
      expect(await factsOf(session, 't')).toMatchObject({ isGuarded: true, hazards: [] });
      expect(await guard(session, 't')).toMatchObject({ statements: [] });
      await guard(session, 't', 'unguard');
      expect(await factsOf(session, 't')).toMatchObject({ isGuarded: false, hazards: [] });
      const left = await session.query(`select from pg_proc where proname like 'settle\\_guard%'`);
      expect(left.count).toBe(0);
      expect(await guard(session, 't', 'unguard')).toMatchObject({ statements: [] });
    });

    it.each([
      ['another body', (body: string) => body.replace('55P03', '55P04')],
      ['another setting', (body: string) => body.replace('UTC', 'Europe/Paris')],
      ['the rights of the caller', (body: string) => body.replace('security definer', '')],
    ])('takes a trigger of that name with %s for a stranger', async (_, change) => {
      const { session } = await openDatabase(server, schema);
      const plan = await planGuardOnPostgres(session, { schema: null, name: 't' }, 'guard');
      if (plan.kind !== 'statements') throw new Error(plan.why);
      for (const [index, text] of plan.statements.entries()) {
        await session.query(index === 0 ? change(text) : text);
      }
      await expectStranger(session);
    });

    it('takes a guard for a stranger that is called on some rows only', async () => {
      const { session } = await openDatabase(server, schema);
      await guard(session, 't');
      const { rows } = await session.query(`select pg_get_triggerdef(oid) as text from pg_trigger
        where tgname = 'settle_guard'`);
      const text = String(rows[0]?.['text']);
      await session.query('drop trigger settle_guard on t');
      await session.query(
        text.replace('FOR EACH ROW', 'FOR EACH ROW WHEN (pg_trigger_depth() = 0)'),
      );
      await expectStranger(session);
    });

    it('takes a guard for a stranger when its table has another name or key', async () => {
      const { session } = await openDatabase(server, schema);
      await guard(session, 't');
      await session.query('alter table t rename to other');
      expect(await factsOf(session, 'other')).toMatchObject({ isGuarded: false });
      await guard(session, 'other');
      expect(await factsOf(session, 'other')).toMatchObject({ isGuarded: true, hazards: [] });
      await session.query('alter table other drop constraint t_pkey, add primary key (id, v)');
      await session.query('alter table other rename to t');
      await expectStranger(session);
      await guard(session, 't');
      const left = await session.query(`select from pg_proc where proname like 'settle\\_guard%'`);
      expect(left.count).toBe(1);
    });

    it('says why a table has no guard', async () => {
      const { session } = await openDatabase(server, 'create table t (id real primary key)');
      expect(await guard(session, 't')).toMatchObject({
        kind: 'refused',
        why: expect.stringContaining('equal values may differ as text'),
      });
      expect(await guard(session, 'nowhere')).toMatchObject({ why: 'is not there' });
    });
  });
});
