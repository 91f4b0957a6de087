/** How participants are asked: again, when they said so, and never for what is owed no more. */
import { describe, expect, test } from 'vitest';
import type { CallAnswer, TransactionAnswer } from '../../client-sdk/protocol/index.ts';
import { createStage, done, type Stage, stepsOf, twoBranches } from './stage.ts';

const begin = (stage: Stage) =>
  stage.ask<TransactionAnswer>((e, a) => e.begin({ gid: 'g1', branches: twoBranches }, a));
const commit = (stage: Stage) =>
  stage.ask<TransactionAnswer>((e, a) =>
    e.decide({ gid: 'g1', direction: 'commit', wait: 'decided' }, a),
  );

/** Two steps that run side by side. */
const submit = (stage: Stage) =>
  stage.ask<TransactionAnswer>((e, a) => {
    const steps = stepsOf('a', 'b').map((step) => ({ ...step, after: [] }));
    e.submit({ gid: 's1', name: 'trip', steps }, a);
  });

const asked = (stage: Stage) => stage.calls.map((call) => `${call.operation}:${call.branchId}`);
const ongoing: CallAnswer = { outcome: 'ongoing' };
const timeOut: CallAnswer = { outcome: 'unknown', error: 'time-out' };
const refused: CallAnswer = { outcome: 'refused', error: 'sold out' };

async function committing(stage: Stage): Promise<void> {
  begin(stage);
  await stage.time.settle();
  commit(stage);
  await stage.time.advance(10);
}

describe('a participant that is at work', () => {
  test('is asked again after the poll time, or when it said', async () => {
    const stage = await createStage({ ongoingPollMs: 1_000 });
    const answers: CallAnswer[] = [ongoing, { outcome: 'ongoing', retryAfterMs: 5_000 }, done];
    stage.script((call) => (call.branchId === 1 ? done : (answers.shift() ?? done)));
    await committing(stage);
    await stage.time.advance(900);
    expect(asked(stage)).toEqual(['confirm:1', 'confirm:2']);
    await stage.time.advance(200);
    expect(asked(stage)).toHaveLength(3);
    expect(await stage.view('g1')).toMatchObject({ phase: 'committing' });
    await stage.time.advance(4_800);
    expect(asked(stage)).toHaveLength(3);
    await stage.time.advance(300);
    expect(await stage.view('g1')).toMatchObject({ phase: 'committed' });
  });

  test('does not hold up the record of the others', async () => {
    const stage = await createStage();
    stage.script((call) => (call.branchId === 1 ? done : ongoing));
    await committing(stage);
    // The other may follow soon and share the row, so it waits a little.
    await stage.time.advance(30);
    expect(stage.appended).toEqual(['g1/1', 'g1/2', 'g1/3']);
  });

  test('for longer than 5 minutes asks for a human', async () => {
    const stage = await createStage();
    stage.script(() => ongoing);
    await committing(stage);
    await stage.time.advance(290_000);
    expect(await stage.view('g1')).toMatchObject({ attention: null });
    await stage.time.advance(20_000);
    expect(await stage.view('g1')).toMatchObject({ attention: { reason: 'retries' } });
  });

  test('that says when to come again is not asked before', async () => {
    const stage = await createStage();
    stage.script(() => ({ ...timeOut, retryAfterMs: 20_000 }));
    await committing(stage);
    await stage.time.advance(19_900);
    expect(asked(stage)).toHaveLength(2);
    // Up to half as long again: whoever was told the same must not come back all at once.
    await stage.time.advance(10_200);
    expect(asked(stage)).toHaveLength(4);
  });
});

describe('what is owed no more', () => {
  test('is not asked again: a step that waited for its retry when the saga turned back', async () => {
    const stage = await createStage();
    stage.script((call) => (call.branchId === 2 && call.operation === 'run' ? timeOut : null));
    submit(stage);
    await stage.time.settle();
    await stage.answer(refused);
    await stage.time.advance(60_000);
    expect(asked(stage)).toEqual(['run:1', 'run:2', 'undo:2']);
  });

  test('may still answer, and nothing comes of it', async () => {
    const stage = await createStage();
    stage.script(() => null);
    submit(stage);
    await stage.time.settle();
    await stage.answer(refused);
    await stage.time.settle();
    expect(asked(stage)).toEqual(['run:1', 'run:2', 'undo:2']);
    await stage.answer(ongoing);
    await stage.time.advance(60_000);
    expect(asked(stage)).toEqual(['run:1', 'run:2', 'undo:2']);
  });
});

describe('a coordinator whose term is over', () => {
  async function fenced(first: Stage): Promise<void> {
    await createStage({}, first.store, first.time);
    first.ask<TransactionAnswer>((e, a) => e.begin({ gid: 'g2' }, a));
    await first.time.settle();
    expect(first.fencedCount()).toBe(1);
  }

  test('makes no call that waited for its retry', async () => {
    const first = await createStage({ retry: { initialMs: 10_000, capMs: 10_000 } });
    first.script(() => timeOut);
    await committing(first);
    const before = first.calls.length;
    await fenced(first);
    await first.time.advance(60_000);
    expect(first.calls).toHaveLength(before);
    expect(first.engine.stats().timers).toBe(0);
  });

  test('makes no call after a late answer', async () => {
    const first = await createStage();
    first.script(() => null);
    await committing(first);
    await fenced(first);
    await first.answer(ongoing);
    await first.answer(timeOut);
    await first.time.advance(60_000);
    expect(asked(first)).toEqual(['confirm:1', 'confirm:2']);
  });

  test('asks no next step after a late answer', async () => {
    const first = await createStage();
    first.script(() => null);
    const steps = stepsOf('a', 'b');
    first.ask<TransactionAnswer>((e, a) => e.submit({ gid: 's1', name: 'trip', steps }, a));
    await first.time.settle();
    await fenced(first);
    await first.answer(done);
    await first.time.advance(60_000);
    expect(asked(first)).toEqual(['run:1']);
  });
});

test('when it is asked again is shown in whole milliseconds', async () => {
  const stage = await createStage();
  // Who is told when to come again gets some jitter on top.
  stage.script(() => ({ ...timeOut, retryAfterMs: 20_000 }));
  await committing(stage);
  const { branches } = await stage.view('g1');
  const times = branches.map(({ nextAttemptAtMs }) => nextAttemptAtMs);
  expect(times.every(Number.isSafeInteger), String(times)).toBe(true);
});
