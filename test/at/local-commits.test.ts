/**
 * Local commits of which the answer, the request, the order or the process is lost, on every kind:
 * what became of them is looked up, never guessed.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { describeOnEither } from './either-kind.ts';
import { neverHappens, startProxied } from './ends-world.ts';
import {
  coordinatorUrl,
  name,
  schemaOf,
  startWorld,
  untilOver,
  type World,
} from './holes-world.ts';
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
      await change({ shop, bank });
    });
    expect((await settle.get(gid)).phase).toBe('committed');
    await lost;
    expect(await wallets.rowsOf('account')).toContain('(1,Ada,2)');
    expect(await orders.rowsOf('account')).toContain('(1,Ada,1)');
    expect(await wallets.undoRows()).toBe(0);
  });

  it('a local commit that was lost on its way can never happen, and all is rolled back', () =>
    neverHappens(kind, (proxy) => proxy.loseRequest(commit), change));

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

async function change({ shop, bank }: Pick<World, 'shop' | 'bank'>): Promise<void> {
  await shop.query('update account set cents = 1 where id = 1');
  await bank.query('update account set cents = 2 where id = 1');
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
