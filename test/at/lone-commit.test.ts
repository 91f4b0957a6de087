/**
 * One database alone commits without the coordinator, so what its commit says is the outcome: a
 * signal that aborts while it is on its way is too late, and a lost answer is no rollback.
 */
import pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { describeOn, type Provided } from '../support/databases.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { rowsOf, startCoordinator, startDatabase, startService, untilWaiting } from './world.ts';

/** The reference is checked by the commit, which waits for whoever holds the row it refers to. */
const schema = `create table parent (id int primary key);
  create table child (id int primary key,
    parent int references parent deferrable initially deferred);
  insert into parent values (1);`;
const insert = 'insert into child values (1, 1)';

let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
beforeAll(async () => {
  coordinator = await startCoordinator();
});
afterAll(() => coordinator.stop());

await describeOn('postgres', (server) => {
  it.each(['signal', 'signal, then the row goes'])(
    'a commit that is on its way counts, whatever aborts meanwhile: %s',
    async (what) => {
      const { settle, plain, bank, hooks } = await startWorld(server);
      const blocker = await plain.connect();
      onTestFinished(() => blocker.release(true));
      await blocker.query('begin; select * from parent for update');
      const aborting = new AbortController();
      const work = settle.transaction({ signal: aborting.signal }, async (tx) => {
        tx.afterCommit(() => hooks.push('committed'));
        tx.afterRollback(() => hooks.push('rolled back'));
        await bank.query(insert);
        return 'done';
      });
      await untilWaiting(plain);
      aborting.abort(new Error('never mind'));
      if (what !== 'signal') await blocker.query('delete from child; delete from parent');
      await blocker.query('commit');
      if (what === 'signal') {
        expect(await work).toBe('done');
        expect(await rowsOf(plain, 'child')).toEqual(['(1,1)']);
        expect(hooks).toEqual(['committed']);
      } else {
        // The database said why it did not commit: nothing of it is there, and the signal is why.
        await expect(work).rejects.toThrow('never mind');
        expect(await rowsOf(plain, 'child')).toEqual([]);
        expect(hooks).toEqual(['rolled back']);
      }
    },
  );

  it('a lost answer is UNKNOWN, and calls no hook', async () => {
    const { settle, plain, bank, proxy, hooks } = await startWorld(server);
    // In one text with the look at the locks.
    const lost = proxy.loseAnswerTo('|| gid)::integer');
    const work = settle.transaction({}, async (tx) => {
      tx.afterCommit(() => hooks.push('committed'));
      tx.afterRollback(() => hooks.push('rolled back'));
      await bank.query(insert);
    });
    await expect(work).rejects.toMatchObject({ code: 'UNKNOWN' });
    await lost;
    expect(hooks).toEqual([]);
    // It was done: whoever looks finds it.
    expect(await rowsOf(plain, 'child')).toEqual(['(1,1)']);
  });
});

async function startWorld(server: Provided) {
  const settle = await startService(coordinator.url, `shop-${crypto.randomUUID().slice(0, 8)}`);
  const url = await server.newDatabase();
  const plain = await startDatabase({ ...server, newDatabase: async () => url }, schema);
  const proxy = await startTcpProxy(url);
  onTestFinished(() => proxy.close());
  const proxied = new pg.Pool({ connectionString: proxy.url });
  // Idle clients lose their line, too, and the pool says so.
  proxied.on('error', () => undefined);
  onTestFinished(() => proxied.end());
  const bank: pg.Pool = settle.at(proxied, { resource: 'one' });
  const hooks: string[] = [];
  return { settle, plain, proxy, bank, hooks };
}
