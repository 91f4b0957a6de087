/** Ends of local transactions that are disturbed, or wait: how that comes about, on either kind. */
import { expect, onTestFinished } from 'vitest';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import type { EitherKind } from './either-kind.ts';
import { coordinatorUrl, name, outside, schemaOf, untilOver, type World } from './holes-world.ts';
import { startService } from './world.ts';

/**
 * A transaction adds a cent to row 1 of the wallets, by `addCents`, in a scope that has joined it: `unlock` ends that
 * scope, with its local commit, and `decide` the transaction.
 */
export async function undecided(
  { settle, bank }: World,
  addCents: string,
  meanwhile: (
    unlock: () => Promise<void>,
    decide: (how: 'commit' | 'rollback') => Promise<void>,
  ) => Promise<void>,
): Promise<void> {
  const changed = Promise.withResolvers<void>();
  const unlocked = Promise.withResolvers<void>();
  const decided = Promise.withResolvers<'commit' | 'rollback'>();
  const committed = Promise.withResolvers<void>();
  const first = settle.transaction({}, async (tx) => {
    const headers = await tx.headers();
    await outside(() =>
      settle.join(headers, async () => {
        await bank.query(addCents, [1, 1]);
        changed.resolve();
        await unlocked.promise;
      }),
    );
    committed.resolve();
    if ((await decided.promise) === 'rollback') throw new Error('as planned');
  });
  await changed.promise;
  await meanwhile(
    () => {
      unlocked.resolve();
      return committed.promise;
    },
    async (how) => {
      decided.resolve(how);
      await first.catch(() => undefined);
    },
  );
}

/** A local commit of which something is lost before the database has heard all of it. */
export async function neverHappens(
  kind: EitherKind,
  lose: (proxy: TcpProxy) => Promise<void>,
  change: (world: World) => Promise<void>,
): Promise<void> {
  const world = await startProxied(kind);
  const { settle, wallets, orders, proxy } = world;
  const before = [await wallets.rowsOf('account'), await orders.rowsOf('account')];
  let gid = '';
  const lost = lose(proxy);
  const work = settle.transaction({}, async (tx) => {
    gid = tx.gid;
    await change(world);
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
export async function startProxied(
  kind: EitherKind,
): Promise<World & { readonly proxy: TcpProxy }> {
  const settle = await startService(coordinatorUrl(), name('shop'));
  const orders = await kind.start(schemaOf(kind));
  const wallets = await kind.start(schemaOf(kind));
  const proxy = await startTcpProxy(wallets.url);
  onTestFinished(() => proxy.close());
  const shop = orders.at(settle, { resource: 'orders' });
  const bank = wallets.at(settle, { resource: 'wallets' }, { url: proxy.url, connections: 10 });
  return { settle, orders, wallets, shop, bank, proxy };
}
