/** Defining and running sagas against a scripted coordinator. */
import { describe, expect, test } from 'vitest';
import { type Settle, TerminalError } from '../../client-sdk/index.ts';
import { type Asked, answer, ScriptedCoordinator } from './scripted-coordinator.ts';
import { cents, connectTo, settleErrorOf } from './support.ts';

const elsewhere = { participant: { url: 'http://127.0.0.1:7500/car' } } as const;

function trip(settle: Settle) {
  return settle
    .saga<{ days: number }>('trip', { timeout: '1m' })
    .step('flight', { run: (_db, { input }) => ({ seat: input.days }) })
    .step('hotel', { attempts: 5, run: (_db, { results }) => `room ${results.flight.seat}` })
    .step('mail', { after: [], pivot: true, run: () => null })
    .step('car', { after: ['flight', 'mail'], ...elsewhere });
}

const committed = (asked: Asked, results: object = {}): void =>
  asked.reply(answer(asked.body, 'committed', { mode: 'saga', results }));

describe('a definition', () => {
  test('is a value: each step gives a new saga, local steps are offered', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const start = settle.saga('trip');
    const one = start.step('flight', elsewhere);
    const two = one.step('hotel', elsewhere);
    expect([start, one, two].map((saga) => saga.steps.length)).toEqual([0, 1, 2]);
    trip(settle);
    await settle.ready();
    expect(coordinator.hellos.at(-1)?.methods).toEqual(['trip.flight', 'trip.hotel', 'trip.mail']);
  });

  test.each([
    ['a name that is taken', 'flight', undefined, 'there is a step "flight" already'],
    ['a name that is none', 'a b', undefined, '"a b" cannot name a step'],
    ['an unknown name in after', 'car', ['bus'], 'step "car" comes after "bus"'],
    ['itself in after', 'car', ['car'], 'step "car" comes after "car"'],
  ])('refuses %s', async (_name, name, after, detail) => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const saga = settle.saga('trip').step('flight', elsewhere);
    // As JavaScript could call it: the types refuse all of these.
    const step = saga.step as (name: string, definition: object) => unknown;
    const more = after === undefined ? {} : { after };
    expect(() => step(name, { ...elsewhere, ...more })).toThrow(`INVALID_SAGA`);
    expect(() => step(name, { ...elsewhere, ...more })).toThrow(detail);
  });

  test('has 256 steps at most', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    type Loose = { step(name: string, definition: object): Loose };
    let saga = settle.saga('long') as unknown as Loose;
    for (let n = 0; n < 256; n += 1) saga = saga.step(`s${n}`, elsewhere);
    expect(() => saga.step('s256', elsewhere)).toThrow(/at most 256 steps/);
  });

  test('its steps see input and results; an undo may know no result', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const seen: unknown[] = [];
    settle
      .saga('pay', { input: cents })
      .step('one', { run: (_db, { input }) => `${input}` })
      .step('two', {
        run: (_db, { input, results, call }) => {
          seen.push(input, results, call.key);
          throw new TerminalError('no');
        },
        undo: (_db, { result, call }) => void seen.push(result, call.key, call.forwardKey),
      });
    const call = { gid: 'g', branchId: 2, method: 'pay.two', payload: 5 } as const;
    const results = { one: '5' };
    expect(await coordinator.call({ ...call, operation: 'run', results })).toEqual({
      outcome: 'refused',
      error: 'no',
    });
    expect(await coordinator.call({ ...call, operation: 'undo', results })).toEqual({
      outcome: 'done',
      result: null,
    });
    expect(seen).toEqual([5n, results, 'g/2/run', undefined, 'g/2/undo', 'g/2/run']);
  });

  test('a step on its own is offered for the sagas of others', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const reserve = settle.step('reserve', { run: (_db, { input }: { input: number }) => input });
    expect(reserve.participant).toEqual({ service: 'bank', method: 'reserve' });
    await settle.ready();
    expect(coordinator.hellos.at(-1)?.methods).toEqual(['reserve']);
  });
});

describe('run', () => {
  test('submits the saga and gives its results', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const results = { flight: { seat: 3 }, hotel: 'room 3', mail: null, car: 'red' };
    coordinator.next('submit', (asked) => committed(asked, results));
    const options = { id: 'order-7', labels: { order: '7' }, waitMs: 5_000 };
    const outcome = await settle.run(trip(settle), { days: 3 }, options);
    expect(outcome).toEqual({ gid: 'order-7', phase: 'committed', results });
    expect(coordinator.of('submit')[0]?.body).toEqual({
      gid: 'order-7',
      name: 'trip',
      input: { days: 3 },
      timeoutMs: 60_000,
      labels: { order: '7' },
      wait: 'completed',
      waitMs: 5_000,
      steps: [
        { name: 'flight', participant: { service: 'bank', method: 'trip.flight' } },
        { name: 'hotel', participant: { service: 'bank', method: 'trip.hotel' }, attempts: 5 },
        {
          name: 'mail',
          participant: { service: 'bank', method: 'trip.mail' },
          after: [],
          pivot: true,
        },
        { name: 'car', participant: elsewhere.participant, after: ['flight', 'mail'] },
      ],
    });
  });

  test('asks again, 60 s at a time, until the saga is finished', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    coordinator
      .next('submit', (asked) => asked.reply(answer(asked.body, 'active')))
      .next('get', (asked) => asked.reply(answer(asked.body, 'committing')))
      .next('get', (asked) => committed(asked));
    const outcome = await settle.run(trip(settle), { days: 3 }, { waitMs: 3_600_000 });
    expect(outcome.phase).toBe('committed');
    const waits = coordinator.requests.map(({ body }) => [body['wait'], body['waitMs']]);
    expect(waits).toEqual(Array.from({ length: 3 }, () => ['completed', 60_000]));
  });

  test('gives the phase when the wait is over, or not wanted', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const saga = trip(settle);
    coordinator
      .next('submit', (asked) => asked.reply(answer(asked.body, 'rollingBack')))
      .next('submit', (asked) => asked.reply(answer(asked.body, 'active')));
    const brief = await settle.run(saga, { days: 3 }, { id: 'a', waitMs: 0 });
    expect(brief).toEqual({ gid: 'a', phase: 'rollingBack', results: null });
    const submitted = await settle.run(saga, { days: 3 }, { id: 'b', wait: 'submitted' });
    expect(submitted).toEqual({ gid: 'b', phase: 'active', results: null });
    expect(coordinator.verbs).toEqual(['submit', 'submit']);
    expect(coordinator.of('submit')[1]?.body).not.toHaveProperty('waitMs');
  });

  test('is ROLLED_BACK with the recorded cause', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const cause = { kind: 'refused', branchId: 2, detail: 'no room' } as const;
    coordinator.next('submit', (asked) => asked.reply(answer(asked.body, 'rolledBack', { cause })));
    const failed = settle.run(trip(settle), { days: 3 });
    const error = await settleErrorOf(failed, 'ROLLED_BACK');
    expect(error).toMatchObject({ cause, detail: 'cause: refused (branch 2): no room' });
    expect(error.gid).toBe(coordinator.of('submit')[0]?.body['gid']);
  });

  test('whose submit is lost is sent again unchanged; without an answer it is UNKNOWN', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator, { requestTimeoutMs: 60 });
    coordinator.next('submit', (asked) => asked.cut()).next('submit', () => undefined);
    const failed = settle.run(trip(settle), { days: 3 }, { id: 'order-7', waitMs: 0 });
    expect((await settleErrorOf(failed, 'UNKNOWN')).gid).toBe('order-7');
    const [first, second] = coordinator.of('submit');
    expect(second?.body).toEqual(first?.body);
  });

  test('that was submitted but cannot be read is UNKNOWN, whatever the reason', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    coordinator
      .next('submit', (asked) => asked.reply(answer(asked.body, 'active')))
      .next('get', (asked) => asked.problem('NOT_FOUND'));
    const failed = settle.run(trip(settle), { days: 3 });
    expect((await settleErrorOf(failed, 'UNKNOWN')).cause).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('checks the input first; what it sends is what it was given', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const saga = settle.saga('pay', { input: cents }).step('one', elsewhere);
    const error = await settleErrorOf(settle.run(saga, 0.5), 'INVALID_REQUEST');
    expect(error.detail).toBe('input of pay: cents: expected whole cents');
    await settleErrorOf(settle.run(saga, 5, { id: 'a b' }), 'INVALID_REQUEST');
    expect(coordinator.requests).toHaveLength(0);
    await settle.run(saga, 5);
    expect(coordinator.of('submit')[0]?.body['input']).toBe(5);
  });

  test('aborted, it stops waiting; the saga goes on', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    const abort = new AbortController();
    const reason = new Error('enough waited');
    coordinator
      .next('submit', (asked) => asked.reply(answer(asked.body, 'active')))
      .next('get', () => abort.abort(reason));
    const failed = settle.run(trip(settle), { days: 3 }, { signal: abort.signal });
    await expect(failed).rejects.toBe(reason);
    expect(coordinator.verbs).toEqual(['submit', 'get']);
  });
});
