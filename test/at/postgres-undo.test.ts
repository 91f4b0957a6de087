/** Undo rows on PostgreSQL: who holds a row, and how rows come back. */
import { describe, expect, it } from 'vitest';
import type { Step } from '../../client-sdk/resource/image.ts';
import { describeOn } from '../support/databases.ts';
import {
  branch,
  factsOf,
  freshCatalog,
  openDatabase,
  restore,
  stepBy,
  store,
  transact,
  untilWaiting,
} from './postgres-undo-world.ts';

const schema = `create table t (id int primary key, name text, rank int unique);
  insert into t values (1, 'one', 1), (2, 'two', 2), (3, 'three', 3)`;

const step = (key: number, before: string | null, after: string | null): Step => ({
  table: 'public.t',
  key: `["${key}"]`,
  before: before === null ? null : { id: String(key), name: before, rank: String(key) },
  after: after === null ? null : { id: String(key), name: after, rank: String(key) },
});

await describeOn('postgres', (server) => {
  const open = () => openDatabase(server, schema);
  const undoOf = async (session: Awaited<ReturnType<typeof open>>['session']) =>
    (
      await session.query(
        `select concat_ws(' ', gid, branch_id, row_key, step, position) as row
         from settle_undo order by undo_id`,
      )
    ).rows.map((row) => row['row']);
  const rowsOf = async (session: Awaited<ReturnType<typeof open>>['session'], table = 't') =>
    (await session.query(`select t::text as row from ${table} t order by 1`)).rows.map(
      (row) => row['row'],
    );

  describe('undo rows as locks', () => {
    it('numbers the steps of a row, over branches of one gid too', async () => {
      const { session } = await open();
      const first = [step(1, 'one', 'a'), step(2, 'two', 'b'), step(1, 'a', 'c')];
      expect(await store.insert(session, { gid: 'g', branchId: 1 }, first)).toEqual([]);
      const second = [step(1, 'c', 'd'), step(3, 'x', 'y'), step(1, 'd', 'e')];
      expect(await store.insert(session, { gid: 'g', branchId: 2 }, second)).toEqual([]);
      expect(await undoOf(session)).toEqual([
        'g 1 ["1"] 0 1',
        'g 1 ["2"] 0 2',
        'g 1 ["1"] 1 3',
        'g 2 ["1"] 2 1',
        'g 2 ["3"] 0 2',
        'g 2 ["1"] 3 3',
      ]);
    });

    it('leaves nothing when one row is held, and names who holds it', async () => {
      const { session } = await open();
      await store.insert(session, { gid: 'other', branchId: 1 }, [step(2, 'two', 'b')]);
      const before = await undoOf(session);
      const steps = [step(1, 'one', 'a'), step(2, 'b', 'c'), step(2, 'c', 'd'), step(3, null, 'e')];
      const holders = await transact(session, () =>
        store.insert(session, { gid: 'g', branchId: 1 }, steps),
      );
      expect(holders).toEqual([{ gid: 'other', table: 'public.t', key: '["2"]' }]);
      expect(await undoOf(session)).toEqual(before);
      expect(await store.holders(session, 'g', steps)).toEqual(holders);
      expect(await store.holders(session, 'other', steps)).toEqual([]);
      await store.clear(session, ['nobody']);
      expect(await undoOf(session)).toEqual(before);
      await store.clear(session, ['other', 'nobody']);
      await store.clear(session, ['other']);
      expect(await store.holders(session, 'g', steps)).toEqual([]);
      expect(await store.insert(session, { gid: 'g', branchId: 1 }, steps)).toEqual([]);
      expect(await undoOf(session)).toHaveLength(4);
    });

    it.each(['on', 'off'])(
      'commits unless it is held, with backslash literals: %s',
      async (isOff) => {
        const { session, open: more } = await open();
        const start = await rowsOf(session);
        await session.query(`set standard_conforming_strings to ${isOff}`);
        const own = [`["it's"]`, '["\\\\"]', '["ß 🐘"]', `["\\') or true --"]`].map(
          (key): Step => ({ ...step(1, 'one', 'a'), key }),
        );
        const [quote] = own;
        if (quote === undefined) throw new Error('there is one');
        await store.insert(session, { gid: 'other', branchId: 1 }, own);
        await session.query('begin');
        await session.query(`update t set name = 'a' where id = 1`);
        const holders = await store.commitUnlessHeld(session, 'g', own);
        const held = own.map(({ table, key }) => ({ gid: 'other', table, key }));
        expect(new Set(holders)).toEqual(new Set(held));
        expect(await rowsOf(await more())).toEqual(start);
        expect(await store.commitUnlessHeld(session, 'g', [quote])).toEqual([held[0]]);
        await store.clear(session, ['other']);
        expect(await store.commitUnlessHeld(session, 'g', own)).toEqual([]);
        expect(await rowsOf(await more())).not.toEqual(start);
      },
    );

    it('commits past its own rows, past those of other rows, and where there are none', async () => {
      const { session, open: more } = await open();
      await store.insert(session, { gid: 'g', branchId: 1 }, [step(1, 'one', 'a')]);
      await store.insert(session, { gid: 'other', branchId: 1 }, [step(2, 'two', 'b')]);
      for (const steps of [[step(1, 'one', 'a')], [step(3, null, 'a')], []]) {
        await session.query('begin');
        await session.query(`insert into t (id, name) values (${4 + steps.length}, 'x')`);
        expect(await store.commitUnlessHeld(session, 'g', steps)).toEqual([]);
        await (await more()).query('delete from t where id > 3');
      }
      expect(await store.holders(session, 'g', [step(2, 'two', 'b')])).toHaveLength(1);
    });

    it.each(['commit', 'rollback'])('waits for a holder in flight: %s', async (end) => {
      const { session, open: more } = await open();
      const waiter = await more();
      await session.query('begin');
      await store.insert(session, { gid: 'a', branchId: 1 }, [step(1, 'one', 'a')]);
      const waiting = transact(waiter, () =>
        store.insert(waiter, { gid: 'b', branchId: 1 }, [step(1, 'a', 'b')]),
      );
      await untilWaiting(session, waiter.pid);
      await session.query(end);
      const holder = { gid: 'a', table: 'public.t', key: '["1"]' };
      expect(await waiting).toEqual(end === 'commit' ? [holder] : []);
      expect(await undoOf(session)).toEqual([`${end === 'commit' ? 'a' : 'b'} 1 ["1"] 0 1`]);
    });

    it('waits for one who clears the holder, and follows a branch of its own gid', async () => {
      const { session, open: more } = await open();
      const waiter = await more();
      await store.insert(session, { gid: 'a', branchId: 1 }, [step(1, 'one', 'a')]);
      await session.query('begin');
      await store.clear(session, ['a']);
      await store.insert(session, { gid: 'b', branchId: 1 }, [step(1, 'a', 'b')]);
      const waiting = store.insert(waiter, { gid: 'b', branchId: 2 }, [step(1, 'b', 'c')]);
      await untilWaiting(session, waiter.pid);
      await session.query('commit');
      expect(await waiting).toEqual([]);
      expect(await undoOf(session)).toEqual(['b 1 ["1"] 0 1', 'b 2 ["1"] 1 1']);
    });

    it('takes as many steps as a branch may have', async () => {
      const { session } = await open();
      const steps = Array.from({ length: 4_096 }, (_, i) => step(i, 'a', 'b'));
      expect(await store.insert(session, { gid: 'g', branchId: 1 }, steps)).toEqual([]);
      expect(await store.insert(session, { gid: 'h', branchId: 1 }, steps)).toHaveLength(4_096);
      expect(await store.insert(session, { gid: 'h', branchId: 1 }, [])).toEqual([]);
      expect(await store.holders(session, 'h', [])).toEqual([]);
      await store.clear(session, []);
      expect(await undoOf(session)).toHaveLength(4_096);
    });
  });

  describe('rows that come back', () => {
    it('undoes inserts, updates, deletes and locks, and several steps of one row', async () => {
      const { session } = await open();
      const start = await rowsOf(session);
      await branch(session, { gid: 'g', branchId: 1 }, async () => [
        ...(await stepBy(session, 't', {
          where: 'id = 1',
          change: `update t set name = 'x' where id = 1`,
        })),
        ...(await stepBy(session, 't', { where: 'id = 2', change: 'select 1' })),
        ...(await stepBy(session, 't', { where: 'id = 1', change: 'delete from t where id = 1' })),
        ...(await stepBy(session, 't', {
          where: 'id in (1, 9)',
          change: `insert into t values (9, 'nine', 1), (1, null, 9)`,
        })),
      ]);
      await branch(session, { gid: 'g', branchId: 2 }, () =>
        stepBy(session, 't', {
          where: 'id in (1, 3)',
          change: 'update t set rank = -rank where id in (1, 3)',
        }),
      );
      await branch(session, { gid: 'kept', branchId: 1 }, () =>
        stepBy(session, 't', { where: 'id = 20', change: `insert into t values (20, 'k', 20)` }),
      );
      expect(await restore(session, 'g')).toEqual({ kind: 'restored', rows: 7 });
      expect(await rowsOf(session)).toEqual([...start, '(20,k,20)'].sort());
      expect(await restore(session, 'g')).toEqual({ kind: 'restored', rows: 0 });
      expect(await undoOf(session)).toEqual(['kept 1 ["20"] 0 1']);
    });

    it('swaps unique values back, and parents come before their children', async () => {
      const { session } = await openDatabase(
        server,
        `${schema};
         create table child (id int primary key, parent int references t);
         create table late (id int primary key, spot int unique deferrable);
         insert into child values (1, 1), (2, 1); insert into late values (1, 1), (2, 2), (3, 3)`,
      );
      const start = [
        await rowsOf(session),
        await rowsOf(session, 'child'),
        await rowsOf(session, 'late'),
      ];
      const one = (table: string, where: string, change: string) =>
        stepBy(session, table, { where, change });
      await branch(session, { gid: 'g', branchId: 1 }, async () => [
        ...(await one('t', 'id = 1', 'update t set rank = 0 where id = 1')),
        ...(await one('t', 'id = 2', 'update t set rank = 1 where id = 2')),
        ...(await one('t', 'id = 1', 'update t set rank = 2 where id = 1')),
        ...(await one('child', 'id = 1', 'delete from child where id = 1')),
        ...(await one('child', 'id = 2', 'delete from child where id = 2')),
        ...(await one('t', 'id = 1', 'delete from t where id = 1')),
        ...(await one('t', 'id = 7', `insert into t values (7, 'p', 2)`)),
        ...(await one('child', 'id = 7', 'insert into child values (7, 7)')),
        ...(await one('late', 'true', 'update late set spot = spot % 3 + 1')),
      ]);
      expect(await restore(session, 'g')).toEqual({ kind: 'restored', rows: 11 });
      expect([
        await rowsOf(session),
        await rowsOf(session, 'child'),
        await rowsOf(session, 'late'),
      ]).toEqual(start);
    });

    it.each([
      ['changed', `update t set name = 'z' where id = 1`, 'somebody else changed it', '(1,z,1)'],
      ['deleted', 'delete from t where id = 1', 'somebody else deleted it', null],
      [
        'with a new column',
        'alter table t add extra int',
        'its table has got a column extra since',
        '(1,x,1,)',
      ],
      [
        'without a column',
        'alter table t drop rank',
        'its table has no column rank any more',
        '(1,x)',
      ],
      ['without its table', 'drop table t', 'its table is gone', null],
      [
        'with another key',
        'alter table t drop constraint t_pkey, add primary key (name)',
        'its table has got another primary key since',
        '(1,x,1)',
      ],
      [
        'without a key',
        'alter table t drop constraint t_pkey',
        'of its table: it has no primary key',
        '(1,x,1)',
      ],
      [
        'with a trigger',
        `create function f() returns trigger language plpgsql as 'begin return new; end';
         create trigger tr before update on t for each row execute function f()`,
        'trigger tr has come since and may change other rows',
        '(1,x,1)',
      ],
    ])('leaves a row that is %s', async (_, meddle, why, current) => {
      const { session } = await open();
      await branch(session, { gid: 'g', branchId: 1 }, async () => [
        ...(await stepBy(session, 't', { where: 'id = 3', change: 'delete from t where id = 3' })),
        ...(await stepBy(session, 't', {
          where: 'id = 1',
          change: `update t set name = 'x' where id = 1`,
        })),
      ]);
      await session.query(meddle);
      expect(await restore(session, 'g')).toMatchObject({
        kind: 'dirty',
        row: {
          table: 'public.t',
          key: '["1"]',
          before: { id: '1', name: 'one', rank: '1' },
          after: { id: '1', name: 'x', rank: '1' },
          why,
        },
      });
      expect(await undoOf(session)).toHaveLength(2);
      if (meddle === 'drop table t') return;
      const rows = await rowsOf(session);
      expect(rows.filter((row) => String(row).startsWith('(3'))).toEqual([]);
      expect(rows.filter((row) => String(row).startsWith('(1'))).toEqual(
        current === null ? [] : [current],
      );
    });

    it('leaves a row that was deleted and came again, and shows it', async () => {
      const { session } = await open();
      await branch(session, { gid: 'g', branchId: 1 }, () =>
        stepBy(session, 't', { where: 'id = 1', change: 'delete from t where id = 1' }),
      );
      await session.query(`insert into t values (1, 'new', 1)`);
      const restored = await restore(session, 'g');
      expect(restored).toMatchObject({
        kind: 'dirty',
        row: { after: null, current: { name: 'new' }, why: 'somebody else inserted it again' },
      });
    });

    it('does not delete a row that others refer to by now, when they would go with it', async () => {
      const { session, open: more } = await openDatabase(
        server,
        `create table "Parent" (id int primary key, up int references "Parent" on delete cascade);
         create table child (id int primary key, parent int references "Parent" on delete set null)`,
      );
      const other = await more();
      const insert = { where: 'id = 1', change: 'insert into "Parent" values (1, 1)' };
      await branch(session, { gid: 'g', branchId: 1 }, () => stepBy(session, 'Parent', insert));
      await other.query('begin; insert into child values (1, 1)');
      const restoring = restore(session, 'g');
      await untilWaiting(other, session.pid);
      await other.query('commit');
      expect(await restoring).toMatchObject({
        kind: 'dirty',
        row: { why: expect.stringContaining('foreign key child_parent_fkey (on delete set null)') },
      });
      await other.query('delete from child');
      expect(await restore(session, 'g')).toEqual({ kind: 'restored', rows: 1 });
      expect(await rowsOf(session, '"Parent"')).toEqual([]);
    });

    it('takes what somebody has put back already for restored', async () => {
      const { session } = await open();
      const start = await rowsOf(session);
      const both = async () => [
        ...(await stepBy(session, 't', {
          where: 'true',
          change: `update t set name = 'x'`,
        })),
        ...(await stepBy(session, 't', {
          where: 'true',
          change: `update t set name = 'y' where id <> 2; delete from t where id = 2`,
        })),
        ...(await stepBy(session, 't', { where: 'id = 9', change: 'insert into t values (9)' })),
      ];
      await branch(session, { gid: 'g', branchId: 1 }, both);
      await session.query(`update t set name = 'one' where id = 1;
        insert into t values (2, 'two', 2); update t set name = 'x' where id = 3;
        delete from t where id = 9`);
      expect(await restore(session, 'g')).toEqual({ kind: 'restored', rows: 7 });
      expect(await rowsOf(session)).toEqual(start);
    });

    it('throws when another row has taken a unique value, and nothing is written', async () => {
      const { session } = await open();
      await branch(session, { gid: 'g', branchId: 1 }, () =>
        stepBy(session, 't', { where: 'id = 1', change: 'delete from t where id = 1' }),
      );
      await session.query(`insert into t values (5, 'thief', 1)`);
      await expect(restore(session, 'g')).rejects.toMatchObject({ code: '23505' });
      expect(await undoOf(session)).toHaveLength(1);
    });

    it('looks at no row that was only locked', async () => {
      const { session } = await open();
      await branch(session, { gid: 'g', branchId: 1 }, () =>
        stepBy(session, 't', { where: 'id = 1', change: 'select 1' }),
      );
      await session.query('delete from t');
      expect(await restore(session, 'g')).toEqual({ kind: 'restored', rows: 1 });
    });

    it('is done once when two ask at once', async () => {
      const { session, open: more } = await open();
      const other = await more();
      await branch(session, { gid: 'g', branchId: 1 }, () =>
        stepBy(session, 't', { where: 'true', change: `update t set name = name || '!'` }),
      );
      const first = await transact(session, async () => {
        const restored = await store.restore(session, 'g');
        const second = restore(other, 'g');
        await untilWaiting(session, other.pid);
        return { restored, second };
      });
      expect(first.restored).toEqual({ kind: 'restored', rows: 3 });
      expect(await first.second).toEqual({ kind: 'restored', rows: 0 });
      expect(await rowsOf(session)).toEqual(['(1,one,1)', '(2,two,2)', '(3,three,3)']);
    });

    it('waits for a writer in flight, and then sees what he wrote', async () => {
      const { session, open: more } = await open();
      const writer = await more();
      await branch(session, { gid: 'g', branchId: 1 }, () =>
        stepBy(session, 't', { where: 'id = 1', change: `update t set name = 'x' where id = 1` }),
      );
      await writer.query(`begin; update t set rank = 100 where id = 1`);
      const restoring = restore(session, 'g');
      await untilWaiting(writer, session.pid);
      await writer.query('commit');
      expect(await restoring).toMatchObject({
        kind: 'dirty',
        row: { current: { id: '1', name: 'x', rank: '100' }, why: 'somebody else changed it' },
      });
    });

    it('takes no branch of its own gid, committed while it waited, for somebody else', async () => {
      const { session, open: more } = await open();
      const before = await rowsOf(session);
      const other = await more();
      const rename = (name: string) => ({
        where: 'id = 1',
        change: `update t set name = '${name}' where id = 1`,
      });
      await branch(session, { gid: 'g', branchId: 1 }, () => stepBy(session, 't', rename('x')));
      await other.query('begin');
      const steps = await stepBy(other, 't', rename('y'));
      await store.insert(other, { gid: 'g', branchId: 2 }, steps);
      const restoring = expect(restore(session, 'g')).rejects.toThrow('has just committed');
      await untilWaiting(other, session.pid);
      await other.query('commit');
      await restoring;
      expect(await restore(session, 'g')).toEqual({ kind: 'restored', rows: 2 });
      expect(await rowsOf(session)).toEqual(before);
    });

    it.each(['public', 'public, ext'])('puts a key back into its case: path %s', async (path) => {
      const { session } = await openDatabase(
        server,
        `create schema ext; create extension citext schema ext;
         create table c (id ext.citext primary key, a int); insert into c values ('Ab', 1), ('b', 2);
         set search_path to ${path}`,
      );
      await branch(session, { gid: 'g', branchId: 1 }, async () => [
        ...(await stepBy(session, 'c', {
          where: 'a in (1, 3)',
          change: `update c set id = 'AB', a = 3 where a = 1`,
        })),
        ...(await stepBy(session, 'c', { where: 'true', change: 'delete from c where a = 3' })),
        ...(await stepBy(session, 'c', {
          where: 'true',
          change: `insert into c values ('aB', 3)`,
        })),
      ]);
      expect(await restore(session, 'g')).toMatchObject({ kind: 'restored' });
      expect(await rowsOf(session, 'c')).toEqual(['(Ab,1)', '(b,2)']);
    });

    it('does not delete a row when others that refer to it are hidden', async () => {
      const { session } = await openDatabase(
        server,
        `create table p (id int primary key); create table c (p int references p on delete cascade);
         alter table c enable row level security; create role blind_${process.pid};
         grant all on p, c, settle_undo to blind_${process.pid}`,
      );
      await session.query(`set role blind_${process.pid}`);
      await branch(session, { gid: 'g', branchId: 1 }, () =>
        stepBy(session, 'p', { where: 'id = 1', change: 'insert into p values (1)' }),
      );
      const restored = await restore(session, 'g');
      await session.query(`reset role; drop owned by blind_${process.pid};
        drop role blind_${process.pid}`);
      expect(restored).toMatchObject({
        kind: 'dirty',
        row: { why: 'row security hides rows of public.c that refer to it' },
      });
    });

    it('knows a table by its own name, whatever the search path of the session', async () => {
      const { session } = await openDatabase(
        server,
        `create schema "A.b"; create schema b; create table "A.b"."T (x" (id int primary key, a int);
         create table b."T (x" (id int primary key, a int);
         insert into "A.b"."T (x" values (1, 1); insert into b."T (x" values (1, 1);
         set search_path to public, "A.b"`,
      );
      const facts = await factsOf(session, 'T (x');
      expect(facts.id).toBe('"A.b"."T (x"');
      const change = { where: 'id = 1', change: 'update "T (x" set a = 2' };
      await branch(session, { gid: 'g', branchId: 1 }, () => stepBy(session, 'T (x', change));
      await session.query('set search_path to public, b');
      expect(await restore(session, 'g')).toEqual({ kind: 'restored', rows: 1 });
      expect(await rowsOf(session, '"A.b"."T (x"')).toEqual(['(1,1)']);
      const kept = freshCatalog();
      expect((await kept.factsOf(session, { schema: null, name: 'T (x' })).id).toBe('b."T (x"');
    });
  });
});
