/** What a new term takes up: everything that is open, once, and nothing else. */
import { describe, expect, test } from 'vitest';
import type { TransactionAnswer } from '../../client-sdk/protocol/index.ts';
import { createStage, done, type Stage, twoBranches } from './stage.ts';

const gids = ['g1', 'g2', 'g3'];

/** A coordinator that dies with three transactions committing; nobody has answered it. */
async function dyingCoordinator(): Promise<Stage> {
  const stage = await createStage();
  stage.script(() => null);
  for (const gid of gids) {
    stage.ask<TransactionAnswer>((e, a) => e.begin({ gid, branches: twoBranches }, a));
  }
  await stage.time.settle();
  for (const gid of gids) {
    stage.ask<TransactionAnswer>((e, a) =>
      e.decide({ gid, direction: 'commit', wait: 'decided' }, a),
    );
  }
  await stage.time.advance(10);
  return stage;
}

/** Its successor reads one transaction every 50 ms. */
async function successorOf(first: Stage): Promise<Stage> {
  return createStage({ recoveryPerSecond: 20 }, first.store, first.time);
}

const callsOf = (stage: Stage, gid: string) => stage.calls.filter((call) => call.gid === gid);

describe('recovery', () => {
  test('goes on when the log could not be read for a while', async () => {
    const second = await successorOf(await dyingCoordinator());
    expect(second.engine.stats().recovered).toBe(1);
    second.mood('unreadable');
    await second.time.advance(500);
    expect(second.engine.stats()).toMatchObject({ state: 'recovering', recovered: 1 });
    second.mood('well');
    await second.time.advance(2_000);
    expect(second.engine.stats()).toMatchObject({ state: 'running', recovered: 3, open: 0 });
  });

  test('leaves alone what somebody has asked for before', async () => {
    const first = await dyingCoordinator();
    const second = await successorOf(first);
    second.script(() => null);
    expect(await second.view('g3')).toMatchObject({ phase: 'committing' });
    await second.time.advance(1_000);
    expect(second.engine.stats().state).toBe('running');
    expect(callsOf(second, 'g3')).toHaveLength(2);
  });

  test('leaves alone what ended while its page was read', async () => {
    const second = await successorOf(await dyingCoordinator());
    second.script((call) => (call.gid === 'g2' ? null : done));
    expect(await second.view('g2')).toMatchObject({ phase: 'committing' });
    second.readsTake(40);
    // At 50 ms the page is looked up, at 90 ms its rows are seen, at 130 ms they are there.
    await second.time.advance(100);
    await second.answer(done);
    await second.answer(done);
    await second.time.advance(1_000);
    expect(second.engine.stats()).toMatchObject({ state: 'running', open: 0 });
    expect(callsOf(second, 'g2')).toHaveLength(2);
  });

  test('takes up what somebody was reading, though that read fails', async () => {
    const second = await successorOf(await dyingCoordinator());
    second.script(() => null);
    second.readsTake(40);
    // The rows of the second page are on the way when a request reads the same transaction, in vain.
    await second.time.advance(100);
    second.mood('unreadable');
    const asked = second.ask((e, a) => e.get({ gid: 'g2' }, a));
    await second.time.advance(45);
    second.mood('well');
    await second.time.advance(2_000);
    expect(asked.answer).toMatchObject({ ok: false, code: 'LOG_UNAVAILABLE' });
    expect(second.engine.stats()).toMatchObject({ state: 'running', open: 2 });
    expect(callsOf(second, 'g2')).toHaveLength(2);
  });

  test('takes up what was asked to begin as something that cannot be', async () => {
    const second = await successorOf(await dyingCoordinator());
    second.script(() => null);
    second.readsTake(40);
    await second.time.advance(60);
    // Recovery is reading the second page; a saga without an order is refused before the log is asked.
    const steps = [{ name: 'a', participant: { service: 'trip', method: 'a' }, after: ['a'] }];
    const asked = second.ask((e, a) => e.submit({ gid: 'g2', name: 'trip', steps }, a));
    await second.time.advance(2_000);
    expect(asked.answer).toMatchObject({ ok: false });
    expect(second.engine.stats()).toMatchObject({ state: 'running', recovered: 3 });
    expect(callsOf(second, 'g2')).toHaveLength(2);
  });

  test('gives a transaction no more time than it had', async () => {
    const first = await createStage();
    first.ask<TransactionAnswer>((e, a) => e.begin({ gid: 'g1', branches: twoBranches }, a));
    await first.time.advance(20_000);
    const second = await createStage({}, first.store, first.time);
    await second.time.advance(9_000);
    expect(await second.view('g1')).toMatchObject({ phase: 'active' });
    await second.time.advance(1_500);
    expect(await second.view('g1')).toMatchObject({ phase: 'rolledBack' });
  });

  test('stops at a gid with a row missing, and at that gid alone', async () => {
    const first = await dyingCoordinator();
    const slots = first.store.slots.get('g1');
    const decision = slots?.get(2);
    if (decision === undefined) throw new Error('the decision is row 2');
    slots?.delete(2);
    slots?.set(3, { ...decision, seq: 3 });
    const second = await successorOf(first);
    await second.time.advance(1_000);
    const asked = second.ask((e, a) => e.get({ gid: 'g1' }, a));
    await second.time.settle();
    expect(asked.answer).toMatchObject({ ok: false, code: 'INTERNAL' });
    expect(callsOf(second, 'g1')).toEqual([]);
    expect(callsOf(second, 'g2')).toHaveLength(2);
  });
});
