/** What is under way, or failed and forgotten, when a scope with a resource ends: nothing slips through. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeOn, type Provided } from '../support/databases.ts';
import {
  rowsOf,
  startCoordinator,
  startDatabase,
  startService,
  undoRows,
  untilWaiting,
} from './world.ts';

const schema = `
  create table account (id bigint primary key, cents bigint not null);
  insert into account values (1, 10), (2, 20);`;
const start = ['(1,10)', '(2,20)'];
const upsert = `insert into account values (1, 0), (3, 0)
  on conflict (id) do update set cents = excluded.cents`;

/** Runs as another service would: with no transaction around. */
const outside = AsyncLocalStorage.snapshot();

let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
beforeAll(async () => {
  coordinator = await startCoordinator();
});
afterAll(() => coordinator.stop());

await describeOn('postgres', (server) => {
  it('a statement that is under way when the callback throws is not done after the rollback', async () => {
    const { settle, plain, bank } = await startWorld(server);
    // The upsert looks at the rows that are there, and waits for this one.
    const blocker = await plain.connect();
    await blocker.query('begin; update account set cents = 11 where id = 1');
    const thrown = Promise.withResolvers<void>();
    let sent: Promise<readonly PromiseSettledResult<unknown>[]> = Promise.resolve([]);
    const work = settle.transaction({}, async () => {
      sent = Promise.allSettled([bank.query(upsert), bank.query('delete from account')]);
      await untilWaiting(plain);
      thrown.resolve();
      throw new Error('as planned');
    });
    const ended = expect(work).rejects.toThrow('as planned');
    await thrown.promise;
    await blocker.query('rollback');
    blocker.release();
    await ended;
    const outcomes = await sent;
    // What ran already may have ended well, and was taken back; what waited never ran.
    expect(outcomes[1]).toMatchObject({ reason: { code: 'NO_TRANSACTION' } });
    expect(await rowsOf(plain, 'account')).toEqual(start);
  });

  it('a statement that nobody awaits is part of the transaction when the callback returns', async () => {
    const { settle, plain, bank, other } = await startWorld(server);
    await settle.transaction({}, async () => {
      await other.query('update account set cents = 1 where id = 1');
      await bank.query('select 1');
      void bank.query(upsert);
    });
    expect(await rowsOf(plain, 'account')).toEqual(['(1,0)', '(2,20)', '(3,0)']);
    expect(await undoRows(plain)).toBe(0);
  });

  it('a begin without an end is no commit', async () => {
    const { settle, plain, bank } = await startWorld(server);
    const work = settle.transaction({}, async () => {
      const client = await bank.connect();
      await client.query('begin');
      await client.query('delete from account');
    });
    await expect(work).rejects.toMatchObject({ code: 'AT_UNSUPPORTED_SQL' });
    expect(await rowsOf(plain, 'account')).toEqual(start);
  });

  it('statements of one client run in the order in which they were sent, awaited or not', async () => {
    const { settle, plain, bank } = await startWorld(server);
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
    expect(await rowsOf(plain, 'account')).toEqual(['(1,0)', '(2,20)', '(3,5)']);
  });

  it('a savepoint that was released gives its name back to an older one', async () => {
    const { settle, plain, bank } = await startWorld(server);
    const work = settle.transaction({}, async (tx) => {
      const headers = await tx.headers();
      await outside(() =>
        settle.join(headers, async () => {
          const client = await bank.connect();
          await client.query('begin');
          await client.query('savepoint s');
          await client.query('update account set cents = 11 where id = 1');
          await client.query('savepoint s');
          await client.query('update account set cents = 12 where id = 1');
          await client.query('release s');
          await client.query('rollback to s');
          await client.query('update account set cents = 21 where id = 2');
          await client.query('commit');
          client.release();
        }),
      );
      expect(await rowsOf(plain, 'account')).toEqual(['(1,10)', '(2,21)']);
      expect(await undoRows(plain)).toBe(1);
      throw new Error('as planned');
    });
    await expect(work).rejects.toThrow('as planned');
    expect(await rowsOf(plain, 'account')).toEqual(start);
  });

  it('what was refused after it had run is not healed by a savepoint that came later', async () => {
    const { settle, plain, bank } = await startWorld(server);
    const work = settle.transaction({}, async () => {
      const changed = expect(bank.query('update account set id = id + 10')).rejects;
      await changed.toMatchObject({ code: 'AT_UNSUPPORTED_SQL' });
      const client = await bank.connect();
      await client.query('begin');
      await client.query('rollback');
      client.release();
      await bank.query('update account set cents = 5');
    });
    await expect(work).rejects.toMatchObject({ code: 'AT_UNSUPPORTED_SQL' });
    expect(await rowsOf(plain, 'account')).toEqual(start);
  });

  it('keeps the deadline of a transaction that the coordinator never hears of', async () => {
    const { settle, plain, bank } = await startWorld(server);
    const work = settle.transaction({ timeout: 50 }, async () => {
      await bank.query('update account set cents = 0');
      await bank.query('select pg_sleep(0.1)');
    });
    await expect(work).rejects.toMatchObject({ code: 'ROLLED_BACK' });
    expect(await rowsOf(plain, 'account')).toEqual(start);
  });

  it('lets go of its rows at the deadline, for the rollback of what another service committed', async () => {
    const { settle, plain, bank } = await startWorld(server);
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
    expect(await rowsOf(plain, 'account')).toEqual(start);
    expect(await undoRows(plain)).toBe(0);
  });

  it('says what to run on a database that was not migrated', async () => {
    const { settle, plain, bank } = await startWorld(server);
    await plain.query('drop function settle_image(anyelement); drop table settle_undo');
    const work = settle.transaction({}, () => bank.query('update account set cents = 0'));
    await expect(work).rejects.toThrow(/settle migrate --participant/);
  });
});

async function startWorld(server: Provided) {
  const settle = await startService(coordinator.url, `shop-${crypto.randomUUID().slice(0, 8)}`);
  const plain = await startDatabase(server, schema);
  const bank: pg.Pool = settle.at(plain, { resource: 'one' });
  const other: pg.Pool = settle.at(await startDatabase(server, schema), { resource: 'two' });
  return { settle, plain, bank, other };
}
