/** Branches of kind at beside those of kind tcc: what is asked of them, shown of them and refused. */
import { describe, expect, test } from 'vitest';
import type { BranchSpec, TransactionAnswer, TryAnswer } from '../../client-sdk/protocol/index.ts';
import { createStage, type Stage } from './stage.ts';

const mixed: readonly BranchSpec[] = [
  { kind: 'at', participant: { service: 'shop', method: 'at.orders' } },
  { participant: { service: 'bank', method: 'debit' }, payload: { cents: 500 } },
];
const late: readonly BranchSpec[] = [
  { kind: 'at', participant: { service: 'store', method: 'at.stock' } },
];

const decide = (stage: Stage, direction: 'commit' | 'rollback') =>
  stage.ask<TransactionAnswer>((e, a) => e.decide({ gid: 'g1', direction, wait: 'decided' }, a));
const asked = (stage: Stage) => stage.calls.map((call) => `${call.branchId}:${call.operation}`);
const statesOf = async (stage: Stage) =>
  (await stage.view('g1')).branches.map(({ kind, state }) => `${kind} ${state}`);

/** A transaction with branches of both kinds, from the begin and from a register. */
async function begun(stage: Stage): Promise<void> {
  stage.ask<TransactionAnswer>((e, a) => e.begin({ gid: 'g1', branches: mixed }, a));
  await stage.time.settle();
  const request = { gid: 'g1', request: 'r1', branches: late };
  stage.ask<TransactionAnswer>((e, a) => e.register(request, a));
  await stage.time.settle();
}

describe('kinds mixed under one gid', () => {
  test.each([
    ['commit', ['1:commit', '2:confirm', '3:commit'], ['committed', 'confirmed', 'committed']],
    [
      'rollback',
      ['1:rollback', '2:cancel', '3:rollback'],
      ['rolledBack', 'cancelled', 'rolledBack'],
    ],
  ] as const)('%s asks each branch what its kind can do', async (direction, calls, states) => {
    const stage = await createStage();
    await begun(stage);
    expect(await statesOf(stage)).toEqual(['at registered', 'tcc registered', 'at registered']);
    decide(stage, direction);
    await stage.time.advance(10);
    expect(asked(stage)).toEqual(calls);
    const [one, two, three] = states;
    expect(await statesOf(stage)).toEqual([`at ${one}`, `tcc ${two}`, `at ${three}`]);
  });

  test('an at branch is called by its method with the payload null', async () => {
    const stage = await createStage();
    await begun(stage);
    decide(stage, 'commit');
    await stage.time.advance(10);
    const [call] = stage.calls;
    const at = { method: 'at.orders', operation: 'commit', payload: null };
    expect(call).toEqual({ gid: 'g1', branchId: 1, ...at });
  });

  test('a new term asks the same', async () => {
    const first = await createStage();
    await begun(first);
    first.script(() => null);
    decide(first, 'rollback');
    await first.time.advance(10);
    const second = await createStage({}, first.store, first.time);
    await second.time.advance(100);
    expect(asked(second).sort()).toEqual(['1:rollback', '2:cancel', '3:rollback']);
    expect((await second.view('g1')).phase).toBe('rolledBack');
  });

  test('a row that was changed by somebody else needs a human, and is asked again all the same', async () => {
    const stage = await createStage();
    await begun(stage);
    let isResolved = false;
    stage.script(({ operation }) =>
      operation === 'rollback' && !isResolved
        ? { outcome: 'refused', error: 'AT_DIRTY_ROW' }
        : { outcome: 'done', result: null },
    );
    decide(stage, 'rollback');
    await stage.time.advance(100);
    const { phase, attention } = await stage.view('g1');
    expect(phase).toBe('rollingBack');
    expect(attention).toMatchObject({
      reason: 'refused',
      detail: 'rollback was refused: AT_DIRTY_ROW',
    });
    isResolved = true;
    await stage.time.advance(60_000);
    expect(await stage.view('g1')).toMatchObject({ phase: 'rolledBack', attention: null });
  });
});

describe('a try of an at branch', () => {
  const tryBranch = (stage: Stage, branchId: number) =>
    stage.ask<TryAnswer>((e, a) => e.tryBranch({ gid: 'g1', branchId }, a));

  test('is refused: its phase one is nobody else’s', async () => {
    const stage = await createStage();
    await begun(stage);
    const [ofAt, ofTcc] = [tryBranch(stage, 1), tryBranch(stage, 2)];
    await stage.time.settle();
    expect(ofAt.answer).toMatchObject({
      ok: false,
      code: 'INVALID_REQUEST',
      detail: 'branch 1 is of kind at, which has no try',
    });
    expect(ofTcc.answer).toMatchObject({ ok: true });
    expect(asked(stage)).toEqual(['2:try']);
  });
});

describe('a kind of branch that this server does not know', () => {
  const branches = [{ branchId: 1, kind: 'xa', participant: { url: 'http://a' }, payload: null }];
  const begin = { gid: 'x', name: '', content: '', epoch: 1, labels: {}, deadlineAtMs: null };

  test.each([
    [{ kind: 'begun', ...begin, branches, atMs: 0 }],
    [
      { kind: 'begun', ...begin, branches: [], atMs: 0 },
      { kind: 'registered', request: 'r', content: '', branches, atMs: 0 },
    ],
  ])('stops its gid alone: %j', async (...records) => {
    const stage = await createStage();
    const row = { gid: 'x', seq: 1, shard: 0, epoch: 1, atMs: 0, records: JSON.stringify(records) };
    stage.store.slots.set('x', new Map([[1, row]]));
    const shown = stage.ask((e, a) => e.get({ gid: 'x' }, a));
    await stage.time.settle();
    expect(shown.answer).toMatchObject({
      ok: false,
      code: 'INTERNAL',
      detail: expect.stringContaining("unknown kind of branch 'xa'"),
    });
    await begun(stage);
    expect((await stage.view('g1')).phase).toBe('active');
  });
});
