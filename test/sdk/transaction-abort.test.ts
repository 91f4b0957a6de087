/** A signal from outside ends a global transaction; its own signal ends the work inside. */
import { describe, expect, test } from 'vitest';
import type { TransactionContext } from '../../client-sdk/index.ts';
import { type Asked, ScriptedCoordinator } from './scripted-coordinator.ts';
import { connectTo, hookLog, methodsOf, settleErrorOf } from './support.ts';

test('the signal tells the same when it is looked at late', async () => {
  await using coordinator = await ScriptedCoordinator.start();
  await using settle = await connectTo(coordinator);
  const { credit } = methodsOf(settle);
  const failure = new Error('no');
  const contexts: TransactionContext[] = [];
  await settle.transaction({}, async (tx) => {
    contexts.push(tx);
    await credit(1);
  });
  const failed = settle.transaction({}, async (tx) => {
    contexts.push(tx);
    await credit(1);
    throw failure;
  });
  await expect(failed).rejects.toBe(failure);
  const late = settle.transaction({ timeout: 10 }, async (tx) => {
    await credit(1);
    const endsAtMs = performance.now() + 11;
    while (performance.now() < endsAtMs) await new Promise(setImmediate);
    tx.signal.throwIfAborted();
  });
  const error = await settleErrorOf(late, 'ROLLED_BACK');
  expect(error.detail).toBe('the deadline of 10 ms has passed');
  const [committed, rolledBack] = contexts.map((tx) => tx.signal);
  expect(committed?.aborted).toBe(false);
  expect(rolledBack?.reason).toBe(failure);
});

describe('abort', () => {
  test('rolls back and rejects with the reason, without waiting for the callback', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methodsOf(settle);
    const abort = new AbortController();
    const reason = new Error('the user left');
    let inner: AbortSignal | undefined;
    const failed = settle.transaction({ signal: abort.signal }, async (tx) => {
      inner = tx.signal;
      await credit(1);
      abort.abort(reason);
      await new Promise(() => undefined);
    });
    await expect(failed).rejects.toBe(reason);
    expect(inner?.reason).toBe(reason);
    expect(coordinator.of('decide')[0]?.body).toMatchObject({
      direction: 'rollback',
      wait: 'decided',
    });
  });

  test('while the begin is under way rolls back what came of it', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methodsOf(settle);
    const abort = new AbortController();
    let begin: Asked | undefined;
    coordinator.next('begin', (asked) => {
      begin = asked;
    });
    const { ran, hook } = hookLog();
    const failed = settle.transaction({ signal: abort.signal }, (tx) => {
      tx.afterRollback(hook('rollback'));
      return credit(1);
    });
    await coordinator.until(() => begin !== undefined);
    abort.abort(new Error('enough'));
    await coordinator.roundTrip();
    expect(coordinator.verbs).toEqual(['begin']);
    begin?.usual();
    await expect(failed).rejects.toThrow('enough');
    expect(coordinator.verbs).toEqual(['begin', 'decide']);
    expect(ran).toEqual(['rollback']);
  });

  test('is heard even when the callback does it at once', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const abort = new AbortController();
    const reason = new Error('at once');
    const failed = settle.transaction({ signal: abort.signal }, () => {
      abort.abort(reason);
      return new Promise(() => undefined);
    });
    await expect(failed).rejects.toBe(reason);
    expect(coordinator.requests).toHaveLength(0);
  });

  test('ends branches that were not sent yet, and tries that are under way', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methodsOf(settle);
    const away = settle.remote({ service: 'hotel', method: 'book' });
    const abort = new AbortController();
    const reason = new Error('enough');
    let ends: PromiseSettledResult<unknown>[] = [];
    const ended = Promise.withResolvers<void>();
    coordinator.next('try', () => undefined);
    const failed = settle.transaction({ signal: abort.signal }, async () => {
      const first = away(null);
      await coordinator.until(() => coordinator.of('try').length === 1);
      abort.abort(reason);
      const second = credit(1);
      ends = await Promise.allSettled([first, second]);
      ended.resolve();
    });
    await expect(failed).rejects.toBe(reason);
    await ended.promise;
    expect(ends.map((end) => end.status === 'rejected' && end.reason)).toEqual([reason, reason]);
    expect(coordinator.verbs).toEqual(['begin', 'try', 'decide']);
  });

  test('before the start sends nothing; after the commit was sent it is ignored', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methodsOf(settle);
    const early = AbortSignal.abort(new Error('early'));
    await expect(settle.transaction({ signal: early }, () => credit(1))).rejects.toThrow('early');
    expect(coordinator.requests).toHaveLength(0);
    const abort = new AbortController();
    coordinator.next('decide', (asked) => {
      abort.abort(new Error('late'));
      asked.usual();
    });
    expect(await settle.transaction({ signal: abort.signal }, () => credit(1))).toBe(2);
  });
});
