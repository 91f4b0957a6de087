/** Rows and slots: what the engine writes, in which order, and what it does when a slot is lost. */
import { describe, expect, test } from 'vitest';
import type { TransactionAnswer } from '../../client-sdk/protocol/index.ts';
import { createStage, done, type Stage, stepsOf, twoBranches } from './stage.ts';

const begin = (stage: Stage, branches = twoBranches) =>
  stage.ask<TransactionAnswer>((e, a) => e.begin({ gid: 'g1', branches }, a));
const commit = (stage: Stage) =>
  stage.ask<TransactionAnswer>((e, a) =>
    e.decide({ gid: 'g1', direction: 'commit', wait: 'decided' }, a),
  );
const submit = (stage: Stage) =>
  stage.ask<TransactionAnswer>((e, a) =>
    e.submit({ gid: 's1', name: 'trip', steps: stepsOf('a', 'b', 'c') }, a),
  );
const register = (stage: Stage, request: string) =>
  stage.ask<TransactionAnswer>((e, a) =>
    e.register({ gid: 'g1', request, branches: twoBranches.slice(0, 1) }, a),
  );

/** Records of the row, as `kind` or `kind:branchIds`. */
function recordsOf(stage: Stage, gid: string, seq: number): readonly string[] {
  const row = stage.store.slots.get(gid)?.get(seq);
  const records = JSON.parse(row?.records ?? '[]') as readonly {
    readonly kind: string;
    readonly done?: readonly { readonly branchId: number }[];
  }[];
  return records.map(({ kind, done: operations }) =>
    operations === undefined ? kind : `${kind}:${operations.map((each) => each.branchId)}`,
  );
}

describe('rows of one gid', () => {
  test('records that share a row stand in it in the order in which they came about', async () => {
    const stage = await createStage();
    submit(stage);
    await stage.time.advance(10);
    expect(recordsOf(stage, 's1', 2)).toEqual(['done:1', 'done:2', 'done:3']);
  });

  test('steps that follow each other quickly share one row', async () => {
    const stage = await createStage();
    stage.script(() => null);
    submit(stage);
    await stage.time.settle();
    for (let step = 1; step <= 3; step += 1) {
      await stage.answer(done);
      await stage.time.advance(8);
    }
    expect(recordsOf(stage, 's1', 2)).toEqual(['done:1', 'done:2', 'done:3']);
  });

  test('a step that takes long does not keep what came before it from the log', async () => {
    const stage = await createStage();
    stage.script(() => null);
    submit(stage);
    await stage.time.settle();
    await stage.answer(done);
    await stage.time.advance(20);
    expect(stage.appended).toEqual(['s1/1']);
    await stage.time.advance(15);
    expect(stage.appended).toEqual(['s1/1', 's1/2']);
  });

  test('a row waits while the one before it is in flight', async () => {
    const stage = await createStage();
    stage.script(() => null);
    submit(stage);
    await stage.time.settle();
    stage.mood('stalled');
    await stage.answer(done);
    await stage.time.advance(30);
    stage.mood('well');
    await stage.answer(done);
    await stage.answer(done);
    await stage.time.advance(1_000);
    expect(stage.appended).toEqual(['s1/1']);
  });

  test('and goes when that one has landed', async () => {
    const stage = await createStage();
    stage.script(() => null);
    submit(stage);
    await stage.time.settle();
    stage.mood('unknownLost');
    await stage.answer(done);
    await stage.time.advance(30);
    await stage.answer(done);
    await stage.answer(done);
    stage.mood('well');
    await stage.time.advance(2_000);
    expect(stage.appended).toEqual(['s1/1', 's1/2', 's1/3']);
    expect(recordsOf(stage, 's1', 2)).toEqual(['done:1']);
    expect(recordsOf(stage, 's1', 3)).toEqual(['done:2', 'done:3']);
  });

  test('two requests at once are two rows, and each gets its answer', async () => {
    const stage = await createStage();
    begin(stage);
    await stage.time.settle();
    const asked = ['r1', 'r2'].map((request) => register(stage, request));
    await stage.time.advance(10);
    expect(asked.map((each) => each.answer)).toMatchObject([
      { ok: true, body: { branchIds: [3] } },
      { ok: true, body: { branchIds: [4] } },
    ]);
    expect(stage.appended).toEqual(['g1/1', 'g1/2', 'g1/3']);
  });

  test('an append that throws has told nothing: the same row goes again', async () => {
    const stage = await createStage();
    stage.mood('throwing');
    const begun = begin(stage);
    await stage.time.advance(500);
    expect(begun.answer).toBeNull();
    stage.mood('well');
    await stage.time.advance(2_000);
    expect(begun.answer).toMatchObject({ ok: true });
    expect(stage.appended).toEqual(['g1/1']);
  });

  test('a transaction that has ended stays in memory until its last row has landed', async () => {
    const stage = await createStage();
    stage.script(() => null);
    begin(stage);
    await stage.time.settle();
    commit(stage);
    await stage.time.settle();
    stage.mood('unknownLost');
    await stage.answer(done);
    await stage.answer(done);
    await stage.time.advance(10);
    // Read from the log now, it would look as if both were owed still.
    expect(await stage.view('g1')).toMatchObject({ phase: 'committed' });
    expect(stage.engine.stats().open).toBe(1);
    stage.mood('well');
    await stage.time.advance(2_000);
    expect(stage.engine.stats().open).toBe(0);
    expect(stage.calls).toHaveLength(2);
  });
});

describe('the index', () => {
  test('shows the end', async () => {
    const stage = await createStage();
    begin(stage);
    await stage.time.settle();
    expect(stage.store.index.get('g1')).toMatchObject({ outcome: null });
    commit(stage);
    await stage.time.advance(10);
    expect(stage.store.index.get('g1')).toMatchObject({ outcome: 'committed' });
    expect([...stage.store.open]).toEqual([]);
  });

  test('shows attention, and that it is over', async () => {
    const stage = await createStage();
    stage.script((call) =>
      call.branchId === 1 ? { outcome: 'refused', error: 'closed' } : { outcome: 'ongoing' },
    );
    begin(stage);
    await stage.time.settle();
    commit(stage);
    await stage.time.advance(30);
    expect(stage.store.index.get('g1')?.attention).toMatchObject({
      reason: 'refused',
      branchId: 1,
    });
    stage.script((call) => (call.branchId === 1 ? done : { outcome: 'ongoing' }));
    await stage.time.advance(60_000);
    expect(stage.store.index.get('g1')).toMatchObject({ outcome: null, attention: null });
  });
});

describe('a lost slot', () => {
  const planted = (seq: number, record: object) => {
    const records = JSON.stringify([record]);
    return { gid: 'g1', seq, shard: 0, epoch: 1, atMs: 0, records };
  };

  test('forgets answers that were held, so their branches are asked again', async () => {
    const stage = await createStage();
    const branches = [...twoBranches, ...twoBranches.slice(0, 1)];
    stage.script((call) => {
      if (call.branchId === 1) return done;
      return call.branchId === 2 ? { outcome: 'refused', error: 'closed' } : null;
    });
    begin(stage, branches);
    await stage.time.settle();
    commit(stage);
    // The decision is durable; branch 1 has answered and is held, for branch 3 is still being asked.
    await stage.time.settle();
    const row = planted(3, {
      kind: 'attention',
      attention: { reason: 'refused', branchId: 2, detail: 'by another', atMs: 0 },
      atMs: 0,
    });
    stage.store.slots.get('g1')?.set(3, row);
    await stage.time.advance(50);
    stage.script(() => done);
    await stage.time.advance(60_000);
    await stage.answer(done);
    await stage.answer(done);
    await stage.time.advance(60_000);
    expect(await stage.view('g1')).toMatchObject({ phase: 'committed' });
  });

  test('is read again until the log can be read', async () => {
    const stage = await createStage();
    begin(stage);
    await stage.time.settle();
    const cause = { kind: 'operator' };
    const row = planted(2, { kind: 'decided', direction: 'rollback', cause, atMs: 0 });
    stage.store.slots.get('g1')?.set(2, row);
    stage.mood('unreadable');
    const committed = commit(stage);
    await stage.time.advance(500);
    expect(committed.answer).toBeNull();
    stage.mood('well');
    await stage.time.advance(2_000);
    expect(committed.answer).toMatchObject({ ok: false, code: 'ALREADY_ROLLED_BACK' });
  });
});
