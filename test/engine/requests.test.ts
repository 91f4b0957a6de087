/** What requests are refused for, and how a try is passed on. */
import { describe, expect, test } from 'vitest';
import type { CallAnswer, TransactionAnswer, TryAnswer } from '../../client-sdk/protocol/index.ts';
import type { Answer } from '../../server/engine/coordinator.ts';
import type { Engine } from '../../server/engine/engine.ts';
import { createStage, type Stage, stepsOf, twoBranches } from './stage.ts';

const begin = (stage: Stage, branches = twoBranches) =>
  stage.ask<TransactionAnswer>((e, a) => e.begin({ gid: 'g1', branches }, a));
const tryBranch = (stage: Stage, branchId = 1) =>
  stage.ask<TryAnswer>((e, a) => e.tryBranch({ gid: 'g1', branchId }, a));
const decide = (stage: Stage, direction: 'commit' | 'rollback') =>
  stage.ask<TransactionAnswer>((e, a) => e.decide({ gid: 'g1', direction, wait: 'decided' }, a));

describe('a begin under a gid that is taken', () => {
  const debit = { participant: { service: 'bank', method: 'debit' }, payload: { cents: 500 } };
  const credit = { participant: { service: 'bank', method: 'credit' }, payload: { cents: 500 } };

  test.each([
    ['fewer', [debit]],
    ['more', [debit, credit, credit]],
    ['other', [debit, { ...credit, payload: { cents: 501 } }]],
  ])('with %s branches is a conflict', async (_, branches) => {
    const stage = await createStage();
    begin(stage);
    await stage.time.settle();
    const again = begin(stage, branches);
    await stage.time.settle();
    expect(again.answer).toMatchObject({ ok: false, code: 'CONFLICT' });
    expect(await stage.view('g1')).toMatchObject({ branches: [{}, {}] });
  });
});

describe('a gid of the coordinator’s own', () => {
  const gid = 'settle.audit.00000001';
  const participant = { service: 'bank', method: 'debit' };
  const asks: readonly (readonly [
    string,
    (e: Engine, a: (answer: Answer<unknown>) => void) => void,
  ])[] = [
    ['begin', (e, a) => e.begin({ gid, branches: twoBranches }, a)],
    ['submit', (e, a) => e.submit({ gid, name: 's', steps: stepsOf('fly') }, a)],
    ['register', (e, a) => e.register({ gid, request: 'r', branches: [{ participant }] }, a)],
    ['try', (e, a) => e.tryBranch({ gid, branchId: 1 }, a)],
    ['decide', (e, a) => e.decide({ gid, direction: 'commit' }, a)],
    ['get', (e, a) => e.get({ gid }, a)],
    ['undo', (e, a) => e.undo({ gid }, a)],
  ];

  test.each(asks)('is refused by %s, and nothing is stored or asked', async (_, ask) => {
    const stage = await createStage();
    const asked = stage.ask(ask);
    await stage.time.settle();
    expect(asked.answer).toMatchObject({ ok: false, code: 'INVALID_REQUEST' });
    expect([stage.appended, stage.calls, stage.engine.stats().open]).toEqual([[], [], 0]);
  });
});

describe('a try that is passed on', () => {
  const answers: readonly (readonly [string, CallAnswer, object])[] = [
    ['done', { outcome: 'done', result: 7 }, { ok: true, body: { result: 7 } }],
    ['refused', { outcome: 'refused', error: 'no' }, { ok: false, code: 'REFUSED' }],
    ['ongoing', { outcome: 'ongoing' }, { ok: false, code: 'ONGOING' }],
    ['a time-out', { outcome: 'unknown', error: 'time-out' }, { ok: false, code: 'UNKNOWN' }],
    [
      'asked of nobody',
      { outcome: 'unknown', error: 'gone', asked: false },
      { ok: false, code: 'METHOD_NOT_OFFERED' },
    ],
  ];

  test.each(answers)('is answered as it went: %s', async (_, answer, expected) => {
    const stage = await createStage();
    begin(stage);
    await stage.time.settle();
    stage.script(() => answer);
    const tried = tryBranch(stage);
    await stage.time.settle();
    expect(tried.answer).toMatchObject(expected);
    expect(stage.calls).toMatchObject([{ operation: 'try', branchId: 1, method: 'debit' }]);
  });

  test.each([
    ['commit', 'ALREADY_COMMITTED'],
    ['rollback', 'ALREADY_ROLLED_BACK'],
  ] as const)('is refused after the %s was decided', async (direction, code) => {
    const stage = await createStage();
    stage.script(() => null);
    begin(stage);
    await stage.time.settle();
    decide(stage, direction);
    await stage.time.settle();
    const tried = tryBranch(stage);
    await stage.time.settle();
    expect(tried.answer).toMatchObject({ ok: false, code });
    expect(stage.calls.filter((call) => call.operation === 'try')).toEqual([]);
  });

  test('is refused for a branch that is not registered', async () => {
    const stage = await createStage();
    begin(stage);
    await stage.time.settle();
    const tried = tryBranch(stage, 3);
    await stage.time.settle();
    expect(tried.answer).toMatchObject({ ok: false, code: 'NOT_FOUND' });
    expect(stage.calls).toEqual([]);
  });
});
