/**
 * A global transaction from the initiator's side, against a scripted coordinator: what is sent and
 * when, and above all what the initiator may say of the outcome when answers are lost.
 */
import { describe, expect, test } from 'vitest';
import {
  currentTransaction,
  SettleError,
  TerminalError,
  type TransactionContext,
} from '../../client-sdk/index.ts';
import type { Settle } from '../../client-sdk/settle.ts';
import { type Asked, answer, ScriptedCoordinator } from './scripted-coordinator.ts';
import { cents, connectTo, idle, settleErrorOf } from './support.ts';

function methods(settle: Settle) {
  return {
    debit: settle.tcc('debit', { input: cents, try: (_db, input) => `${input}`, ...idle }),
    credit: settle.tcc('credit', { try: async (_db, input: number) => input + 1, ...idle }),
    refuse: settle.tcc('refuse', {
      try: (): never => {
        throw new TerminalError('no money');
      },
      ...idle,
    }),
  };
}

function fail(): never {
  throw new Error('there is no transaction');
}

/** Which hooks ran. */
function hookLog(): { readonly ran: string[]; readonly hook: (name: string) => () => void } {
  const ran: string[] = [];
  return { ran, hook: (name) => () => void ran.push(name) };
}

describe('begin and register', () => {
  test('branches started together share the begin; the end is one decision', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { debit, credit } = methods(settle);
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
    const { debit, credit } = methods(settle);
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
    const { credit } = methods(settle);
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
    const { credit } = methods(settle);
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
    const { credit } = methods(settle);
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
    const { credit } = methods(settle);
    coordinator.next('decide', (asked) => asked.cut());
    expect(await settle.transaction({}, () => credit(1))).toBe(2);
    const [first, second] = coordinator.of('decide');
    expect(second?.body).toEqual(first?.body);
  });

  test('whose answer never comes is UNKNOWN: no hook runs, nothing is rolled back', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator, { requestTimeoutMs: 60 });
    const { credit } = methods(settle);
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
    const { credit } = methods(settle);
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
    const { credit } = methods(settle);
    coordinator
      .next('decide', (asked) => asked.problem('ALREADY_ROLLED_BACK'))
      .next('get', (asked) => asked.problem('NOT_FOUND'));
    const failed = settle.transaction({}, () => credit(1));
    expect((await settleErrorOf(failed, 'ROLLED_BACK')).cause).toBeUndefined();
  });

  test('that certainly was not taken says so, and does not say "rolled back"', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methods(settle);
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
    const { credit } = methods(settle);
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
    const { credit } = methods(settle);
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

describe('rollback', () => {
  test('a throw rolls back and comes out as it is', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methods(settle);
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
    const { credit, refuse } = methods(settle);
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
    const { debit, credit } = methods(settle);
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
    const { credit } = methods(settle);
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
    const { credit } = methods(settle);
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
    const { credit } = methods(settle);
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
    const { credit } = methods(settle);
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
    const { refuse } = methods(settle);
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
    const { credit } = methods(settle);
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

test('the signal tells the same when it is looked at late', async () => {
  await using coordinator = await ScriptedCoordinator.start();
  await using settle = await connectTo(coordinator);
  const { credit } = methods(settle);
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
    const { credit } = methods(settle);
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
    const { credit } = methods(settle);
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
    const { credit } = methods(settle);
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
    const { credit } = methods(settle);
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

describe('context', () => {
  test('an inner transaction joins the outer one and dooms it by its throw', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit } = methods(settle);
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
    const { credit, refuse } = methods(settle);
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
    await settleErrorOf(methods(settle).credit(1), 'NO_TRANSACTION');
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

test('nobody is left with an unhandled rejection', async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  try {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const { credit, refuse } = methods(settle);
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
