/** Which global transaction a call belongs to: nested ones, joined ones, none. */
import { describe, expect, test } from 'vitest';
import { currentTransaction } from '../../client-sdk/index.ts';
import { ScriptedCoordinator } from './scripted-coordinator.ts';
import { connectTo, hookLog, idle, methodsOf, settleErrorOf } from './support.ts';

describe('context', () => {
  test('an inner transaction joins the outer one and dooms it by its throw', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methodsOf(settle);
    await settle.transaction({ name: 'outer' }, async (outer) => {
      await settle.transaction({ name: 'inner' }, async (inner) => {
        expect(inner.gid).toBe(outer.gid);
        await credit(1);
      });
      await credit(2);
    });
    expect(coordinator.verbs).toEqual(['begin', 'register', 'decide']);
    const failure = new Error('inner');
    const failed = settle.transaction({}, async () => {
      const inner = settle.transaction({}, async () => {
        await credit(1);
        throw failure;
      });
      await inner.catch(() => undefined);
    });
    await expect(failed).rejects.toBe(failure);
    expect(coordinator.of('decide').at(-1)?.body['direction']).toBe('rollback');
  });

  test('its functions can be taken out of it', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { ran, hook } = hookLog();
    const book = settle.tcc('book', {
      try: async () => {
        const { headers, afterCommit } = currentTransaction() ?? fail();
        afterCommit(hook('of the branch'));
        return Object.keys(await headers());
      },
      ...idle,
    });
    const names = await settle.transaction({}, ({ headers, afterCommit }) => {
      afterCommit(hook('of the whole'));
      return Promise.all([headers().then(Object.keys), book(null)]);
    });
    expect(names).toEqual([['settle-gid'], ['settle-gid', 'settle-branch']]);
    expect(ran).toEqual(['of the whole', 'of the branch']);
  });

  test('join registers under the gid, and never decides', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit, refuse } = methodsOf(settle);
    const value = await settle.join({ 'settle-gid': 'from-afar' }, async () => {
      const tx = currentTransaction();
      expect(tx).toMatchObject({ gid: 'from-afar', branchId: null, phase: 'active' });
      expect(await tx?.headers()).toEqual({ 'settle-gid': 'from-afar' });
      expect(() => tx?.afterCommit(() => undefined)).toThrow(/INVALID_REQUEST/);
      // The same transaction again, deeper down: no second scope.
      return settle.join('from-afar', () => credit(1));
    });
    expect(value).toBe(2);
    expect(coordinator.verbs).toEqual(['register']);
    const failed = settle.join(new Headers({ 'settle-gid': 'from-afar' }), async () => {
      await refuse(null).catch(() => undefined);
    });
    await settleErrorOf(failed, 'REFUSED');
    expect(coordinator.verbs).toEqual(['register', 'register']);
  });

  test('join needs a gid', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    await settleErrorOf(
      settle.join({}, () => 1),
      'NO_TRANSACTION',
    );
    await settleErrorOf(
      settle.join({ 'settle-gid': ['a b'] }, () => 1),
      'INVALID_REQUEST',
    );
  });

  test('a branch outside of a transaction is refused', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    await settleErrorOf(methodsOf(settle).credit(1), 'NO_TRANSACTION');
  });

  test('a branch may be called through another client of the process', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using bank = await connectTo(coordinator);
    await using hotel = await connectTo(coordinator, { service: 'hotel', instance: 'hotel-1' });
    const book = hotel.tcc('book', { try: () => 'room 7', ...idle });
    expect(await bank.transaction({}, () => book(null))).toBe('room 7');
    expect(coordinator.of('begin')[0]).toMatchObject({
      connection: 1,
      body: { branches: [{ participant: { service: 'hotel', method: 'book' } }] },
    });
  });
});

function fail(): never {
  throw new Error('there is no transaction');
}
