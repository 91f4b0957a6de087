/**
 * Local commits of which the answer, the request, the order or the process is lost, on every kind:
 * what became of them is looked up, never guessed.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { describeOnEither, type EitherKind } from './either-kind.ts';
import { coordinatorUrl, name, schemaOf, startWorld, untilOver } from './holes-world.ts';
import type { ChildOrder, ChildSettings } from './service-child.ts';
import { startService } from './world.ts';

await describeOnEither((kind) => {
  // What ends a local commit of phase one, in one flight or text with its barrier row.
  const commit = kind.of({ postgres: "'prepare', 'done'", mysql: "'prepare'," });

  it('a local commit whose answer is lost, yet was done, counts as done', async () => {
    const { settle, wallets, bank, shop, orders, proxy } = await startProxied(kind);
    let gid = '';
    const lost = proxy.loseAnswerTo(commit);
    await settle.transaction({}, async (tx) => {
      gid = tx.gid;
      await shop.query('update account set cents = 1 where id = 1');
      await bank.query('update account set cents = 2 where id = 1');
    });
    expect((await settle.get(gid)).phase).toBe('committed');
    await lost;
    expect(await wallets.rowsOf('account')).toContain('(1,Ada,2)');
    expect(await orders.rowsOf('account')).toContain('(1,Ada,1)');
    expect(await wallets.undoRows()).toBe(0);
  });

  it('a local commit that was lost on its way can never happen, and all is rolled back', () =>
    neverHappens(kind, (proxy) => proxy.loseRequest(commit)));

  it('a rollback that comes before the local commit makes that commit fail', async () => {
    const { settle, wallets, bank, shop } = await startWorld(kind);
    const before = await wallets.rowsOf('account');
    // Stands in the way of the undo row, so that the branch is registered and not yet committed.
    const blocker = await wallets.session();
    await blocker.query('begin');
    const database = new URL(wallets.url).pathname.slice(1);
    const table = kind.of({ postgres: 'public.account', mysql: `\`${database}\`.\`account\`` });
    await blocker.query(`insert into settle_undo values
      ('${table}', '["1"]', 0, 'nobody', 1, 1, default, null, null, 0)`);
    let gid = '';
    const work = settle.transaction({}, async (tx) => {
      gid = tx.gid;
      await shop.query('update account set cents = 1 where id = 2');
      await bank.query('update account set cents = 2 where id = 1');
    });
    const failed = expect(work).rejects.toMatchObject({ code: 'ROLLED_BACK' });
    await wallets.untilWaiting();
    await settle.rollback(gid);
    await untilOver(settle, gid);
    await blocker.query('rollback');
    await failed;
    expect(await wallets.rowsOf('account')).toEqual(before);
    expect(await wallets.undoRows()).toBe(0);
  });

  it('undo rows outlive kill -9 of their service: another instance rolls back', async () => {
    const wallets = await kind.start(schemaOf(kind));
    const before = await wallets.rowsOf('account');
    const service = name('wallet');
    const child = await startChild({
      coordinator: coordinatorUrl(),
      service,
      database: wallets.url,
    });
    const settle = await startService(coordinatorUrl(), name('shop'));
    let gid = '';
    const work = settle.transaction({ waitMs: 0 }, async (tx) => {
      gid = tx.gid;
      await tx.headers();
      await child.perform({ gid, text: "update account set owner = 'gone', cents = 0" });
      expect(await wallets.undoRows()).toBe(3);
      await child.kill();
      throw new Error('as planned');
    });
    await expect(work).rejects.toThrow('as planned');
    expect(await wallets.undoRows()).toBe(3);
    const other = await startService(coordinatorUrl(), service);
    wallets.at(other, { resource: 'wallets' });
    expect(await untilOver(settle, gid)).toBe('rolledBack');
    expect(await wallets.rowsOf('account')).toEqual(before);
    expect(await wallets.undoRows()).toBe(0);
  });
});

/** A local commit of which something is lost before the database has heard all of it. */
async function neverHappens(
  kind: EitherKind,
  lose: (proxy: TcpProxy) => Promise<void>,
): Promise<void> {
  const { settle, wallets, bank, shop, orders, proxy } = await startProxied(kind);
  const before = [await wallets.rowsOf('account'), await orders.rowsOf('account')];
  let gid = '';
  const lost = lose(proxy);
  const work = settle.transaction({}, async (tx) => {
    gid = tx.gid;
    await shop.query('update account set cents = 1 where id = 1');
    await bank.query('update account set cents = 2 where id = 1');
  });
  await expect(work).rejects.toThrow();
  await lost;
  await untilOver(settle, gid);
  expect([await wallets.rowsOf('account'), await orders.rowsOf('account')]).toEqual(before);
  const barrier = await wallets.rowsOf(`(select operation, state from settle_barrier
    where gid = '${gid}')`);
  expect(barrier[0]).toBe('(prepare,blocked)');
  expect([await wallets.undoRows(), await orders.undoRows()]).toEqual([0, 0]);
}

/** The resource `wallets` reaches its database through a proxy; `wallets` itself does not. */
async function startProxied(kind: EitherKind) {
  const settle = await startService(coordinatorUrl(), name('shop'));
  const orders = await kind.start(schemaOf(kind));
  const wallets = await kind.start(schemaOf(kind));
  const proxy = await startTcpProxy(wallets.url);
  onTestFinished(() => proxy.close());
  const shop = orders.at(settle, { resource: 'orders' });
  const bank = wallets.at(settle, { resource: 'wallets' }, { url: proxy.url, connections: 10 });
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
