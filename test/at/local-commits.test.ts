/**
 * Local commits of which the answer, the request, the order or the process is lost, on PostgreSQL:
 * what became of them is looked up, never guessed.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import pg from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { describeOn, type Provided } from '../support/databases.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { coordinatorUrl, name, schema, startWorld, untilOver } from './holes-world.ts';
import type { ChildOrder, ChildSettings } from './service-child.ts';
import { rowsOf, startDatabase, startService, undoRows, untilWaiting } from './world.ts';

await describeOn('postgres', (server) => {
  it('a local commit whose answer is lost, yet was done, counts as done', async () => {
    const { settle, wallets, bank, shop, orders, proxy } = await startProxied(server);
    let gid = '';
    const lost = proxy.loseAnswerTo("'prepare', 'done'");
    await settle.transaction({}, async (tx) => {
      gid = tx.gid;
      await shop.query('update account set cents = 1 where id = 1');
      await bank.query('update account set cents = 2 where id = 1');
    });
    expect((await settle.get(gid)).phase).toBe('committed');
    await lost;
    expect(await rowsOf(wallets, 'account')).toContain('(1,Ada,2)');
    expect(await rowsOf(orders, 'account')).toContain('(1,Ada,1)');
    expect(await undoRows(wallets)).toBe(0);
  });

  it('a local commit that was lost on its way can never happen, and all is rolled back', async () => {
    const { settle, wallets, bank, shop, orders, proxy } = await startProxied(server);
    const before = [await rowsOf(wallets, 'account'), await rowsOf(orders, 'account')];
    let gid = '';
    const lost = proxy.loseRequest("'prepare', 'done'");
    const work = settle.transaction({}, async (tx) => {
      gid = tx.gid;
      await shop.query('update account set cents = 1 where id = 1');
      await bank.query('update account set cents = 2 where id = 1');
    });
    await expect(work).rejects.toThrow();
    await lost;
    await untilOver(settle, gid);
    expect([await rowsOf(wallets, 'account'), await rowsOf(orders, 'account')]).toEqual(before);
    const { rows } = await wallets.query(
      'select operation, state from settle_barrier where gid = $1 order by operation',
      [gid],
    );
    expect(rows[0]).toEqual({ operation: 'prepare', state: 'blocked' });
    expect([await undoRows(wallets), await undoRows(orders)]).toEqual([0, 0]);
  });

  it('a rollback that comes before the local commit makes that commit fail', async () => {
    const { settle, wallets, bank, shop } = await startWorld(server);
    const before = await rowsOf(wallets, 'account');
    // Stands in the way of the undo row, so that the branch is registered and not yet committed.
    const blocker = await wallets.connect();
    // Even when a line below throws: what waits for it would wait for ever.
    onTestFinished(() => blocker.release(true));
    await blocker.query('begin');
    await blocker.query(`insert into settle_undo values
      ('public.account', '["1"]', 0, 'nobody', 1, 1, default, null, null, 0)`);
    let gid = '';
    const work = settle.transaction({}, async (tx) => {
      gid = tx.gid;
      await shop.query('update account set cents = 1 where id = 2');
      await bank.query('update account set cents = 2 where id = 1');
    });
    const failed = expect(work).rejects.toMatchObject({ code: 'ROLLED_BACK' });
    await untilWaiting(wallets);
    await settle.rollback(gid);
    await untilOver(settle, gid);
    await blocker.query('rollback');
    await failed;
    expect(await rowsOf(wallets, 'account')).toEqual(before);
    expect(await undoRows(wallets)).toBe(0);
  });

  it('undo rows outlive kill -9 of their service: another instance rolls back', async () => {
    const url = await server.newDatabase();
    const wallets = await startDatabase({ ...server, newDatabase: async () => url }, schema);
    const before = await rowsOf(wallets, 'account');
    const service = name('wallet');
    const child = await startChild({ coordinator: coordinatorUrl(), service, database: url });
    const settle = await startService(coordinatorUrl(), name('shop'));
    let gid = '';
    const work = settle.transaction({ waitMs: 0 }, async (tx) => {
      gid = tx.gid;
      await tx.headers();
      await child.perform({ gid, text: "update account set owner = 'gone', cents = 0" });
      expect(await undoRows(wallets)).toBe(3);
      await child.kill();
      throw new Error('as planned');
    });
    await expect(work).rejects.toThrow('as planned');
    expect(await undoRows(wallets)).toBe(3);
    const other = await startService(coordinatorUrl(), service);
    other.at(wallets, { resource: 'wallets' });
    expect(await untilOver(settle, gid)).toBe('rolledBack');
    expect(await rowsOf(wallets, 'account')).toEqual(before);
    expect(await undoRows(wallets)).toBe(0);
  });
});

/** The resource `wallets` reaches its database through a proxy; `wallets` itself does not. */
async function startProxied(server: Provided) {
  const settle = await startService(coordinatorUrl(), name('shop'));
  const orders = await startDatabase(server, schema);
  const url = await server.newDatabase();
  const wallets = await startDatabase({ ...server, newDatabase: async () => url }, schema);
  const proxy = await startTcpProxy(url);
  onTestFinished(() => proxy.close());
  const proxied = new pg.Pool({ connectionString: proxy.url });
  // Idle clients lose their line, too, and the pool says so.
  proxied.on('error', () => undefined);
  onTestFinished(() => proxied.end());
  const shop: pg.Pool = settle.at(orders, { resource: 'orders' });
  const bank: pg.Pool = settle.at(proxied, { resource: 'wallets' });
  return { settle, orders, wallets, shop, bank, proxy };
}

async function startChild(settings: ChildSettings) {
  const program = join(import.meta.dirname, 'service-child.ts');
  const child = fork(program, [JSON.stringify(settings)]);
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'message');
  return {
    /** Resolves when it has committed locally. */
    async perform(order: ChildOrder) {
      child.send(order);
      await once(child, 'message');
    },
    async kill() {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
