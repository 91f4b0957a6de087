/**
 * The end of a local transaction on MariaDB in one compound: all of it is committed, or nothing,
 * whatever stops it in the middle.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { isWordOfDatabase } from '../../client-sdk/resource/database-error.ts';
import type { Session } from '../../client-sdk/resource/facts.ts';
import type { Step } from '../../client-sdk/resource/image.ts';
import { barrierOn } from '../../client-sdk/resource/mysql/barrier.ts';
import { Compounds } from '../../client-sdk/resource/mysql/compound.ts';
import { commitAtOnceOn } from '../../client-sdk/resource/mysql/endings.ts';
import { describeOn } from '../support/databases.ts';
import {
  compounds,
  openDatabase,
  store,
  type TestSession,
  untilWaiting,
} from './mysql-undo-world.ts';

const barrier = barrierOn(compounds);
const commitAtOnce = commitAtOnceOn(compounds);
const schema = [
  'create table t (id int primary key, n int)',
  'insert into t values (1, 0), (2, 0)',
];
const branch = { gid: 'g', branchId: 1 };
const row = { table: '`db`.`t`', key: '["1"]' };
const step: Step = { ...row, before: { id: '1', n: '0' }, after: { id: '1', n: '7' } };

await describeOn('mysql', (server) => {
  describe('undo rows, barrier row and commit as one', () => {
    let other: TestSession;
    let begun: TestSession;
    let pool: Awaited<ReturnType<typeof openDatabase>>['pool'];
    let open: (odd?: string) => Promise<TestSession>;

    /** `begun` has changed a row in a local transaction; `other` sees what is committed. */
    beforeEach(async (context) => {
      const database = await openDatabase(server, schema);
      ({ session: other, open, pool } = database);
      // MySQL has no compounds: there each goes by itself, and `false` says so.
      if (!compounds.areThere) {
        expect(await commitAtOnce(other, branch, [step])).toBe(false);
        context.skip();
      }
      begun = await open();
      await change(begun);
    });

    const change = async (session: Session) => {
      await session.query('start transaction');
      await session.query('update t set n = 7 where id = 1');
    };
    const committed = () =>
      textsOf(
        other,
        `select concat('t ', id, ' ', n) as row from t where n <> 0
         union all select concat('undo ', gid, ' ', row_key) from settle_undo
         union all select concat('barrier ', gid, ' ', operation, ' ', state) from settle_barrier`,
      );
    const isOpen = async () => (await textsOf(begun, 'select @@in_transaction as row'))[0] === 1;
    const held = () => store.insert(other, { gid: 'other', branchId: 1 }, [step]);
    /** Somebody inserts a row on the same place, and has not decided yet. */
    const holding = async () => {
      await other.query('start transaction');
      await held();
      const ending = commitAtOnce(begun, branch, [step]);
      ending.catch(() => undefined);
      await untilWaiting(pool);
      return { ending };
    };
    const all = ['t 1 7', 'undo g ["1"]', 'barrier g prepare done'];

    it('is committed', async () => {
      expect(await commitAtOnce(begun, branch, [step])).toBe(true);
      expect(await committed()).toEqual(all);
    });

    it('a row that is taken keeps the local transaction as it was', async () => {
      await held();
      expect(await commitAtOnce(begun, branch, [step])).toBe(false);
      expect(await committed()).toEqual(['undo other ["1"]']);
      expect(await isOpen()).toBe(true);
      // What is in the way is locked by who has met it.
      await store.clear(begun, ['other']);
      expect(await commitAtOnce(begun, branch, [step])).toBe(true);
      expect(await committed()).toEqual(all);
    });

    it('a rollback that came before leaves nothing to commit', async () => {
      expect(await barrier.block(other, branch)).toBe('blocked');
      const ending = commitAtOnce(begun, branch, [step]);
      await expect(ending).rejects.toMatchObject({ code: 'ALREADY_ROLLED_BACK' });
      await begun.query('rollback');
      expect(await committed()).toEqual(['barrier g prepare blocked']);
    });

    it('behind undo rows of its own: the row and the commit are one, or neither', async () => {
      expect(await store.insert(begun, branch, [step])).toEqual([]);
      await barrier.commitPhaseOne(begun, branch);
      expect(await committed()).toEqual(all);
      expect(await isOpen()).toBe(false);
      const late = { gid: 'late', branchId: 1 };
      expect(await barrier.block(other, late)).toBe('blocked');
      await begun.query('start transaction');
      await begun.query('update t set n = 9 where id = 1');
      const ending = barrier.commitPhaseOne(begun, late);
      await expect(ending).rejects.toMatchObject({ code: 'ALREADY_ROLLED_BACK' });
      expect(await isOpen()).toBe(true);
      await begun.query('rollback');
      expect(await committed()).toEqual([...all, 'barrier late prepare blocked']);
    });

    it('waits for who inserts the same place, and commits when he is gone', async () => {
      const { ending } = await holding();
      await other.query('rollback');
      expect(await ending).toBe(true);
      expect(await committed()).toEqual(all);
    });

    it('more than one text holds goes another way', async () => {
      const long = { ...step, before: { id: '1', n: 'x'.repeat(1_500_000) } };
      expect(await commitAtOnce(begun, branch, [long, long])).toBe(false);
      expect(await isOpen()).toBe(true);
      expect(await committed()).toEqual([]);
    });

    describe('alone, with a look for others', () => {
      const commitAlone = () => store.commitUnlessHeld(begun, 'g', [row]);

      it('is committed when there are none, and stands when there are', async () => {
        await held();
        expect(await commitAlone()).toMatchObject([{ gid: 'other', key: row.key }]);
        expect(await isOpen()).toBe(true);
        await store.clear(other, ['other']);
        expect(await commitAlone()).toEqual([]);
        expect(await committed()).toEqual(['t 1 7']);
      });

      it('an error before the commit is the word of the database', async () => {
        await other.query('rename table settle_undo to away');
        await expect(commitAlone()).rejects.toSatisfy(isWordOfDatabase);
        expect(await isOpen()).toBe(true);
        await other.query('rename table away to settle_undo');
        expect(await committed()).toEqual([]);
      });

      it('an error behind the commit is not: it says nothing of what became of it', async () => {
        await begun.query("set @settle_innodb_lock_wait_timeout = 'none'");
        await expect(commitAlone()).rejects.not.toSatisfy(isWordOfDatabase);
        expect(await committed()).toEqual(['t 1 7']);
      });
    });

    describe('stopped while it waits: nothing is committed', () => {
      it('by a deadlock, which ends the transaction', async () => {
        // The one that has written less is the one that ends.
        const many = Array.from({ length: 50 }, (_, i) => `(${i + 10}, 0)`).join();
        await other.query('start transaction');
        await other.query(`insert into t values ${many}`);
        await held();
        const ending = commitAtOnce(begun, branch, [step]);
        const ended = expect(ending).rejects.toMatchObject({ errno: 1213 });
        await untilWaiting(pool);
        await other.query('update t set n = 1 where id = 1');
        await ended;
        expect(await isOpen()).toBe(false);
        await other.query('rollback');
        expect(await committed()).toEqual([]);
      });

      it('by its time', async () => {
        await begun.query('set innodb_lock_wait_timeout = 1');
        const { ending } = await holding();
        await expect(ending).rejects.toMatchObject({ errno: 1205 });
        await other.query('rollback');
        // Its statement is over, its transaction is not; whoever gets the error takes it back.
        expect(await isOpen()).toBe(true);
        expect(await committed()).toEqual([]);
      });

      it('by a cancel', async () => {
        const { ending } = await holding();
        await other.query(`kill query ${begun.id}`);
        await expect(ending).rejects.toMatchObject({ errno: 1317 });
        await other.query('rollback');
        expect(await isOpen()).toBe(true);
        expect(await committed()).toEqual([]);
      });

      it('by the end of its connection', async () => {
        const { ending } = await holding();
        await other.query(`kill connection ${begun.id}`);
        await expect(ending).rejects.toThrow();
        await other.query('rollback');
        expect(await committed()).toEqual([]);
      });
    });
  });
});

async function textsOf(session: Session, query: string): Promise<readonly unknown[]> {
  return (await session.query(query)).rows.map(({ row: text }) => text);
}

describe('whether a server takes compounds', () => {
  const answering = (answers: readonly unknown[]) => {
    const left = [...answers];
    const query = async () => {
      const answer = left.shift();
      if (answer instanceof Error) throw answer;
      if (!Array.isArray(answer)) throw new Error('it was not to be asked');
      return { rows: answer, count: answer.length };
    };
    return { query };
  };
  const version = [{ version: '10.11.19-MariaDB' }];
  const learned = (...answers: readonly unknown[]) => new Compounds().learn(answering(answers));

  it('MariaDB does, and is asked once', async () => {
    const one = new Compounds();
    expect(one.areThere).toBe(false);
    expect(await one.learn(answering([version, [[{ probe: 1 }], {}]]))).toBe(true);
    expect(await one.learn(answering([]))).toBe(true);
    expect(one.areThere).toBe(true);
  });

  it('others do not: MySQL, a driver that gives one answer, something between that refuses', async () => {
    expect(await learned([{ version: '8.0.36' }])).toBe(false);
    expect(await learned(version, [{ probe: 1 }])).toBe(false);
    expect(await learned(version, [])).toBe(false);
    const refused = Object.assign(new Error('syntax'), { sqlState: '42000', errno: 1064 });
    expect(await learned(version, refused)).toBe(false);
  });

  it('a line that fails says nothing', async () => {
    await expect(learned(version, new Error('lost'))).rejects.toThrow('lost');
  });
});
