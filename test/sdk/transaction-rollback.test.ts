/** How an initiator rolls a global transaction back, and what it then says of the outcome. */
import { describe, expect, test } from 'vitest';
import { SettleError, TerminalError } from '../../client-sdk/index.ts';
import { answer, ScriptedCoordinator } from './scripted-coordinator.ts';
import { connectTo, hookLog, methodsOf, settleErrorOf } from './support.ts';

describe('rollback', () => {
  test('a throw rolls back and comes out as it is', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methodsOf(settle);
    const failure = new Error('no seat left');
    const { ran, hook } = hookLog();
    const failed = settle.transaction({}, async (tx) => {
      tx.afterRollback(() => hook(`rollback ${tx.phase}`)());
      await credit(1);
      throw failure;
    });
    await expect(failed).rejects.toBe(failure);
    expect(coordinator.of('decide')[0]?.body).toMatchObject({
      direction: 'rollback',
      reason: 'no seat left',
    });
    expect(ran).toEqual(['rollback rolledBack']);
  });

  test('a branch that failed dooms it, even when its error was caught', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit, refuse } = methodsOf(settle);
    const failed = settle.transaction({}, async () => {
      await credit(1);
      await refuse(null).catch(() => undefined);
      return 'fine';
    });
    const error = await settleErrorOf(failed, 'REFUSED');
    expect(error.detail).toBe('no money');
    expect(error.cause).toBeInstanceOf(TerminalError);
    expect(coordinator.of('decide')[0]?.body['direction']).toBe('rollback');
  });

  test('input outside of its schema registers nothing, and dooms it like any failure', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { debit, credit } = methodsOf(settle);
    const failed = settle.transaction({}, async () => {
      await credit(1);
      void debit(1.5);
    });
    const error = await settleErrorOf(failed, 'INVALID_REQUEST');
    expect(error.detail).toBe('input of debit: cents: expected whole cents');
    expect(coordinator.verbs).toEqual(['begin', 'decide']);
    expect(coordinator.of('decide')[0]?.body['direction']).toBe('rollback');
  });

  test('that cannot be asked for leaves it to the deadline; no hook runs', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator, { requestTimeoutMs: 40 });
    const { credit } = methodsOf(settle);
    coordinator.next('decide', () => undefined);
    const { ran, hook } = hookLog();
    const failure = new Error('no');
    const failed = settle.transaction({ waitMs: 0 }, async (tx) => {
      tx.afterRollback(hook('rollback'));
      await credit(1);
      throw failure;
    });
    await expect(failed).rejects.toBe(failure);
    expect(ran).toEqual([]);
  });

  test('of one whose begin is lost is asked for; NOT_FOUND means there is nothing', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator, { requestTimeoutMs: 40 });
    const { credit } = methodsOf(settle);
    coordinator
      .next('begin', () => undefined)
      .next('decide', (asked) => asked.problem('NOT_FOUND'));
    const { ran, hook } = hookLog();
    const failed = settle.transaction({}, async (tx) => {
      tx.afterRollback(hook('rollback'));
      await credit(1);
    });
    await settleErrorOf(failed, 'UNKNOWN');
    expect(ran).toEqual(['rollback']);
  });

  test('of one that somebody else has committed is told exactly', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methodsOf(settle);
    coordinator.next('decide', (asked) => asked.problem('ALREADY_COMMITTED'));
    const failure = new Error('too late');
    const { ran, hook } = hookLog();
    const failed = settle.transaction({}, async (tx) => {
      tx.afterCommit(hook('commit'));
      tx.afterRollback(hook('rollback'));
      await credit(1);
      throw failure;
    });
    const error = await settleErrorOf(failed, 'ALREADY_COMMITTED');
    expect(error.cause).toBe(failure);
    expect(ran).toEqual(['commit']);
  });

  test('a register after the deadline is ROLLED_BACK with its cause', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methodsOf(settle);
    const cause = { kind: 'deadline' } as const;
    coordinator
      .next('register', (asked) => asked.problem('ALREADY_ROLLED_BACK'))
      .next('get', (asked) => asked.reply(answer(asked.body, 'rollingBack', { cause })));
    const failed = settle.transaction({}, async () => {
      await credit(1);
      await credit(2);
    });
    expect((await settleErrorOf(failed, 'ROLLED_BACK')).cause).toEqual(cause);
  });

  test('the signal tells the other branches when one has failed', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { refuse } = methodsOf(settle);
    const away = settle.remote({ service: 'hotel', method: 'book' });
    coordinator.next('try', () => undefined);
    let other: Promise<unknown> = Promise.resolve();
    const failed = settle.transaction({}, async () => {
      other = away(null);
      await Promise.all([other, refuse(null)]);
    });
    const error = await settleErrorOf(failed, 'REFUSED');
    await expect(other).rejects.toBe(error);
  });

  test('the signal tells slow work when the deadline has passed', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methodsOf(settle);
    const failed = settle.transaction({ timeout: 20 }, async ({ signal }) => {
      await credit(1);
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    });
    const error = await settleErrorOf(failed, 'ROLLED_BACK');
    expect(error.detail).toBe('the deadline of 20 ms has passed');
  });
});

test('nobody is left with an unhandled rejection', async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  try {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit, refuse } = methodsOf(settle);
    const failed = settle.transaction({}, async () => {
      void refuse(null);
      void credit(1);
      throw new SettleError('REFUSED', 'at once');
    });
    await expect(failed).rejects.toThrow('at once');
    const late = settle.transaction({}, async () => {
      void refuse(null);
    });
    await expect(late).rejects.toThrow('no money');
    await new Promise(setImmediate);
    expect(unhandled).toEqual([]);
  } finally {
    process.off('unhandledRejection', note);
  }
});
