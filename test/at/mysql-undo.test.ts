/** Undo rows on MySQL: who holds a row, how rows come back, and the barrier of phase one. */
import { describe, expect, it } from 'vitest';
import type { Session } from '../../client-sdk/resource/facts.ts';
import type { Step } from '../../client-sdk/resource/image.ts';
import { createMysqlDialect } from '../../client-sdk/resource/mysql/dialect.ts';
import { describeOn } from '../support/databases.ts';
import {
  branch,
  openDatabase,
  restore,
  stepBy,
  store,
  transact,
  untilWaiting,
} from './mysql-undo-world.ts';

const schema = [
  'create table t (id int primary key, name varchar(20), `rank` int unique)',
  `insert into t values (1, 'one', 1), (2, 'two', 2), (3, 'three', 3)`,
];

const step = (key: number, before: string | null, after: string | null): Step => ({
  table: '`db`.`t`',
  key: `["${key}"]`,
  before: before === null ? null : { id: String(key), name: before },
  after: after === null ? null : { id: String(key), name: after },
});

const unused = () => Promise.reject(new Error('not asked here'));
const { barrier, isLockTimeout } = createMysqlDialect(() => 0, { analyze: unused, write: unused });

await describeOn('mysql', (server) => {
  const open = () => openDatabase(server, schema);
  const textsOf = async (session: Session, query: string) =>
    (await session.query(query)).rows.map((row) => row['row']);
  const undoOf = (session: Session) =>
    textsOf(
      session,
      `select concat_ws(' ', gid, branch_id, row_key, step, position) as row
        from settle_undo order by undo_id`,
    );
  const rowsOf = (session: Session, table = 't') =>
    textsOf(session, `select concat_ws(',', id, name, \`rank\`) as row from ${table} order by id`);

  describe('undo rows as locks', () => {
    it('numbers the steps of a row, over branches of one gid too', async () => {
      const { session } = await open();
      const first = [step(1, 'one', 'a'), step(2, 'two', "b'\\"), step(1, 'a', 'c')];
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
      const long = 'x'.repeat(1_500_000);
      const steps = [step(1, long, 'a'), step(3, null, long), step(2, 'b', 'c'), step(2, 'c', 'd')];
      const holders = await transact(session, () =>
        store.insert(session, { gid: 'g', branchId: 1 }, steps),
      );
      expect(holders).toEqual([{ gid: 'other', table: '`db`.`t`', key: '["2"]' }]);
      expect(await undoOf(session)).toEqual(before);
      expect(await store.holders(session, 'g', steps)).toEqual(holders);
      expect(await store.holders(session, 'other', steps)).toEqual([]);
      await store.clear(session, ['other', 'nobody']);
      await store.clear(session, ['other']);
      await store.clear(session, []);
      expect(await store.holders(session, 'g', steps)).toEqual([]);
      expect(await store.insert(session, { gid: 'g', branchId: 1 }, steps)).toEqual([]);
      expect(await undoOf(session)).toHaveLength(4);
    });

    it.each(['commit', 'rollback'])('waits for a holder in flight: %s', async (end) => {
      const { session, pool, open: more } = await open();
      const waiter = await more();
      await session.query('begin');
      await store.insert(session, { gid: 'a', branchId: 1 }, [step(1, 'one', 'a')]);
      const waiting = transact(waiter, () =>
        store.insert(waiter, { gid: 'b', branchId: 1 }, [step(1, 'a', 'b')]),
      );
      await untilWaiting(pool);
      await session.query(end);
      const holder = { gid: 'a', table: '`db`.`t`', key: '["1"]' };
      expect(await waiting).toEqual(end === 'commit' ? [holder] : []);
      expect(await undoOf(session)).toEqual([`${end === 'commit' ? 'a' : 'b'} 1 ["1"] 0 1`]);
    });

    it('meets who clears the same holder, without a deadlock', async () => {
      const { session, pool, open: more } = await open();
      const clearing = await more();
      await store.insert(session, { gid: 'a', branchId: 1 }, [step(1, 'one', 'a')]);
      await session.query('begin');
      const steps = [step(1, 'a', 'b')];
      expect(await store.insert(session, { gid: 'b', branchId: 1 }, steps)).toHaveLength(1);
      // The holder is decided: the coordinator tells both of them.
      const cleared = store.clear(clearing, ['a']);
      await untilWaiting(pool);
      await store.clear(session, ['a']);
      expect(await store.insert(session, { gid: 'b', branchId: 1 }, steps)).toEqual([]);
      await session.query('commit');
      await cleared;
      expect(await undoOf(session)).toEqual(['b 1 ["1"] 0 1']);
    });

    it('takes as many steps as a branch may have', async () => {
      const { session } = await open();
      const steps = Array.from({ length: 4_096 }, (_, i) => step(i, 'a', 'b'));
      expect(await store.insert(session, { gid: 'g', branchId: 1 }, steps)).toEqual([]);
      expect(await store.insert(session, { gid: 'h', branchId: 1 }, steps)).toHaveLength(4_096);
      expect(await store.insert(session, { gid: 'h', branchId: 1 }, [])).toEqual([]);
      expect(await store.holders(session, 'h', [])).toEqual([]);
      await store.clear(session, ['g']);
      expect(await undoOf(session)).toEqual([]);
    });
  });

  describe('rows that come back', () => {
    it('undoes inserts, updates, deletes and locks, and several steps of one row', async () => {
      const { session } = await open();
      const start = await rowsOf(session);
      const one = (where: string, change: string) => stepBy(session, 't', { where, change });
      await branch(session, { gid: 'g', branchId: 1 }, async () => [
        ...(await one('id = 1', `update t set name = 'x' where id = 1`)),
        ...(await one('id = 2', 'select 1 as one')),
        ...(await one('id = 1', 'delete from t where id = 1')),
        ...(await one('id in (1, 9)', `insert into t values (9, 'nine', 1), (1, null, 9)`)),
      ]);
      await branch(session, { gid: 'g', branchId: 2 }, () =>
        one('id in (1, 3)', 'update t set `rank` = -`rank` where id in (1, 3)'),
      );
      await branch(session, { gid: 'kept', branchId: 1 }, () =>
        one('id = 20', `insert into t values (20, 'k', 20)`),
      );
      expect(await restore(session, 'g')).toEqual({ kind: 'restored', rows: 7 });
      expect(await rowsOf(session)).toEqual([...start, '20,k,20']);
      expect(await restore(session, 'g')).toEqual({ kind: 'restored', rows: 0 });
      expect(await undoOf(session)).toEqual(['kept 1 ["20"] 0 1']);
    });

    it('swaps unique values back, and parents come before their children', async () => {
      const { session } = await openDatabase(server, [
        ...schema,
        `create table child (id int primary key, name int, \`rank\` int,
          foreign key (name) references t (id))`,
        'create table tree (id int primary key, name varchar(9), `rank` int unique references tree (id))',
        'insert into child values (1, 1, 0), (2, 1, 0)',
        'insert into tree values (1, null, null), (2, null, 1), (3, null, 2)',
      ]);
      const start = [
        await rowsOf(session),
        await rowsOf(session, 'child'),
        await rowsOf(session, 'tree'),
      ];
      const one = (table: string, where: string, change: string) =>
        stepBy(session, table, { where, change });
      await branch(session, { gid: 'g', branchId: 1 }, async () => [
        ...(await one('t', 'id = 1', 'update t set `rank` = 0 where id = 1')),
        ...(await one('t', 'id = 2', 'update t set `rank` = 1 where id = 2')),
        ...(await one('t', 'id = 1', 'update t set `rank` = 2 where id = 1')),
        ...(await one('child', 'id = 1', 'delete from child where id = 1')),
        ...(await one('child', 'id = 2', 'delete from child where id = 2')),
        ...(await one('t', 'id = 1', 'delete from t where id = 1')),
        ...(await one('t', 'id = 7', `insert into t values (7, 'p', 2)`)),
        ...(await one('child', 'id = 7', 'insert into child values (7, 7, 0)')),
        // The order in which these went is not that of their images.
        ...(await one('t', 'true', 'update t set `rank` = `rank` + 1 order by `rank` desc')),
        ...(await one('tree', 'true', 'delete from tree order by id desc')),
      ]);
      expect(await restore(session, 'g')).toMatchObject({ kind: 'restored' });
      expect([
        await rowsOf(session),
        await rowsOf(session, 'child'),
        await rowsOf(session, 'tree'),
      ]).toEqual(start);
    });

    it.each([
      ['changed', `update t set name = 'z' where id = 1`, 'somebody else changed it'],
      ['deleted', 'delete from t where id = 1', 'somebody else deleted it'],
      [
        'with a new column',
        'alter table t add extra int',
        'its table has got a column extra since',
      ],
      ['without a column', 'alter table t drop `rank`', 'its table has no column rank any more'],
      ['without its table', 'drop table t', 'its table is gone'],
      [
        'with another key',
        'alter table t drop primary key, add primary key (name)',
        'its table has got another primary key since',
      ],
      ['without a key', 'alter table t drop primary key', 'of its table: it has no primary key'],
      [
        'with a trigger',
        'create trigger tr before update on t for each row set new.name = 1',
        'trigger tr has come since and may change other rows',
      ],
    ])('leaves a row that is %s', async (_, meddle, why) => {
      const { session, database } = await open();
      const one = (where: string, change: string) => stepBy(session, 't', { where, change });
      await branch(session, { gid: 'g', branchId: 1 }, async () => [
        ...(await one('id = 3', 'delete from t where id = 3')),
        ...(await one('id = 1', `update t set name = 'x' where id = 1`)),
      ]);
      await session.query(meddle);
      const before = { id: '1', name: '6F6E65', rank: '1' };
      expect(await restore(session, 'g')).toMatchObject({
        kind: 'dirty',
        row: {
          ...{ table: `\`${database}\`.\`t\``, key: '["1"]' },
          ...{ before, after: { ...before, name: '78' }, why },
        },
      });
      expect(await undoOf(session)).toHaveLength(2);
      if (meddle === 'drop table t') return;
      expect(await textsOf(session, 'select id as row from t where id = 3')).toEqual([]);
    });

    it('leaves a row that was deleted and came again, and throws for a thief of a unique value', async () => {
      const { session } = await open();
      await branch(session, { gid: 'g', branchId: 1 }, () =>
        stepBy(session, 't', { where: 'id = 1', change: 'delete from t where id = 1' }),
      );
      await session.query(`insert into t values (1, 'new', 1)`);
      expect(await restore(session, 'g')).toMatchObject({
        kind: 'dirty',
        row: { after: null, current: { name: '6E6577' }, why: 'somebody else inserted it again' },
      });
      await session.query('update t set id = 5 where id = 1');
      await expect(restore(session, 'g')).rejects.toMatchObject({ errno: 1062 });
      expect(await undoOf(session)).toHaveLength(1);
    });

    it('takes no branch of its own gid, committed while it waited, for somebody else', async () => {
      const { session, pool, open: more } = await open();
      const rows = () => textsOf(session, 'select name as row from t order by id');
      const before = await rows();
      const other = await more();
      const rename = (name: string) => ({
        where: 'id = 1',
        change: `update t set name = '${name}' where id = 1`,
      });
      await branch(session, { gid: 'g', branchId: 1 }, () => stepBy(session, 't', rename('x')));
      await other.query('begin');
      const steps = await stepBy(other, 't', rename('y'));
      await store.insert(other, { gid: 'g', branchId: 2 }, steps);
      const restoring = restore(session, 'g');
      await untilWaiting(pool);
      await other.query('commit');
      // Here undo rows are waited for before data rows are, so both steps are seen at once.
      expect(await restoring).toEqual({ kind: 'restored', rows: 2 });
      expect(await rows()).toEqual(before);
    });

    it('does not delete a row that others refer to by now, when they would go with it', async () => {
      const {
        session,
        pool,
        open: more,
      } = await openDatabase(server, [
        'create table p (id int primary key, up int, foreign key (up) references p (id) on delete cascade)',
        'create table c (id int primary key, p int, foreign key fk (p) references p (id) on delete set null)',
      ]);
      const other = await more();
      await branch(session, { gid: 'g', branchId: 1 }, () =>
        stepBy(session, 'p', { where: 'id = 1', change: 'insert into p values (1, 1)' }),
      );
      await other.query('begin');
      await other.query('insert into c values (1, 1)');
      const restoring = restore(session, 'g');
      await untilWaiting(pool);
      await other.query('commit');
      expect(await restoring).toMatchObject({
        kind: 'dirty',
        row: {
          why: expect.stringMatching(/^others refer to it: foreign key .* \(on delete set null\)$/),
        },
      });
      await other.query('delete from c');
      expect(await restore(session, 'g')).toEqual({ kind: 'restored', rows: 1 });
      expect((await session.query('select id from p')).count).toBe(0);
    });

    it.each([
      ['varchar(9) collate utf8mb4_general_ci', `('a', 'A', 0), ('b', 'b', 0), ('c', 'B', 0)`],
      ['year', '(2155, 2155, 0), (1901, 1901, 0), (0, 1901, 0)'],
    ])('deletes a %s that refers to itself, as soon as no other one does', async (type, rows) => {
      const { session } = await openDatabase(server, [
        `create table p (id ${type} primary key, up ${type} not null, n int,
          foreign key (up) references p (id))`,
        `create table c (id int primary key, p ${type}, foreign key (p) references p (id))`,
      ]);
      await branch(session, { gid: 'g', branchId: 1 }, () =>
        stepBy(session, 'p', { where: 'n = 0', change: `insert into p values ${rows}` }),
      );
      await session.query('insert into c select 1, min(up) from p');
      await expect(restore(session, 'g')).rejects.toMatchObject({ errno: 1451 });
      expect((await session.query('select id from p')).count).toBe(3);
      await session.query('delete from c');
      expect(await restore(session, 'g')).toEqual({ kind: 'restored', rows: 3 });
      expect((await session.query('select id from p')).count).toBe(0);
      const checks = await session.query('select @@foreign_key_checks as checks');
      expect(Number(checks.rows[0]?.['checks'])).toBe(1);
    });

    it('is done once when two ask at once, and puts a key back into its case', async () => {
      const {
        session,
        pool,
        open: more,
      } = await openDatabase(server, [
        'create table t (id varchar(9) primary key, name int, `rank` int) collate utf8mb4_general_ci',
        `insert into t values ('Ab', 1, 1), ('b ', 2, 2)`,
      ]);
      const other = await more();
      const start = await rowsOf(session);
      await branch(session, { gid: 'g', branchId: 1 }, async () => [
        ...(await stepBy(session, 't', { where: 'true', change: `update t set id = upper(id)` })),
        ...(await stepBy(session, 't', { where: 'true', change: 'delete from t' })),
        ...(await stepBy(session, 't', {
          where: 'true',
          change: `insert into t values ('aB ', 3, 3)`,
        })),
      ]);
      const first = await transact(session, async () => {
        const restored = await store.restore(session, 'g');
        const second = restore(other, 'g');
        await untilWaiting(pool);
        return { restored, second };
      });
      expect(first.restored).toEqual({ kind: 'restored', rows: 5 });
      expect(await first.second).toEqual({ kind: 'restored', rows: 0 });
      expect(await rowsOf(session)).toEqual(start);
    });

    it('waits for a writer in flight, and then sees what he wrote', async () => {
      const { session, pool, open: more } = await open();
      const writer = await more();
      await branch(session, { gid: 'g', branchId: 1 }, () =>
        stepBy(session, 't', { where: 'id = 1', change: `update t set name = 'x' where id = 1` }),
      );
      await writer.query('begin');
      await writer.query('update t set `rank` = 100 where id = 1');
      const restoring = restore(session, 'g');
      await untilWaiting(pool);
      await writer.query('commit');
      expect(await restoring).toMatchObject({
        kind: 'dirty',
        row: { current: { id: '1', name: '78', rank: '100' }, why: 'somebody else changed it' },
      });
    });
  });

  describe('the barrier of a branch', () => {
    const key = { gid: '0198c0de-0000-7000-8000-000000000001', branchId: 1 };

    it('blocked first: the local commit fails, with all before it', async () => {
      const { session } = await open();
      expect(await transact(session, () => barrier.block(session, key))).toBe('blocked');
      await session.query('begin');
      await session.query('delete from t');
      const commit = expect(barrier.commitPhaseOne(session, key)).rejects;
      await commit.toMatchObject({ code: 'ALREADY_ROLLED_BACK' });
      await session.query('rollback');
      expect(await rowsOf(session)).toHaveLength(3);
      expect(await transact(session, () => barrier.block(session, key))).toBe('blocked');
    });

    it('committed first: it says so, and the rollback is marked once', async () => {
      const { session } = await open();
      await session.query('begin');
      await barrier.commitPhaseOne(session, key);
      expect(await transact(session, () => barrier.block(session, key))).toBe('committed');
      expect(await transact(session, () => barrier.markRolledBack(session, key))).toBe(true);
      expect(await transact(session, () => barrier.markRolledBack(session, key))).toBe(false);
    });

    it('in flight: it waits, for a commit and for a rollback', async () => {
      const { session, pool, open: more } = await open();
      const other = await more();
      for (const [branchId, end] of [
        [2, 'commit'],
        [3, 'rollback'],
      ] as const) {
        const one = { ...key, branchId };
        await session.query('begin');
        await session.query(`insert into settle_barrier (gid, branch_id, operation, state, created_at_ms)
          values ('${one.gid}', ${branchId}, 'prepare', 'done', 1)`);
        const asked = transact(other, () => barrier.block(other, one));
        await untilWaiting(pool);
        await session.query(end);
        expect(await asked).toBe(end === 'commit' ? 'committed' : 'blocked');
      }
    });

    it('knows a wait that was ended', async () => {
      const { session, open: more } = await open();
      const other = await more();
      await session.query('begin');
      await session.query('update t set name = null');
      await other.query('set @@session.innodb_lock_wait_timeout = 0');
      const failed = await other.query('delete from t').catch((error: unknown) => error);
      expect(isLockTimeout(failed)).toBe(true);
      await session.query('rollback');
      expect(isLockTimeout(new Error('x'))).toBe(false);
    });
  });
});
