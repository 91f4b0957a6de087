/** What is under way, or failed and forgotten, when a scope with a resource ends: nothing slips through. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeOnEither, type EitherKind } from './either-kind.ts';
import { startCoordinator, startService } from './world.ts';

const schema = [
  'create table account (id bigint primary key, cents bigint not null)',
  'insert into account values (1, 10), (2, 20)',
];
const start = ['(1,10)', '(2,20)'];

/** Runs as another service would: with no transaction around. */
const outside = AsyncLocalStorage.snapshot();

let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
beforeAll(async () => {
  coordinator = await startCoordinator();
});
afterAll(() => coordinator.stop());

await describeOnEither((kind) => {
  const upsert = kind.of({
    postgres: `insert into account values (1, 0), (3, 0)
      on conflict (id) do update set cents = excluded.cents`,
    mysql: 'replace into account values (1, 0), (3, 0)',
  });

  it('a statement that is under way when the callback throws is not done after the rollback', async () => {
    const { settle, plain, bank } = await startWorld(kind);
    // The upsert looks at the rows that are there, and waits for this one.
    const blocker = await plain.session();
    await blocker.query('begin');
    await blocker.query('update account set cents = 11 where id = 1');
    const thrown = Promise.withResolvers<void>();
    let sent: Promise<readonly PromiseSettledResult<unknown>[]> = Promise.resolve([]);
    const work = settle.transaction({}, async () => {
      sent = Promise.allSettled([bank.query(upsert), bank.query('delete from account')]);
      await plain.untilWaiting();
      thrown.resolve();
      throw new Error('as planned');
    });
    const ended = expect(work).rejects.toThrow('as planned');
    await thrown.promise;
    await blocker.query('rollback');
    await ended;
    const outcomes = await sent;
    // What ran already may have ended well, and was taken back; what waited never ran.
    expect(outcomes[1]).toMatchObject({ reason: { code: 'NO_TRANSACTION' } });
    expect(await plain.rowsOf('account')).toEqual(start);
  });

  it('a statement that nobody awaits is part of the transaction when the callback returns', async () => {
    const { settle, plain, bank, other } = await startWorld(kind);
    await settle.transaction({}, async () => {
      await other.query('update account set cents = 1 where id = 1');
      await bank.query('select 1');
      void bank.query(upsert);
    });
    expect(await plain.rowsOf('account')).toEqual(['(1,0)', '(2,20)', '(3,0)']);
    expect(await plain.undoRows()).toBe(0);
  });

  it('a begin without an end is no commit', async () => {
    const { settle, plain, bank } = await startWorld(kind);
    const work = settle.transaction({}, async () => {
      const client = await bank.connect();
      await client.query('begin');
      await client.query('delete from account');
    });
    await expect(work).rejects.toMatchObject({ code: 'AT_UNSUPPORTED_SQL' });
    expect(await plain.rowsOf('account')).toEqual(start);
  });

  it('statements of one client run in the order in which they were sent, awaited or not', async () => {
    const { settle, plain, bank } = await startWorld(kind);
    await settle.transaction({}, async () => {
      const client = await bank.connect();
      await Promise.all([
        client.query('begin'),
        client.query(upsert),
        client.query('update account set cents = cents + 5 where id = 3'),
        client.query('commit'),
      ]);
      client.release();
    });
    expect(await plain.rowsOf('account')).toEqual(['(1,0)', '(2,20)', '(3,5)']);
  });

  // MySQL forgets the older one as soon as its name is given again.
  if (kind.store === 'postgres') {
    it('a savepoint that was released gives its name back to an older one', async () => {
      const ways = ['release savepoint s', 'rollback to s'];
      expect(await betweenSavepoints(kind, ways)).toEqual(['(1,10)', '(2,21)']);
    });
  }

  it('a savepoint whose name is given again is the newer one', async () => {
    expect(await betweenSavepoints(kind, ['rollback to s'])).toEqual(['(1,11)', '(2,21)']);
  });

  it('what was refused after it had run is not healed by a savepoint that came later', async () => {
    const { settle, plain, bank } = await startWorld(kind);
    const work = settle.transaction({}, async () => {
      // Of what comes to light only when it has run.
      const text = kind.of({
        postgres: 'update account set id = id + 10',
        mysql: 'insert ignore into account values (3, 0), (3, 1)',
      });
      const changed = expect(bank.query(text)).rejects;
      await changed.toMatchObject({ code: 'AT_UNSUPPORTED_SQL' });
      const client = await bank.connect();
      await client.query('begin');
      await client.query('rollback');
      client.release();
      await bank.query('update account set cents = 5');
    });
    await expect(work).rejects.toMatchObject({ code: 'AT_UNSUPPORTED_SQL' });
    expect(await plain.rowsOf('account')).toEqual(start);
  });

  // PostgreSQL can go back to the savepoint, MySQL has no transaction left to go back in.
  if (kind.store === 'mysql') {
    it.each([true, false])(
      'a deadlock takes all of it, rolled back by its owner: %s',
      async (isRolledBack) => {
        const { settle, plain, bank } = await startWorld(kind);
        const blocker = await plain.session();
        await blocker.query('begin');
        // The one that has changed less is the one that the database ends.
        const rows = Array.from({ length: 99 }, (_, index) => `(${index + 10}, 0)`);
        await blocker.query(`insert into account values ${rows}`);
        await blocker.query('update account set cents = 21 where id = 2');
        let blocked: Promise<unknown> = Promise.resolve();
        const work = settle.transaction({}, async () => {
          await bank.query('update account set cents = 11 where id = 1');
          const client = await bank.connect();
          await client.query('begin');
          blocked = blocker.query('update account set cents = 12 where id = 1');
          await plain.untilWaiting();
          const ended = expect(client.query('delete from account where id = 2')).rejects;
          await ended.toMatchObject({ code: 'LOCK_CONFLICT' });
          if (isRolledBack) await client.query('rollback');
          client.release();
          const late = expect(bank.query('update account set cents = 13 where id = 1')).rejects;
          await late.toMatchObject({ code: 'LOCK_CONFLICT' });
        });
        await expect(work).rejects.toMatchObject({ code: 'LOCK_CONFLICT' });
        await blocked;
        await blocker.query('commit');
        expect((await plain.rowsOf('account')).slice(0, 2)).toEqual(['(1,12)', '(2,21)']);
        expect(await plain.undoRows()).toBe(0);
      },
    );
  }

  it('keeps the deadline of a transaction that the coordinator never hears of', async () => {
    const { settle, plain, bank } = await startWorld(kind);
    const work = settle.transaction({ timeout: 300 }, async () => {
      await bank.query('update account set cents = 0');
      await bank.query(kind.of({ postgres: 'select pg_sleep(0.4)', mysql: 'select sleep(0.4)' }));
    });
    await expect(work).rejects.toMatchObject({ code: 'ROLLED_BACK' });
    expect(await plain.rowsOf('account')).toEqual(start);
  });

  it('refuses a statement that comes behind the deadline, and the deadline is why', async () => {
    const { settle, plain, bank } = await startWorld(kind);
    const work = settle.transaction({ timeout: 300 }, async ({ signal }) => {
      await bank.query('update account set cents = 0');
      if (!signal.aborted) await once(signal, 'abort');
      await expect(bank.query('select 1')).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
      await bank.query('select 1');
    });
    await expect(work).rejects.toMatchObject({ code: 'ROLLED_BACK' });
    expect(await plain.rowsOf('account')).toEqual(start);
  });

  it('lets go of its rows at the deadline, for the rollback of what another service committed', async () => {
    const { settle, plain, bank } = await startWorld(kind);
    const work = settle.transaction({ timeout: 500 }, async (tx) => {
      const headers = await tx.headers();
      await outside(() =>
        settle.join(headers, () => bank.query('update account set cents = 11 where id = 1')),
      );
      await bank.query('update account set cents = 12 where id = 1');
      // A callback that hangs: the rollback needs the row that its local transaction holds.
      for (let phase = ''; phase !== 'rolledBack'; ) ({ phase } = await settle.get(tx.gid));
    });
    await expect(work).rejects.toMatchObject({ code: 'ROLLED_BACK' });
    expect(await plain.rowsOf('account')).toEqual(start);
    expect(await plain.undoRows()).toBe(0);
  });

  it('says what to run on a database that was not migrated', async () => {
    const { settle, plain, bank } = await startWorld(kind);
    if (kind.store === 'postgres') await plain.query('drop function settle_image(anyelement)');
    await plain.query('drop table settle_undo');
    const work = settle.transaction({}, () => bank.query('update account set cents = 0'));
    await expect(work).rejects.toThrow(/settle migrate --participant/);
  });
});

/** Sets the same savepoint twice, goes these ways, and answers what is committed; then all is undone. */
async function betweenSavepoints(
  kind: EitherKind,
  ways: readonly string[],
): Promise<readonly string[]> {
  const { settle, plain, bank } = await startWorld(kind);
  const texts = [
    ...['begin', 'savepoint s', 'update account set cents = 11 where id = 1'],
    ...['savepoint s', 'update account set cents = 12 where id = 1', ...ways],
    ...['update account set cents = 21 where id = 2', 'commit'],
  ];
  let committed: readonly string[] = [];
  const work = settle.transaction({}, async (tx) => {
    const headers = await tx.headers();
    const all = async () => {
      const client = await bank.connect();
      for (const text of texts) await client.query(text);
      client.release();
    };
    await outside(() => settle.join(headers, all));
    committed = await plain.rowsOf('account');
    const changed = committed.filter((row) => !start.includes(row));
    expect(await plain.undoRows()).toBe(changed.length);
    throw new Error('as planned');
  });
  await expect(work).rejects.toThrow('as planned');
  expect(await plain.rowsOf('account')).toEqual(start);
  return committed;
}

async function startWorld(kind: EitherKind) {
  const settle = await startService(coordinator.url, `shop-${crypto.randomUUID().slice(0, 8)}`);
  const plain = await kind.start(schema);
  const bank = plain.at(settle, { resource: 'one' });
  const other = (await kind.start(schema)).at(settle, { resource: 'two' });
  return { settle, plain, bank, other };
}
