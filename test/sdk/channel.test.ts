/**
 * The channel, against a real WebSocket server that loses answers, cuts lines and refuses. The rule
 * under test: a request is asked again until its time is over, and what may have happened is never
 * called failed.
 */
import { describe, expect, test } from 'vitest';
import { limits, type ServerMessage } from '../../client-sdk/protocol/index.ts';
import { version } from '../../client-sdk/version.ts';
import { type Asked, ScriptedCoordinator } from './scripted-coordinator.ts';
import { connectTo, idle, settleErrorOf } from './support.ts';

describe('requests', () => {
  test('go out in frames of at most 64, once per tick', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    coordinator.frameSizes.length = 0;
    await Promise.all(Array.from({ length: 150 }, (_, n) => settle.get(`gid-${n}`)));
    expect(coordinator.frameSizes).toEqual([64, 64, 22]);
  });

  test('large ones share no frame beyond 1 MiB', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    coordinator.frameSizes.length = 0;
    const reason = 'é'.repeat(511);
    const steps = Array.from({ length: 40 }, () => settle.rollback('gid', reason));
    await Promise.all(steps);
    const large = settle.saga<string>('large').step('one', { participant: { url: 'http://x/' } });
    await Promise.all(Array.from({ length: 40 }, () => settle.run(large, 'x'.repeat(60_000))));
    expect(Math.max(...coordinator.frameSizes.slice(1))).toBeLessThanOrEqual(18);
  });

  test('wait here beyond the window that the welcome gave', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    coordinator.requestsMax = 3;
    const held: Asked[] = [];
    for (let n = 0; n < 10; n += 1) coordinator.next('get', (asked) => void held.push(asked));
    await using settle = await connectTo(coordinator);
    const all = Promise.all(Array.from({ length: 10 }, (_, n) => settle.get(`gid-${n}`)));
    const order: unknown[] = [];
    for (let n = 0; n < 10; n += 1) {
      await coordinator.until(() => held.length > 0);
      expect(held.length).toBeLessThanOrEqual(3);
      const asked = held.shift();
      order.push(asked?.body['gid']);
      asked?.usual();
    }
    await all;
    expect(order).toEqual(Array.from({ length: 10 }, (_, n) => `gid-${n}`));
  });

  test('whose answer was lost are sent again over the next connection, in their order', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    coordinator.next('get', () => undefined).next('get', (asked) => asked.cut());
    await Promise.all([settle.get('a'), settle.get('b')]);
    expect(coordinator.requests.map((asked) => [asked.connection, asked.body['gid']])).toEqual([
      [1, 'a'],
      [1, 'b'],
      [2, 'a'],
      [2, 'b'],
    ]);
  });

  test('hear one answer: duplicates and answers to nobody are ignored', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    coordinator.next('get', (asked) => {
      const stray: ServerMessage = { kind: 'reply', id: 999_999, body: { gid: 'stray' } };
      coordinator.send(stray);
      asked.reply({ gid: 'first' });
      asked.reply({ gid: 'second' });
      asked.problem('INTERNAL');
    });
    expect(await settle.get('a')).toEqual({ gid: 'first' });
    expect((await settle.get('b')).gid).toBe('b');
  });

  test('are asked again later when the coordinator says so', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    coordinator
      .next('get', (asked) => asked.problem('OVERLOADED', { retryAfterMs: 1 }))
      .next('get', (asked) => asked.problem('LOG_UNAVAILABLE', { retryAfterMs: 1 }))
      .next('get', (asked) => asked.problem('STOPPING', { retryAfterMs: 1 }))
      .next('get', (asked) => asked.problem('FENCED', { retryAfterMs: 1 }));
    await settle.get('a');
    expect(coordinator.of('get')).toHaveLength(5);
  });

  test('end with the final problem of the coordinator', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    coordinator.next('get', (asked) => asked.problem('NOT_FOUND', { detail: 'no gid a.' }));
    const error = await settleErrorOf(settle.get('a'), 'NOT_FOUND');
    expect(error).toMatchObject({ detail: 'no gid a.', gid: 'a', retryable: false });
    expect(error.message).toBe(
      'NOT_FOUND: There is no global transaction with this gid, or no such address — no gid a. ' +
        'Check the gid, and that this coordinator uses the log in which it was begun. (gid a)',
    );
    expect(coordinator.of('get')).toHaveLength(1);
  });

  test('a code of a newer coordinator is INTERNAL, never a refusal', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    coordinator.next('get', () =>
      coordinator.sendRaw('[{"kind":"problem","id":1,"problem":{"code":"NEW","detail":"x"}}]'),
    );
    const error = await settleErrorOf(settle.get('a'), 'INTERNAL');
    expect(error.detail).toContain('"NEW"');
  });

  test('larger than a frame are refused before they are sent', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const labels = { label: 'x'.repeat(limits.bodyBytesMax) };
    const saga = settle.saga('large').step('one', { participant: { url: 'http://x/' } });
    await settleErrorOf(settle.run(saga, null, { labels }), 'LIMIT_EXCEEDED');
    expect(coordinator.requests).toHaveLength(0);
  });
});

describe('when the time is over', () => {
  test('what was sent is UNKNOWN', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator, { requestTimeoutMs: 30 });
    coordinator.next('get', () => undefined);
    await settleErrorOf(settle.get('a'), 'UNKNOWN');
  });

  test('what was lost with its connection is UNKNOWN, though nobody is there to ask', async () => {
    const coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator, { requestTimeoutMs: 100 });
    coordinator.next('get', (asked) => {
      asked.cut();
      void coordinator[Symbol.asyncDispose]();
    });
    await settleErrorOf(settle.get('a'), 'UNKNOWN');
  });

  test('what was never sent is UNREACHABLE', async () => {
    const coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator, { requestTimeoutMs: 50 });
    await coordinator[Symbol.asyncDispose]();
    while (settle.isConnected) await new Promise(setImmediate);
    const error = await settleErrorOf(settle.get('a'), 'UNREACHABLE');
    expect(error.detail).toContain('get was not sent');
  });

  test('what was turned away for sure keeps the reason', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator, { requestTimeoutMs: 5_000 });
    // The last answer asks for more time than there is; so no request is under way when it ends.
    coordinator
      .next('get', (asked) => asked.problem('OVERLOADED', { retryAfterMs: 5 }))
      .next('get', (asked) => asked.problem('OVERLOADED', { retryAfterMs: 5 }))
      .next('get', (asked) => asked.problem('OVERLOADED', { retryAfterMs: 5_000 }));
    await settleErrorOf(settle.get('a'), 'OVERLOADED');
    expect(coordinator.of('get')).toHaveLength(3);
  });

  test('what may have been taken by a stopping coordinator is UNKNOWN', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator, { requestTimeoutMs: 50 });
    coordinator
      .next('get', (asked) => asked.problem('STOPPING', { retryAfterMs: 5 }))
      .next('get', (asked) => asked.problem('OVERLOADED', { retryAfterMs: 5_000 }));
    await settleErrorOf(settle.get('a'), 'UNKNOWN');
  });

  test('one that is not waited for any more keeps its place in the window', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    coordinator.requestsMax = 1;
    await using settle = await connectTo(coordinator, { requestTimeoutMs: 40 });
    let first: Asked | undefined;
    coordinator.next('get', (asked) => {
      first = asked;
    });
    await settleErrorOf(settle.get('a'), 'UNKNOWN');
    const second = settle.get('b');
    await coordinator.roundTrip();
    expect(coordinator.of('get')).toHaveLength(1);
    first?.usual();
    expect((await second).gid).toBe('b');
  });

  test('that place is free again over the next connection', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    coordinator.requestsMax = 1;
    await using settle = await connectTo(coordinator, { requestTimeoutMs: 500 });
    const abort = new AbortController();
    const saga = settle.saga('trip').step('one', { participant: { url: 'http://x/' } });
    coordinator.next('submit', () => abort.abort(new Error('enough')));
    await expect(settle.run(saga, null, { signal: abort.signal })).rejects.toThrow('enough');
    coordinator.cut();
    expect((await settle.get('b')).gid).toBe('b');
  });
});

describe('connections', () => {
  test('connect rejects with UNREACHABLE when nobody is there', async () => {
    const gone = await ScriptedCoordinator.start();
    const { url } = gone;
    await gone[Symbol.asyncDispose]();
    const error = await settleErrorOf(connectTo({ url }, {}, { welcomeMsMax: 50 }), 'UNREACHABLE');
    expect(error.detail).toMatch(/ECONNREFUSED/);
  });

  test('connect rejects at once when the coordinator refuses to speak', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    coordinator.greet = (_hello, _welcome, close) => close(4_400);
    const error = await settleErrorOf(connectTo(coordinator), 'INVALID_REQUEST');
    expect(error.detail).toContain('refused by the script');
  });

  test.each([
    [{ url: 'ftp://x' }, 'url'],
    [{ url: 'nonsense' }, 'url'],
    [{ service: '' }, 'service'],
    [{ service: 'a b' }, 'service'],
    [{ instance: '-' }, 'instance'],
    [{ callsMax: 65_537 }, 'callsMax'],
    [{ callsMax: -1 }, 'callsMax'],
    [{ requestTimeoutMs: 0 }, 'requestTimeoutMs'],
  ])('connect refuses %o', async (options, setting) => {
    const error = await settleErrorOf(connectTo({ url: 'http://x' }, options), 'INVALID_CONFIG');
    expect(error.detail).toContain(`connect: ${setting} is`);
  });

  test('a coordinator that comes back on its port is found again', async () => {
    const first = await ScriptedCoordinator.start();
    const { port } = first;
    await using settle = await connectTo(first);
    await first[Symbol.asyncDispose]();
    const pending = settle.get('a');
    await using second = await ScriptedCoordinator.start(port);
    expect((await pending).gid).toBe('a');
    expect(second.hellos).toHaveLength(1);
  });

  test('a silent line is dropped and made anew', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator, {}, { silenceMsMax: 40 });
    await coordinator.until(() => coordinator.hellos.length === 2);
    await settle.ready();
    expect(settle.isConnected).toBe(true);
  });

  test('a ping is a sign of life', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator, {}, { silenceMsMax: 60 });
    const endsAt = performance.now() + 150;
    while (performance.now() < endsAt) {
      coordinator.ping();
      await new Promise(setImmediate);
    }
    expect(coordinator.connections).toBe(1);
    expect(settle.isConnected).toBe(true);
  });

  test('a process that stood still hears first what came meanwhile', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator, {}, { silenceMsMax: 60 });
    for (let stop = 0; stop < 3; stop += 1) {
      // Longer than the silence that is allowed, with a ping in the socket.
      coordinator.ping();
      const endsAt = performance.now() + 100;
      while (performance.now() < endsAt);
      await new Promise(setImmediate);
    }
    expect(coordinator.connections).toBe(1);
    expect(settle.isConnected).toBe(true);
  });

  test('a peer that sends no frames is left', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    coordinator.sendRaw('{"kind":"welcome"}');
    await coordinator.until(() => coordinator.hellos.length === 2);
    await settle.ready();
  });

  test('kinds of messages of a newer coordinator are left out', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    coordinator.sendRaw('[{"kind":"news","id":1},{"kind":"call","id":2}]');
    expect((await settle.get('a')).gid).toBe('a');
    expect(coordinator.connections).toBe(1);
  });
});

describe('methods and calls', () => {
  test('methods defined in a row are told in one hello; ready waits for its welcome', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const defined = { try: () => 1, ...idle };
    for (const name of ['a', 'b', 'c']) settle.tcc(name, defined);
    await settle.ready();
    expect(coordinator.hellos.map((hello) => hello.methods)).toEqual([[], ['a', 'b', 'c']]);
    coordinator.cut();
    await coordinator.until(() => coordinator.hellos.length === 3);
    expect(coordinator.hellos[2]?.methods).toEqual(['a', 'b', 'c']);
  });

  test('a method defined between hello and welcome is told, too', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const held = Promise.withResolvers<() => void>();
    coordinator.greet = (_hello, welcome) => held.resolve(welcome);
    coordinator.cut();
    const welcomeBack = await held.promise;
    coordinator.greet = (_hello, welcome) => welcome();
    settle.tcc('late', { try: () => 1, ...idle });
    await coordinator.until(() => coordinator.hellos.length === 3);
    expect(coordinator.hellos[2]?.methods).toEqual(['late']);
    expect(coordinator.connections).toBe(2);
    welcomeBack();
    await settle.ready();
    expect(settle.isConnected).toBe(true);
  });

  test('a call is answered by its method', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    settle.tcc('debit', { try: (_db, input: number) => input + 1, ...idle });
    const call = { gid: 'g', branchId: 1, operation: 'try', method: 'debit', payload: 4 } as const;
    expect(await coordinator.call(call)).toEqual({ outcome: 'done', result: 5 });
    expect(await coordinator.call({ ...call, method: 'nobody' })).toMatchObject({
      outcome: 'unknown',
    });
  });

  test('an answer is not sent over another connection than its call', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const gate = Promise.withResolvers<number>();
    settle.tcc('slow', { try: () => gate.promise, ...idle });
    const call = { gid: 'g', branchId: 1, operation: 'try', method: 'slow', payload: 4 } as const;
    let isAnswered = false;
    void coordinator.call(call).then(() => {
      isAnswered = true;
    });
    coordinator.cut();
    await coordinator.until(() => coordinator.hellos.length === 2);
    gate.resolve(1);
    await settle.get('a');
    expect(isAnswered).toBe(false);
  });

  test('more calls than callsMax are turned away, unasked', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator, { callsMax: 1 });
    const gate = Promise.withResolvers<number>();
    settle.tcc('slow', { try: () => gate.promise, ...idle });
    const call = { gid: 'g', branchId: 1, operation: 'try', method: 'slow', payload: 4 } as const;
    const first = coordinator.call(call);
    expect(await coordinator.call(call)).toMatchObject({ outcome: 'unknown', asked: false });
    gate.resolve(7);
    expect(await first).toEqual({ outcome: 'done', result: 7 });
  });

  test('questions about the process itself are answered however busy it is', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using _ = await connectTo(coordinator, { callsMax: 0 });
    const about = { gid: '-', branchId: 1, method: '-', payload: null } as const;
    expect(await coordinator.call({ ...about, operation: 'ping' })).toEqual({
      outcome: 'done',
      result: { version },
    });
    const connections = [{ database: 'db', id: 7 }];
    expect(
      await coordinator.call({ ...about, operation: 'holders', payload: { connections } }),
    ).toEqual({ outcome: 'done', result: { held: [] } });
    expect(await coordinator.call({ ...about, operation: 'holders' })).toMatchObject({
      outcome: 'refused',
    });
  });
});

describe('close', () => {
  test('takes no more calls, lets what is under way end, and is safe to repeat', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    const settle = await connectTo(coordinator);
    const gate = Promise.withResolvers<number>();
    const begun = Promise.withResolvers<void>();
    settle.tcc('slow', {
      try: () => {
        begun.resolve();
        return gate.promise;
      },
      ...idle,
    });
    const call = { gid: 'g', branchId: 1, operation: 'try', method: 'slow', payload: 4 } as const;
    const answered = coordinator.call(call);
    await begun.promise;
    const closed = settle.close();
    await coordinator.until(() => coordinator.hellos.at(-1)?.callsMax === 0);
    gate.resolve(3);
    expect(await answered).toEqual({ outcome: 'done', result: 3 });
    await closed;
    await settle.close();
    await settleErrorOf(settle.get('a'), 'UNREACHABLE');
    await settleErrorOf(settle.ready(), 'UNREACHABLE');
  });

  test('rejects what is still unanswered after the drain: UNKNOWN', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    const settle = await connectTo(coordinator, {}, { drainMsMax: 30 });
    coordinator.next('get', () => undefined);
    const pending = settleErrorOf(settle.get('a'), 'UNKNOWN');
    await coordinator.until(() => coordinator.of('get').length === 1);
    await settle.close();
    await pending;
  });

  test('does not wait without a connection', async () => {
    const coordinator = await ScriptedCoordinator.start();
    const settle = await connectTo(coordinator, {}, { drainMsMax: 60_000 });
    await coordinator[Symbol.asyncDispose]();
    while (settle.isConnected) await new Promise(setImmediate);
    const pending = settleErrorOf(settle.get('a'), 'UNREACHABLE');
    await settle.close();
    await pending;
  });
});
