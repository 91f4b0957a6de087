/**
 * A global transaction from the initiator's side, against a scripted coordinator: what is sent and
 * when, and above all what the initiator may say of the outcome when answers are lost. Rollback,
 * abort and context have files of their own.
 */
import { describe, expect, test } from 'vitest';
import { currentTransaction } from '../../client-sdk/index.ts';
import { type Asked, answer, ScriptedCoordinator } from './scripted-coordinator.ts';
import { connectTo, hookLog, idle, methodsOf, settleErrorOf } from './support.ts';

describe('begin and register', () => {
  test('branches started together share the begin; the end is one decision', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { debit, credit } = methodsOf(settle);
    const options = { name: 'transfer', timeout: '5s', labels: { order: '7' } } as const;
    const value = await settle.transaction(options, async (tx) => {
      expect(coordinator.requests).toHaveLength(0);
      const [paid, got] = await Promise.all([debit(500), credit(500)]);
      expect(tx.phase).toBe('active');
      return { paid, got, gid: tx.gid };
    });
    expect(value).toMatchObject({ paid: '500', got: 501 });
    expect(coordinator.requests.map(({ verb, body }) => [verb, body])).toEqual([
      [
        'begin',
        {
          gid: value.gid,
          name: 'transfer',
          timeoutMs: 5_000,
          labels: { order: '7' },
          // credit needs no schema, so it was first; debit came some microtasks later.
          branches: [
            { participant: { service: 'bank', method: 'credit' }, payload: 500 },
            { participant: { service: 'bank', method: 'debit' }, payload: 500 },
          ],
        },
      ],
      ['decide', { gid: value.gid, direction: 'commit', wait: 'completed', waitMs: 2_000 }],
    ]);
  });

  test('later branches are registered, those of one tick together', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { debit, credit } = methodsOf(settle);
    await settle.transaction({}, async () => {
      await credit(1);
      await Promise.all([credit(2), debit(3), credit(4)]);
      await credit(5);
    });
    expect(coordinator.verbs).toEqual(['begin', 'register', 'register', 'decide']);
    const [first, second] = coordinator.of('register');
    expect(first?.body['branches']).toHaveLength(3);
    expect(first?.body['request']).not.toBe(second?.body['request']);
  });

  test('a branch that comes while the begin is under way waits for it', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methodsOf(settle);
    let begin: Asked | undefined;
    coordinator.next('begin', (asked) => {
      begin = asked;
    });
    await settle.transaction({}, async () => {
      const first = credit(1);
      await coordinator.until(() => begin !== undefined);
      const second = credit(2);
      await new Promise(setImmediate);
      expect(coordinator.verbs).toEqual(['begin']);
      begin?.usual();
      await Promise.all([first, second]);
    });
    expect(coordinator.verbs).toEqual(['begin', 'register', 'decide']);
  });

  test('no branch, no call', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { ran, hook } = hookLog();
    await settle.transaction({}, (tx) => tx.afterCommit(hook('commit')));
    const failure = new Error('before anything');
    const failed = settle.transaction({}, (tx) => {
      tx.afterRollback(hook('rollback'));
      throw failure;
    });
    await expect(failed).rejects.toBe(failure);
    expect(coordinator.requests).toHaveLength(0);
    expect(ran).toEqual(['commit', 'rollback']);
  });

  test('headers begin it, so that their receiver can register', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    await settle.transaction({}, async (tx) => {
      expect(await tx.headers()).toEqual({ 'settle-gid': tx.gid });
      expect(coordinator.verbs).toEqual(['begin']);
      await tx.headers();
    });
    expect(coordinator.verbs).toEqual(['begin', 'decide']);
  });

  test('no try runs when the deadline was faster than a begin that was sent twice', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const cause = { kind: 'deadline' } as const;
    let tries = 0;
    const count = settle.tcc('count', { try: () => ++tries, ...idle });
    coordinator
      .next('begin', (asked) => asked.cut())
      .next('begin', (asked) =>
        asked.reply(answer(asked.body, 'rolledBack', { cause, branchIds: [1] })),
      )
      .next('get', (asked) => asked.reply(answer(asked.body, 'rolledBack', { cause })))
      .next('decide', (asked) => asked.problem('ALREADY_ROLLED_BACK'));
    const failed = settle.transaction({}, () => count(null));
    expect((await settleErrorOf(failed, 'ROLLED_BACK')).cause).toEqual(cause);
    expect(tries).toBe(0);
  });

  test('a transaction whose begin was refused sends nothing else', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methodsOf(settle);
    coordinator.next('begin', (asked) => asked.problem('LIMIT_EXCEEDED'));
    await settleErrorOf(
      settle.transaction({}, () => credit(1)),
      'LIMIT_EXCEEDED',
    );
    expect(coordinator.verbs).toEqual(['begin']);
  });

  test.each([
    [{ timeout: '5 s' }, 'timeout'],
    [{ timeout: 9 }, 'timeout'],
    [{ timeout: '31h', waitMs: 60_001 }, 'waitMs'],
  ])('options outside their range are refused: %o', async (options, name) => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    // A string from a configuration file, as it could come at run time.
    const failed = settle.transaction(options as { timeout: '5s' }, () => undefined);
    const error = await settleErrorOf(failed, 'INVALID_REQUEST');
    expect(error.detail).toContain(`${name} is`);
  });
});

describe('commit', () => {
  test('committing within the wait is a success', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methodsOf(settle);
    coordinator.next('decide', (asked) => asked.reply(answer(asked.body, 'committing')));
    const { ran, hook } = hookLog();
    let phase: unknown;
    const value = await settle.transaction({ wait: 'decided', waitMs: 0 }, async (tx) => {
      tx.afterCommit(() => {
        phase = tx.phase;
      });
      tx.afterCommit(() => Promise.reject(new Error('a hook may fail')));
      tx.afterCommit(async () => {
        await null;
        hook(`context ${currentTransaction()}`)();
      });
      tx.afterRollback(hook('rollback'));
      return credit(1);
    });
    expect(value).toBe(2);
    expect(phase).toBe('committing');
    expect(ran).toEqual(['context undefined']);
    expect(coordinator.of('decide')[0]?.body).toMatchObject({ wait: 'decided', waitMs: 0 });
  });

  test('whose answer is lost is asked again and tells the truth', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methodsOf(settle);
    coordinator.next('decide', (asked) => asked.cut());
    expect(await settle.transaction({}, () => credit(1))).toBe(2);
    const [first, second] = coordinator.of('decide');
    expect(second?.body).toEqual(first?.body);
  });

  test('whose answer never comes is UNKNOWN: no hook runs, nothing is rolled back', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator, { requestTimeoutMs: 60 });
    const { credit } = methodsOf(settle);
    coordinator.next('decide', () => undefined);
    const { ran, hook } = hookLog();
    let phase: unknown;
    const failed = settle.transaction({ waitMs: 0 }, async (tx) => {
      tx.afterCommit(hook('commit'));
      tx.afterRollback(hook('rollback'));
      phase = () => tx.phase;
      return credit(1);
    });
    const error = await settleErrorOf(failed, 'UNKNOWN');
    expect(error.detail).toContain('it may still commit; ask settle.get(gid)');
    expect(error.gid).toBe(coordinator.of('begin')[0]?.body['gid']);
    expect(ran).toEqual([]);
    expect((phase as () => string)()).toBe('active');
    expect(coordinator.verbs).toEqual(['begin', 'decide']);
  });

  test('that loses against the deadline is ROLLED_BACK, with the recorded cause', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methodsOf(settle);
    const cause = { kind: 'deadline', detail: '30000 ms' } as const;
    coordinator
      .next('decide', (asked) => asked.problem('ALREADY_ROLLED_BACK'))
      .next('get', (asked) => asked.reply(answer(asked.body, 'rolledBack', { cause })));
    const { ran, hook } = hookLog();
    const failed = settle.transaction({}, async (tx) => {
      tx.afterCommit(hook('commit'));
      tx.afterRollback(hook('rollback'));
      await credit(1);
    });
    const error = await settleErrorOf(failed, 'ROLLED_BACK');
    expect(error.cause).toEqual(cause);
    expect(error.detail).toBe('cause: deadline: 30000 ms');
    expect(ran).toEqual(['rollback']);
  });

  test('is ROLLED_BACK even when the cause cannot be read', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methodsOf(settle);
    coordinator
      .next('decide', (asked) => asked.problem('ALREADY_ROLLED_BACK'))
      .next('get', (asked) => asked.problem('NOT_FOUND'));
    const failed = settle.transaction({}, () => credit(1));
    expect((await settleErrorOf(failed, 'ROLLED_BACK')).cause).toBeUndefined();
  });

  test('that certainly was not taken says so, and does not say "rolled back"', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methodsOf(settle);
    coordinator.next('decide', (asked) => asked.problem('OVERLOADED', { retryAfterMs: 60_000 }));
    const failed = settle.transaction({}, () => credit(1));
    const error = await settleErrorOf(failed, 'OVERLOADED');
    expect(error.detail).toContain('it rolls back at its deadline');
  });

  test('waits for branches that nobody awaited', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const gate = Promise.withResolvers<void>();
    const slow = settle.tcc('slow', { try: () => gate.promise, ...idle });
    const done = settle.transaction({}, () => {
      void slow(null);
    });
    await coordinator.until(() => coordinator.verbs.length === 1);
    await new Promise(setImmediate);
    expect(coordinator.verbs).toEqual(['begin']);
    gate.resolve();
    await done;
    expect(coordinator.verbs).toEqual(['begin', 'decide']);
  });

  test('waits for branches that branches led to', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methodsOf(settle);
    const twice = async (): Promise<void> => {
      await credit(1);
      await credit(2);
    };
    await settle.transaction({}, () => {
      void twice().then(() => credit(3));
    });
    expect(coordinator.verbs).toEqual(['begin', 'register', 'register', 'decide']);
  });

  test('is not possible after it has returned', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methodsOf(settle);
    const gate = Promise.withResolvers<void>();
    let late: Promise<number> | undefined;
    await settle.transaction({}, async () => {
      await credit(1);
      late = gate.promise.then(() => credit(2));
    });
    gate.resolve();
    const error = await settleErrorOf(late ?? Promise.resolve(), 'INVALID_REQUEST');
    expect(error.detail).toBe('this transaction is over');
    expect(coordinator.verbs).toEqual(['begin', 'decide']);
  });
});
