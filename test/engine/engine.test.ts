import { describe, expect, test } from 'vitest';
import type { TransactionAnswer } from '../../client-sdk/protocol/index.ts';
import { createStage, done, type Stage, stepsOf, twoBranches } from './stage.ts';

const begin = (stage: Stage, gid = 'g1') =>
  stage.ask<TransactionAnswer>((e, a) => e.begin({ gid, branches: twoBranches }, a));
const commit = (stage: Stage, gid = 'g1', wait: 'decided' | 'completed' = 'completed') =>
  stage.ask<TransactionAnswer>((e, a) => e.decide({ gid, direction: 'commit', wait }, a));

describe('a transaction', () => {
  test('begins, commits with two durable waits, and is forgotten', async () => {
    const stage = await createStage();
    const begun = begin(stage);
    expect(begun.answer).toBeNull();
    await stage.time.settle();
    expect(begun.answer).toMatchObject({ ok: true, body: { phase: 'active', branchIds: [1, 2] } });
    const committed = commit(stage);
    await stage.time.advance(10);
    expect(committed.answer).toMatchObject({ ok: true, body: { phase: 'committed' } });
    expect(stage.calls.map((call) => `${call.branchId}:${call.operation}`)).toEqual([
      '1:confirm',
      '2:confirm',
    ]);
    const stats = stage.engine.stats();
    expect(stats).toMatchObject({ open: 0, begun: { transaction: 1 }, rows: 3, timers: 0 });
    expect(stats.durableWaits.transaction).toBe(2);
    expect(stage.appended).toEqual(['g1/1', 'g1/2', 'g1/3']);
  });

  test('no reply and no call leaves before its record is durable', async () => {
    const stage = await createStage();
    begin(stage);
    await stage.time.settle();
    stage.mood('unknownLost');
    const committed = commit(stage, 'g1', 'decided');
    await stage.time.advance(5_000);
    expect(committed.answer).toBeNull();
    expect(stage.calls).toEqual([]);
    stage.mood('well');
    await stage.time.advance(2_000);
    expect(committed.answer).toMatchObject({ ok: true });
    expect(stage.calls).toHaveLength(2);
  });

  test('an append that landed unheard counts as appended, once', async () => {
    const stage = await createStage();
    stage.mood('unknownLanded');
    const begun = begin(stage);
    await stage.time.advance(500);
    expect(begun.answer).toBeNull();
    stage.mood('well');
    await stage.time.advance(2_000);
    expect(begun.answer).toMatchObject({ ok: true, body: { branchIds: [1, 2] } });
    expect(stage.store.slots.get('g1')?.size).toBe(1);
  });

  test('the deadline rolls back, and a late commit learns it', async () => {
    const stage = await createStage();
    begin(stage);
    await stage.time.advance(30_001);
    const late = commit(stage);
    await stage.time.settle();
    expect(late.answer).toMatchObject({ ok: false, code: 'ALREADY_ROLLED_BACK' });
    expect((await stage.view('g1')).cause).toEqual({ kind: 'deadline' });
    expect(stage.calls.map((call) => call.operation)).toEqual(['cancel', 'cancel']);
  });

  test('begin again after the end is answered from the log; other content is a conflict', async () => {
    const stage = await createStage();
    begin(stage);
    await stage.time.settle();
    commit(stage);
    await stage.time.advance(10);
    expect(stage.engine.stats().open).toBe(0);
    const again = begin(stage);
    const other = stage.ask((e, a) => e.begin({ gid: 'g1', name: 'other' }, a));
    await stage.time.advance(10);
    expect(again.answer).toMatchObject({
      ok: true,
      body: { phase: 'committed', branchIds: [1, 2] },
    });
    expect(other.answer).toMatchObject({ ok: false, code: 'CONFLICT' });
    expect(stage.engine.stats().open).toBe(0);
  });

  test('completed waits at most 2 s after the decision, then shows committing', async () => {
    const stage = await createStage();
    begin(stage);
    await stage.time.settle();
    stage.script(() => null);
    const committed = commit(stage);
    await stage.time.advance(1_990);
    expect(committed.answer).toBeNull();
    await stage.time.advance(1_010);
    expect(committed.answer).toMatchObject({ ok: true, body: { phase: 'committing' } });
  });

  test('both confirms share one record; one that is slow does not lose the other', async () => {
    const stage = await createStage();
    begin(stage);
    await stage.time.settle();
    stage.script((call) => (call.branchId === 1 ? done : null));
    commit(stage, 'g1', 'decided');
    await stage.time.advance(100);
    expect(stage.appended).toHaveLength(2);
    await stage.answer({ outcome: 'unknown', error: 'time-out' });
    await stage.time.advance(30);
    const view = await stage.view('g1');
    expect(view.branches.map((branch) => branch.state)).toEqual(['confirmed', 'asked']);
    expect(view.branches[1]).toMatchObject({ attempts: 1, lastError: 'time-out' });
    expect(stage.appended).toHaveLength(3);
  });

  test('what is told to be committed is not listed as open, though its last record is lazy', async () => {
    const stage = await createStage();
    begin(stage);
    await stage.time.settle();
    stage.script(() => null);
    const committed = commit(stage);
    await stage.time.settle();
    stage.mood('unknownLost');
    await stage.answer(done);
    await stage.answer(done);
    expect(committed.answer).toMatchObject({ ok: true, body: { phase: 'committed' } });
    const listed = stage.ask((e, a) => e.list({ outcome: 'open' }, a));
    await stage.time.settle();
    expect(listed.answer).toMatchObject({ ok: true, body: { transactions: [] } });
    expect(stage.store.open.has('g1')).toBe(true);
  });

  test('attention after 10 attempts, cleared when the branch answers', async () => {
    const stage = await createStage({ retry: { initialMs: 100, capMs: 1_000 } });
    begin(stage);
    await stage.time.settle();
    stage.script(() => ({ outcome: 'unknown', error: 'boom' }));
    commit(stage, 'g1', 'decided');
    await stage.time.advance(60_000);
    const view = await stage.view('g1');
    expect(view.attention).toMatchObject({ reason: 'retries' });
    expect(view.phase).toBe('committing');
    expect(stage.engine.stats().attentionRaised).toBe(1);
    stage.script(() => done);
    await stage.time.advance(2_000);
    expect(await stage.view('g1')).toMatchObject({ phase: 'committed', attention: null });
  });

  test('two branches are stuck: when one is solved, attention moves on to the other', async () => {
    const stage = await createStage({ retry: { initialMs: 100, capMs: 1_000 } });
    begin(stage);
    await stage.time.settle();
    stage.script(() => ({ outcome: 'unknown', error: 'boom' }));
    commit(stage, 'g1', 'decided');
    await stage.time.advance(60_000);
    const first = (await stage.view('g1')).attention?.branchId;
    stage.script((call) =>
      call.branchId === first ? done : { outcome: 'unknown', error: 'boom' },
    );
    await stage.time.advance(60_000);
    const second = (await stage.view('g1')).attention?.branchId;
    expect([first, second].sort()).toEqual([1, 2]);
  });

  test('the held end of one branch does not hide that the other is stuck', async () => {
    const stage = await createStage({ attentionAfterAttempts: 1, ongoingPollMs: 60_000 });
    stage.script(() => ({ outcome: 'unknown', error: 'time-out' }));
    begin(stage);
    await stage.time.settle();
    commit(stage, 'g1', 'decided');
    await stage.time.settle();
    expect((await stage.view('g1')).attention).toMatchObject({ branchId: 1 });
    // Branch 1 is done while branch 2 is asked; then branch 2 says that it is still at it.
    stage.script((call) => (call.branchId === 1 ? done : null));
    await stage.time.advance(200);
    await stage.answer({ outcome: 'ongoing' });
    expect((await stage.view('g1')).attention).toMatchObject({ branchId: 2 });
  });

  test('a service that connects is asked without waiting for the backoff', async () => {
    const stage = await createStage({ retry: { initialMs: 60_000, capMs: 60_000 } });
    begin(stage);
    await stage.time.settle();
    stage.script(() => ({ outcome: 'unknown', error: 'not connected', asked: false }));
    commit(stage, 'g1', 'decided');
    await stage.time.advance(100);
    stage.script(() => done);
    stage.engine.participantReady('bank');
    await stage.time.advance(1_000);
    expect((await stage.view('g1')).phase).toBe('committed');
  });
});

describe('a saga', () => {
  const submit = (stage: Stage, gid = 's1') =>
    stage.ask<TransactionAnswer>((e, a) =>
      e.submit({ gid, name: 'trip', steps: stepsOf('flight', 'hotel') }, a),
    );

  test('one urgent record; "committed" waits until the last step is durable', async () => {
    const stage = await createStage();
    stage.script((call) => ({ outcome: 'done', result: call.method }));
    const submitted = submit(stage);
    await stage.time.advance(20);
    expect(submitted.answer).toMatchObject({
      ok: true,
      body: { phase: 'committed', results: { flight: 'flight', hotel: 'hotel' } },
    });
    expect(stage.engine.stats().durableWaits.saga).toBe(1);
    expect(stage.calls[1]?.results).toEqual({ flight: 'flight' });
  });

  test('"committed" is not said while the record of the last step is unknown', async () => {
    const stage = await createStage();
    stage.script(() => null);
    const submitted = submit(stage);
    await stage.time.advance(20);
    await stage.answer(done);
    await stage.time.advance(20);
    stage.mood('unknownLost');
    await stage.answer(done);
    const asked = stage.ask((e, a) => e.get({ gid: 's1' }, a));
    const late = stage.ask((e, a) => e.decide({ gid: 's1', direction: 'rollback' }, a));
    await stage.time.advance(5_000);
    expect([submitted.answer, asked.answer, late.answer]).toEqual([null, null, null]);
    stage.mood('well');
    await stage.time.advance(2_000);
    expect(submitted.answer).toMatchObject({ ok: true, body: { phase: 'committed' } });
    expect(asked.answer).toMatchObject({ ok: true, body: { phase: 'committed' } });
    expect(late.answer).toMatchObject({ ok: false, code: 'ALREADY_COMMITTED' });
  });

  test('a refused step is not asked again while its rollback is on the way to the log', async () => {
    const stage = await createStage({ retry: { initialMs: 1, capMs: 1 } });
    stage.script(() => null);
    submit(stage);
    await stage.time.advance(20);
    stage.mood('unknownLost');
    await stage.answer({ outcome: 'refused', error: 'full' });
    await stage.time.advance(2_000);
    expect(stage.calls.map((call) => call.operation)).toEqual(['run']);
    stage.mood('well');
    await stage.time.advance(2_000);
    expect(stage.calls.map((call) => call.operation)).toEqual(['run', 'undo']);
  });

  test('attempts that reached nobody do not count towards the rollback', async () => {
    const stage = await createStage({ retry: { initialMs: 10, capMs: 50 } });
    stage.script(() => ({ outcome: 'unknown', error: 'not connected', asked: false }));
    submit(stage);
    await stage.time.advance(2_000);
    expect((await stage.view('s1')).phase).toBe('active');
    stage.script(() => ({ outcome: 'unknown', error: 'time-out' }));
    await stage.time.advance(2_000);
    expect((await stage.view('s1')).phase).toBe('rollingBack');
    stage.script(() => done);
    await stage.time.advance(2_000);
    expect(await stage.view('s1')).toMatchObject({
      phase: 'rolledBack',
      cause: { kind: 'attempts', branchId: 1 },
    });
  });
});

describe('recovery and other coordinators', () => {
  test('a new term takes up what is open; the old one is fenced and stops', async () => {
    const first = await createStage();
    begin(first);
    await first.time.settle();
    first.script(() => null);
    commit(first, 'g1', 'decided');
    await first.time.advance(10);
    const second = await createStage({}, first.store, first.time);
    await second.time.advance(100);
    expect(second.engine.stats()).toMatchObject({ state: 'running', recovered: 1, epoch: 2 });
    expect(second.calls.map((call) => call.operation)).toEqual(['confirm', 'confirm']);
    const stale = begin(first, 'g2');
    await first.time.advance(10);
    expect(stale.answer).toMatchObject({ ok: false, code: 'FENCED' });
    expect(first.fencedCount()).toBe(1);
    expect(first.engine.stats().state).toBe('fenced');
    expect(second.store.slots.has('g2')).toBe(false);
  });

  test('a coordinator that reads a row of a later term knows that its own is over', async () => {
    const first = await createStage();
    const second = await createStage({}, first.store, first.time);
    second.script(() => null);
    second.ask((e, a) => e.submit({ gid: 's1', name: 'trip', steps: stepsOf('a', 'b') }, a));
    await second.time.advance(20);
    const asked = first.ask((e, a) => e.get({ gid: 's1' }, a));
    await first.time.advance(20);
    expect(asked.answer).toMatchObject({ ok: false, code: 'FENCED' });
    expect(first.fencedCount()).toBe(1);
    expect(first.calls).toEqual([]);
  });

  test('a coordinator that is fenced calls nobody again, whatever its last calls are answered', async () => {
    const first = await createStage();
    begin(first);
    await first.time.settle();
    first.script(() => null);
    commit(first, 'g1', 'decided');
    await first.time.advance(10);
    const second = await createStage({}, first.store, first.time);
    await second.time.advance(100);
    begin(first, 'g2');
    await first.time.advance(10);
    expect(first.engine.stats().state).toBe('fenced');
    await first.answer({ outcome: 'unknown', error: 'time-out' });
    await first.answer({ outcome: 'refused', error: 'locked' });
    await first.time.advance(60_000);
    expect(first.calls).toHaveLength(2);
  });

  test('whose answer waits when the term is over is told so, once', async () => {
    const first = await createStage();
    begin(first);
    begin(first, 'g2');
    await first.time.settle();
    first.script(() => null);
    const patient = commit(first);
    await first.time.advance(10);
    const second = await createStage({}, first.store, first.time);
    const decided = commit(first, 'g2');
    await second.time.advance(10);
    expect(patient.answer).toMatchObject({ ok: false, code: 'FENCED' });
    expect(decided.answer).toMatchObject({ ok: false, code: 'FENCED' });
  });

  test('1,000 open transactions are paged back and finish; deadlines are restored', async () => {
    const first = await createStage();
    for (let i = 0; i < 1_000; i += 1) begin(first, `g${String(i).padStart(4, '0')}`);
    await first.time.settle();
    const second = await createStage({ recoveryPerSecond: 1_000 }, first.store, first.time);
    await second.time.advance(2_000);
    expect(second.engine.stats()).toMatchObject({
      state: 'running',
      recovered: 1_000,
      open: 1_000,
    });
    await second.time.advance(31_000);
    expect(second.engine.stats()).toMatchObject({ open: 0, rolledBack: { transaction: 1_000 } });
  });

  test('a slot lost to another coordinator: the log is read again and the task taken again', async () => {
    const stage = await createStage();
    begin(stage);
    await stage.time.settle();
    // Another coordinator of the same term number cannot exist; a planted row shows the same race.
    const slots = stage.store.slots.get('g1');
    const record = {
      kind: 'decided',
      direction: 'rollback',
      cause: { kind: 'operator' },
      atMs: stage.time.nowMs(),
    };
    const row = {
      gid: 'g1',
      seq: 2,
      shard: 0,
      epoch: 1,
      atMs: 0,
      records: JSON.stringify([record]),
    };
    slots?.set(2, row);
    const committed = commit(stage);
    await stage.time.advance(50);
    expect(committed.answer).toMatchObject({ ok: false, code: 'ALREADY_ROLLED_BACK' });
    expect(stage.calls.map((call) => call.operation)).toEqual(['cancel', 'cancel']);
  });

  test('a slot lost while an answer waits for it: the request is taken again', async () => {
    const stage = await createStage();
    stage.script(() => null);
    const gid = 's1';
    stage.ask((e, a) => e.submit({ gid, name: 'trip', steps: stepsOf('a'), wait: 'submitted' }, a));
    await stage.time.advance(10);
    const attention = { reason: 'retries', branchId: null, detail: 'planted', atMs: 0 };
    const records = JSON.stringify([{ kind: 'attention', attention, atMs: 0 }]);
    const row = { gid, seq: 2, shard: 0, epoch: 1, atMs: 0, records };
    stage.store.slots.get(gid)?.set(2, row);
    // The last step is done, so in memory it is committed; its row finds the slot taken.
    const told: string[] = [];
    const tell = (answer: { readonly ok: boolean; readonly code?: string }) => {
      const rows = [...(stage.store.slots.get(gid)?.values() ?? [])];
      told.push(
        `${answer.code}, ${rows
          .map(({ records }) => records)
          .join()
          .includes('"done"')}`,
      );
    };
    const answered = stage.answer(done);
    stage.engine.decide({ gid, direction: 'rollback' }, tell);
    await answered;
    stage.engine.decide({ gid, direction: 'rollback' }, tell);
    await stage.time.advance(5_000);
    expect(told).toEqual(['ALREADY_COMMITTED, true', 'ALREADY_COMMITTED, true']);
  });

  test('a slot lost while a call waits to be made again: it is made by the state read back alone', async () => {
    const stage = await createStage({ retry: { initialMs: 10_000, capMs: 10_000 } });
    stage.script(() => ({ outcome: 'refused', error: 'locked' }));
    begin(stage);
    await stage.time.settle();
    commit(stage, 'g1', 'decided');
    await stage.time.settle();
    // Both confirms wait for a second attempt; the attention of the first refusal finds its slot taken.
    const attention = { reason: 'retries', branchId: null, detail: 'planted', atMs: 0 };
    const records = JSON.stringify([{ kind: 'attention', attention, atMs: 0 }]);
    const row = { gid: 'g1', seq: 3, shard: 0, epoch: 1, atMs: 0, records };
    stage.store.slots.get('g1')?.set(3, row);
    stage.script(() => done);
    await stage.time.advance(20_000);
    const asked = stage.calls.map((call) => call.branchId);
    expect(asked).toEqual([1, 2, 1, 2]);
    expect(stage.engine.stats()).toMatchObject({ open: 0, timers: 0 });
  });

  test('a record that this server does not know stops its gid alone', async () => {
    const stage = await createStage();
    const row = { gid: 'x', seq: 1, shard: 0, epoch: 1, atMs: 0, records: '[{"kind":"later"}]' };
    stage.store.slots.set('x', new Map([[1, row]]));
    const asked = stage.ask((e, a) => e.get({ gid: 'x' }, a));
    await stage.time.settle();
    expect(asked.answer).toMatchObject({ ok: false, code: 'INTERNAL' });
    begin(stage, 'y');
    await stage.time.settle();
    expect((await stage.view('y')).phase).toBe('active');
  });
});

describe('limits and stopping', () => {
  test('more open transactions than allowed are refused early, and nothing is stored', async () => {
    const stage = await createStage({ openTransactionsMax: 2 });
    const answers = ['a', 'b', 'c'].map((gid) => begin(stage, gid));
    await stage.time.settle();
    expect(answers.map((asked) => asked.answer?.ok)).toEqual([true, true, false]);
    expect(answers[2]?.answer).toMatchObject({ code: 'OVERLOADED', retryAfterMs: 200 });
    expect(stage.store.slots.has('c')).toBe(false);
  });

  test('a log that stalls: new work is refused after 2 s, work in flight goes on later', async () => {
    const stage = await createStage();
    begin(stage, 'a');
    await stage.time.settle();
    stage.mood('unknownLost');
    const waiting = commit(stage, 'a', 'decided');
    await stage.time.advance(2_500);
    const refused = begin(stage, 'b');
    expect(refused.answer).toMatchObject({ ok: false, code: 'LOG_UNAVAILABLE' });
    stage.mood('well');
    await stage.time.advance(2_000);
    expect(waiting.answer).toMatchObject({ ok: true });
  });

  test('an address that no transport reaches is refused before anything is stored', async () => {
    const stage = await createStage();
    const branches = [{ participant: { url: 'http://user:pw@10.0.0.1/x' } }];
    const asked = stage.ask((e, a) => e.begin({ gid: 'g1', branches }, a));
    await stage.time.settle();
    expect(asked.answer).toMatchObject({ ok: false, code: 'TARGET_NOT_ALLOWED' });
    expect(JSON.stringify(asked.answer)).not.toContain('pw');
    expect(stage.store.slots.size).toBe(0);
  });

  test('stop takes no new work, drains, answers who waits, and ends the term', async () => {
    const stage = await createStage();
    begin(stage);
    await stage.time.settle();
    stage.script(() => null);
    const patient = commit(stage);
    await stage.time.advance(10);
    const stopped = stage.engine.stop(1_000);
    expect(begin(stage, 'g2').answer).toMatchObject({ ok: false, code: 'STOPPING' });
    await stage.answer(done);
    await stage.time.advance(900);
    expect(patient.answer).toBeNull();
    await stage.time.advance(200);
    await stopped;
    expect(patient.answer).toMatchObject({ ok: true, body: { phase: 'committing' } });
    expect(stage.engine.stats().state).toBe('stopped');
    expect(stage.store.term.isRunning).toBe(false);
    expect(stage.appended).toEqual(['g1/1', 'g1/2']);
  });
});
