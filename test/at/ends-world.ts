/** Ends of local transactions that are disturbed, or wait: how that comes about, on either kind. */
import { expect, it, onTestFinished } from 'vitest';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import type { EitherDatabase, EitherKind } from './either-kind.ts';
import {
  coordinatorUrl,
  name,
  outside,
  schemaOf,
  startWorld,
  untilOver,
  type World,
} from './holes-world.ts';
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

/** Statements of a kind, and how its databases are looked at. */
export interface HeldRows {
  /** With the cents and the id. */
  readonly setCents: string;
  readonly addCents: string;
  /** Spellings of the id of row 1. */
  readonly ids: readonly (string | number)[];
  /** Resolves once a local transaction there has its undo rows, and has not committed them. */
  readonly untilPrepared: (database: EitherDatabase) => Promise<void>;
}

/** Declares what must not come of it that a row may be taken for free. */
export function heldRows(
  kind: EitherKind,
  { setCents, addCents, ids, untilPrepared }: HeldRows,
): void {
  // Another spelling of the key is looked for in vain; the row's own key tells.
  it.each(ids)('who waited for a row sees whose it is by then: id %j', async (id) => {
    const world = await startWorld(kind);
    const { settle, wallets, bank } = world;
    const before = await wallets.rowsOf('account');
    let second: Promise<unknown> = Promise.resolve();
    await undecided(world, addCents, async (unlock, decide) => {
      second = settle.transaction({}, () => bank.query(addCents, [5, id]));
      second.catch(() => undefined);
      await wallets.untilWaiting();
      await unlock();
      // Undecided: nothing may be committed on top of it.
      expect(await wallets.rowsOf('account')).toContain('(1,Ada,1001)');
      await decide('rollback');
    });
    await expect(second).rejects.toMatchObject({ code: 'LOCK_CONFLICT' });
    expect(await wallets.rowsOf('account')).toEqual(before);
    expect(await wallets.undoRows()).toBe(0);
  });

  it('nothing is committed in one database while a row is held in the other', async () => {
    const world = await startWorld(kind);
    const { settle, wallets, orders, bank, shop } = world;
    let second: Promise<unknown> = Promise.resolve();
    await undecided(world, addCents, async (unlock, decide) => {
      await unlock();
      second = settle.transaction({}, async () => {
        await shop.query(setCents, [7, 1]);
        await bank.query(addCents, [5, 1]);
      });
      await untilPrepared(orders);
      expect(await orders.rowsOf('account')).toContain('(1,Ada,1000)');
      await decide('commit');
    });
    await second;
    expect(await orders.rowsOf('account')).toContain('(1,Ada,7)');
    expect(await wallets.rowsOf('account')).toContain('(1,Ada,1006)');
  });
}
