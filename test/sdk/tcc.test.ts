/**
 * Calling business methods: here through the barrier without any network, elsewhere through the
 * coordinator; and which transaction a handler sees. The barrier's own rules have their own tests.
 */
import { describe, expect, test } from 'vitest';
import {
  currentTransaction,
  RetryableError,
  type SettleError,
  TerminalError,
} from '../../client-sdk/index.ts';
import { ScriptedCoordinator } from './scripted-coordinator.ts';
import { cents, connectTo, idle, settleErrorOf } from './support.ts';

describe('a method of this process', () => {
  test('is tried without any network, once its registration is durable', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const seen: unknown[] = [];
    const debit = settle.tcc('debit', {
      input: cents,
      try: (_db, input, call) => {
        seen.push(input, call, currentTransaction()?.branchId, coordinator.verbs);
        return { balance: 5 };
      },
      ...idle,
    });
    expect(debit.participant).toEqual({ service: 'bank', method: 'debit' });
    const result = await settle.transaction({}, async ({ gid }) => {
      const { balance } = await debit(500);
      return [balance, gid, currentTransaction()?.branchId];
    });
    const [balance, gid, outside] = result;
    expect([balance, outside]).toEqual([5, null]);
    const key = `${gid}/1/try`;
    const call = { gid, branchId: 1, operation: 'try', key, forwardKey: key };
    expect(seen).toEqual([500n, call, 1, ['begin']]);
  });

  test('sees the same input as confirm will: JSON', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const seen: unknown[] = [];
    const book = settle.tcc('book', {
      try: (_db, input: unknown) => void seen.push(input),
      ...idle,
    });
    const at = new Date(0);
    const plain = { day: 1, note: null };
    await settle.transaction({}, async () => {
      await book({ at, gone: undefined, list: [at] });
      await book(plain);
      await book(undefined);
    });
    const text = at.toISOString();
    expect(seen).toEqual([{ at: text, list: [text] }, plain, null]);
    expect(seen[1]).toBe(plain);
  });

  test.each([
    ['a BigInt', 1n, 'INVALID_REQUEST'],
    ['a function', () => 1, 'INVALID_REQUEST'],
    ['64 KiB and a byte', 'x'.repeat(65_535), 'LIMIT_EXCEEDED'],
    ['33 levels', Array.from({ length: 32 }).reduce((inner) => [inner], [1]), 'LIMIT_EXCEEDED'],
  ] as const)('takes no input that is %s', async (_name, input, code) => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const book = settle.tcc('book', { try: (_db, _input: unknown) => undefined, ...idle });
    await settleErrorOf(
      settle.transaction({}, () => book(input)),
      code,
    );
    expect(coordinator.requests).toHaveLength(0);
  });

  test.each([
    ['64 KiB', 'x'.repeat(65_534)],
    ['32 levels', Array.from({ length: 31 }).reduce((inner) => [inner], [1])],
  ])('takes input of %s', async (_name, input) => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const book = settle.tcc('book', { try: (_db, _input: unknown) => 1, ...idle });
    expect(await settle.transaction({}, () => book(input))).toBe(1);
  });

  test.each([
    [new TerminalError('no money'), 'REFUSED', 'no money'],
    [new RetryableError('later', { retryAfterMs: 9 }), 'UNKNOWN', 'later'],
    [new Error('boom'), 'UNKNOWN', 'boom'],
  ] as const)('that throws %s is %s', async (thrown, code, detail) => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const fail = settle.tcc('fail', {
      try: (): never => {
        throw thrown;
      },
      ...idle,
    });
    const error = await settleErrorOf(
      settle.transaction({}, () => fail(null)),
      code,
    );
    expect(error).toMatchObject({ detail, cause: thrown });
    expect(error.gid).toBe(coordinator.of('begin')[0]?.body['gid']);
  });

  test('may call branches of its own, under the same gid', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const inner = settle.tcc('inner', { try: (_db, input: number) => input * 2, ...idle });
    const outer = settle.tcc('outer', {
      try: async (_db, input: number) => {
        const headers = await currentTransaction()?.headers();
        return [await inner(input), headers];
      },
      ...idle,
    });
    const gid = await settle.transaction({}, async (tx) => {
      expect(await outer(4)).toEqual([8, { 'settle-gid': tx.gid, 'settle-branch': '1' }]);
      return tx.gid;
    });
    expect(coordinator.verbs).toEqual(['begin', 'register', 'decide']);
    expect(coordinator.of('register')[0]?.body['gid']).toBe(gid);
  });

  test('cannot be offered twice, nor under a name that is none', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const definition = { try: () => 1, ...idle };
    settle.tcc('debit', definition);
    expect(() => settle.tcc('debit', definition)).toThrow(/^CONFLICT/);
    expect(() => settle.tcc('a b', definition)).toThrow(/^INVALID_REQUEST/);
  });
});

describe('a call of the coordinator', () => {
  const call = { gid: 'g', branchId: 3, method: 'book', payload: 1 } as const;

  test('try sees its transaction and may register branches; confirm and cancel see none', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const seen: unknown[] = [];
    const note = () => void seen.push(currentTransaction()?.gid);
    const extra = settle.tcc('extra', { try: () => 'extra', ...idle });
    settle.tcc('book', {
      try: async () => {
        const tx = currentTransaction();
        seen.push([tx?.gid, tx?.branchId, await tx?.headers()]);
        return extra(null);
      },
      confirm: note,
      cancel: note,
    });
    expect(await coordinator.call({ ...call, operation: 'try' })).toEqual({
      outcome: 'done',
      result: 'extra',
    });
    await coordinator.call({ ...call, operation: 'confirm' });
    await coordinator.call({ ...call, operation: 'cancel' });
    const headers = { 'settle-gid': 'g', 'settle-branch': '3' };
    expect(seen).toEqual([['g', 3, headers], undefined, undefined]);
    expect(coordinator.requests.map(({ verb, body }) => [verb, body['gid']])).toEqual([
      ['register', 'g'],
    ]);
  });

  test('a try whose own branch failed is not done, even when it caught that', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const refuse = settle.tcc('refuse', {
      try: (): never => {
        throw new TerminalError('never');
      },
      ...idle,
    });
    settle.tcc('book', {
      try: async () => {
        await refuse(null).catch(() => undefined);
      },
      ...idle,
    });
    const answer = await coordinator.call({ ...call, operation: 'try' });
    expect(answer).toMatchObject({ outcome: 'refused' });
  });

  test('never inherits the transaction in which the client was made', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const seen: unknown[] = [];
    await settle.join('somebody-else', async () => {
      await using inner = await connectTo(coordinator, { service: 'hotel', instance: 'hotel-1' });
      inner.tcc('book', {
        try: () => void seen.push(currentTransaction()?.gid),
        confirm: () => void seen.push(currentTransaction()?.gid),
        cancel: () => undefined,
      });
      inner.step('clean', { run: () => void seen.push(currentTransaction()?.gid) });
      await inner.ready();
      await coordinator.call({ ...call, operation: 'try' });
      await coordinator.call({ ...call, operation: 'confirm' });
      await coordinator.call({ ...call, method: 'clean', operation: 'run' });
    });
    expect(seen).toEqual(['g', undefined, undefined]);
  });
});

describe('a method elsewhere', () => {
  test('is registered, then tried by the coordinator', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const book = settle.remote<{ room: number }, string>({ service: 'hotel', method: 'book' });
    const rent = settle.remote<null, { car: number }>({ url: 'http://127.0.0.1:7500/car' });
    coordinator
      .next('try', (asked) => asked.reply({ result: 'room 7' }))
      .next('try', (asked) => asked.reply({ result: { car: 1 } }));
    const value = await settle.transaction({}, () => Promise.all([book({ room: 7 }), rent(null)]));
    expect(value).toEqual(['room 7', { car: 1 }]);
    expect(coordinator.verbs).toEqual(['begin', 'try', 'try', 'decide']);
    expect(coordinator.of('begin')[0]?.body['branches']).toEqual([
      { participant: { service: 'hotel', method: 'book' }, payload: { room: 7 } },
      { participant: { url: 'http://127.0.0.1:7500/car' }, payload: null },
    ]);
    expect(coordinator.of('try').map((asked) => asked.body['branchId'])).toEqual([1, 2]);
  });

  test.each([
    ['REFUSED', 'no room'],
    ['METHOD_NOT_OFFERED', 'nobody there'],
    ['UNKNOWN', 'the participant did not answer in time'],
  ] as const)('its %s comes out, asked once', async (code, detail) => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const book = settle.remote({ service: 'hotel', method: 'book' });
    coordinator.next('try', (asked) => asked.problem(code, { detail }));
    const failed = settle.transaction({}, () => book(null));
    expect((await settleErrorOf(failed, code)).detail).toBe(detail);
    expect(coordinator.verbs).toEqual(['begin', 'try', 'decide']);
  });

  test('a try without an answer is asked again, then UNKNOWN', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator, { requestTimeoutMs: 60 });
    const book = settle.remote({ service: 'hotel', method: 'book' });
    coordinator.next('try', (asked) => asked.cut()).next('try', () => undefined);
    let caught: SettleError | undefined;
    const failed = settle.transaction({}, async () => {
      caught = await settleErrorOf(book(null), 'UNKNOWN');
    });
    expect(await settleErrorOf(failed, 'UNKNOWN')).toBe(caught);
    expect(coordinator.of('try')).toHaveLength(2);
  });

  test('has an address that can be used', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    for (const participant of [{ url: '/car' }, { service: 'a b', method: 'x' }]) {
      expect(() => settle.remote(participant)).toThrow(/^INVALID_REQUEST/);
    }
  });
});
