/** What operators ask through the engine: who is asked, what is refused before, what answers mean. */
import { describe, expect, test } from 'vitest';
import type {
  BranchSpec,
  CallAnswer,
  Json,
  LocksAnswer,
  ResolveRequest,
  TransactionAnswer,
  UndoAnswer,
} from '../../client-sdk/protocol/index.ts';
import type { OperateAnswer, OperateRequest } from '../../server/engine/operate.ts';
import type { ResolvedRows } from '../../server/engine/operator.ts';
import { createStage, done, type Stage } from './stage.ts';

const orders: BranchSpec = { kind: 'at', participant: { service: 'shop', method: 'at.orders' } };
const stock: BranchSpec = { kind: 'at', participant: { service: 'store', method: 'at.stock' } };
const debit: BranchSpec = { participant: { service: 'bank', method: 'debit' }, payload: null };
const seen = 'a'.repeat(64);
const inspected = { rows: [], rowsTotal: 0, dirtyTotal: 0, seen, nextOffset: null };
const resolved = { kind: 'resolved', rows: [], rowsTotal: 0 };
const dirty: CallAnswer = { outcome: 'refused', error: 'AT_DIRTY_ROW: t ["1"]' };

const doneWith = (result: Json): CallAnswer => ({ outcome: 'done', result });

async function begun(stage: Stage, branches: readonly BranchSpec[]): Promise<void> {
  stage.ask<TransactionAnswer>((e, a) => e.begin({ gid: 'g1', branches }, a));
  await stage.time.settle();
}

async function decided(stage: Stage, direction: 'commit' | 'rollback'): Promise<void> {
  stage.ask((e, a) => e.decide({ gid: 'g1', direction, wait: 'decided' }, a));
  await stage.time.advance(10);
}

/** A transaction whose at branches are refused for dirty rows; other operations are done. */
async function dirtied(branches: readonly BranchSpec[]): Promise<Stage> {
  const stage = await createStage();
  stage.script((call) => (call.operation === 'rollback' ? dirty : done));
  await begun(stage, branches);
  await decided(stage, 'rollback');
  return stage;
}

async function undo(stage: Stage, query: object = {}) {
  const asked = stage.ask<UndoAnswer>((e, a) => e.undo({ gid: 'g1', ...query }, a));
  await stage.time.settle();
  return asked.answer;
}

async function resolve(stage: Stage, body: Partial<ResolveRequest>) {
  const request = { gid: 'g1', reason: 'test', ...body };
  const asked = stage.ask<ResolvedRows>((e, a) => e.resolve(request, a));
  await stage.time.settle();
  return asked.answer;
}

const asked = (stage: Stage) => stage.calls.map((call) => `${call.branchId}:${call.operation}`);

describe('what counts as done by word alone', () => {
  const operate = async (stage: Stage, request: Partial<OperateRequest>) => {
    const operator = { who: 'eve', reason: 'test' };
    const whole = { gid: 'g1', owed: null, result: null, operator, dryRun: false } as const;
    const asked = stage.ask<OperateAnswer>((e, a) =>
      e.operate({ ...whole, action: 'resolve', ...request }, a),
    );
    await stage.time.settle();
    return asked.answer;
  };
  const skip = { action: 'skip', owed: { branchId: 1, operation: 'rollback' } } as const;
  const refused = { ok: false, code: 'AT_DIRTY_ROW' };

  test.each([
    ['skip', skip],
    ['resolve', {}],
    ['a dry run', { ...skip, dryRun: true }],
  ])('%s: no branch whose dirty rows are locked by undo rows', async (_, request) => {
    const stage = await dirtied([orders, debit]);
    expect(await operate(stage, request)).toMatchObject(refused);
    stage.script((call) => (call.operation === 'resolve' ? doneWith(resolved) : done));
    await resolve(stage, { resource: 'orders', otherwise: { choice: 'keep', seen } });
    expect(await operate(stage, request)).not.toMatchObject(refused);
  });

  test('a branch of another resource, and one whose participant is gone', async () => {
    const stage = await dirtied([orders, stock]);
    stage.script(({ branchId }) =>
      branchId === 1 ? dirty : { outcome: 'unknown', error: 'nobody offers store/at.stock' },
    );
    await stage.time.advance(60_000);
    expect(await operate(stage, skip)).toMatchObject(refused);
    const gone = { branchId: 2, operation: 'rollback' } as const;
    expect(await operate(stage, { ...skip, owed: gone })).toMatchObject({ ok: true });
  });
});

describe('undo', () => {
  test('asks each resource once, whatever its branches, and no branch of another kind', async () => {
    const stage = await dirtied([orders, debit, stock, orders]);
    stage.calls.length = 0;
    stage.script((call) => doneWith({ ...inspected, rowsTotal: call.branchId }));
    expect(await undo(stage, { limit: 7 })).toMatchObject({
      ok: true,
      body: {
        phase: 'rollingBack',
        resources: [
          { resource: 'orders', branchIds: [1, 4], error: null, rowsTotal: 1, seen },
          { resource: 'stock', branchIds: [3], error: null, rowsTotal: 3 },
        ],
      },
    });
    expect(asked(stage)).toEqual(['1:inspect', '3:inspect']);
    expect(stage.calls[0]).toMatchObject({
      method: 'at.orders',
      payload: { offset: 0, rowsMax: 7, bytesMax: 65_536 },
    });
  });

  test('asks one resource on with a cursor, and shows what one could not be asked', async () => {
    const stage = await dirtied([orders, stock]);
    stage.script(({ method, payload }) =>
      method === 'at.stock'
        ? { outcome: 'unknown', error: 'no answer within 10000 ms' }
        : doneWith({ ...inspected, nextOffset: payload === null ? null : 9 }),
    );
    expect(await undo(stage)).toMatchObject({
      body: {
        resources: [
          { resource: 'orders', error: null, nextCursor: '9' },
          { resource: 'stock', error: { code: 'UNKNOWN' }, rows: [], seen: null },
        ],
      },
    });
    stage.calls.length = 0;
    const one = await undo(stage, { branchId: 1, cursor: '9' });
    expect(one).toMatchObject({ body: { resources: [{ resource: 'orders' }] } });
    expect(stage.calls).toMatchObject([{ payload: { offset: 9 } }]);
  });

  test('answers at once for a transaction without at branches; a saga has none', async () => {
    const stage = await createStage();
    await begun(stage, [debit]);
    expect(await undo(stage)).toMatchObject({ ok: true, body: { resources: [] } });
    expect(await undo(stage, { branchId: 1 })).toMatchObject({ code: 'INVALID_REQUEST' });
    expect(await undo(stage, { branchId: 2 })).toMatchObject({ code: 'NOT_FOUND' });
    const steps = [{ name: 's', participant: { service: 'trip', method: 's' } }];
    stage.ask((e, a) => e.submit({ gid: 's1', name: 'trip', steps }, a));
    await stage.time.settle();
    expect(await undo(stage, { gid: 's1' })).toMatchObject({ code: 'WRONG_MODE' });
    expect(await undo(stage, { gid: 'none' })).toMatchObject({ code: 'NOT_FOUND' });
  });

  test.each<[string, CallAnswer, object]>([
    [
      'an older version',
      {
        outcome: 'unknown',
        error: 'METHOD_NOT_OFFERED: the method "m" has no operation "inspect"',
      },
      { code: 'METHOD_NOT_OFFERED', detail: expect.stringContaining('older version') },
    ],
    [
      'nobody connected',
      { outcome: 'unknown', error: 'no instance of shop is connected', asked: false },
      { code: 'METHOD_NOT_OFFERED' },
    ],
    ['something else', done, { code: 'METHOD_NOT_OFFERED' }],
    ['rows that are none', doneWith({ ...inspected, rows: null }), { code: 'METHOD_NOT_OFFERED' }],
    ['a refusal', { outcome: 'refused', error: 'no' }, { code: 'REFUSED', detail: 'no' }],
    [
      'a refusal with a code',
      { outcome: 'refused', error: 'INVALID_REQUEST: x' },
      { code: 'INVALID_REQUEST' },
    ],
    ['patience', { outcome: 'ongoing' }, { code: 'ONGOING' }],
  ])('%s is an error of that resource', async (_, answer, error) => {
    const stage = await dirtied([orders]);
    stage.script(() => answer);
    expect(await undo(stage)).toMatchObject({ ok: true, body: { resources: [{ error }] } });
  });
});

describe('resolve', () => {
  test('asks an open branch, and then the rollback is asked at once', async () => {
    const stage = await dirtied([orders, orders, stock]);
    // Far into the backoff: the next attempts are seconds away.
    await stage.time.advance(60_000);
    expect(await stage.view('g1')).toMatchObject({ attention: { reason: 'refused' } });
    stage.calls.length = 0;
    stage.script((call) => {
      if (call.operation === 'resolve') return doneWith(resolved);
      return call.method === 'at.orders' ? done : dirty;
    });
    const row = { table: 't', key: '["1"]', choice: 'keep', seen } as const;
    expect(await resolve(stage, { resource: 'orders', rows: [row] })).toMatchObject({
      ok: true,
      body: { branchIds: [1, 2], participant: orders.participant, dryRun: false },
    });
    await stage.time.advance(50);
    expect(asked(stage)).toEqual(['1:resolve', '1:rollback', '2:rollback']);
    expect(stage.calls[0]).toMatchObject({
      payload: { rows: [row], otherwise: null, dryRun: false, bytesMax: 65_536 },
    });
    const view = await stage.view('g1');
    expect(view.branches.map(({ state }) => state)).toEqual(['rolledBack', 'rolledBack', 'asked']);
  });

  test('asks once more when the rollback is on its way meanwhile', async () => {
    const stage = await createStage();
    stage.script((call) => (call.operation === 'resolve' ? doneWith(resolved) : null));
    await begun(stage, [orders]);
    await decided(stage, 'rollback');
    await resolve(stage, { branchId: 1 });
    stage.script(() => done);
    await stage.answer(dirty);
    await stage.time.advance(50);
    expect(asked(stage)).toEqual(['1:rollback', '1:resolve', '1:rollback']);
    expect(await stage.view('g1')).toMatchObject({ phase: 'rolledBack', attention: null });
  });

  test('of a trial nothing follows', async () => {
    const stage = await dirtied([orders]);
    await stage.time.advance(60_000);
    stage.calls.length = 0;
    stage.script((call) => (call.operation === 'resolve' ? doneWith(resolved) : dirty));
    expect(await resolve(stage, { branchId: 1, dryRun: true })).toMatchObject({
      body: { dryRun: true },
    });
    await stage.time.advance(50);
    expect(asked(stage)).toEqual(['1:resolve']);
  });

  test.each(['AT_DIRTY_ROW', 'ROW_CHANGED', 'REFUSED', 'LOCK_CONFLICT', 'INVALID_REQUEST'])(
    '%s of the participant comes out',
    async (code) => {
      const stage = await dirtied([orders]);
      stage.script(() => doneWith({ kind: 'refused', code, detail: 'why' }));
      expect(await resolve(stage, { branchId: 1 })).toMatchObject({ code, detail: 'why' });
    },
  );

  test('a time-out is unknown', async () => {
    const stage = await dirtied([orders]);
    stage.script(() => ({ outcome: 'unknown', error: 'no answer within 10000 ms' }));
    expect(await resolve(stage, { branchId: 1 })).toMatchObject({ code: 'UNKNOWN' });
  });

  test('is for a transaction that rolls back', async () => {
    const stage = await createStage();
    await begun(stage, [orders]);
    expect(await resolve(stage, { branchId: 1 })).toMatchObject({
      code: 'NOTHING_TO_RESOLVE',
      detail: expect.stringContaining('active'),
    });
    stage.script(() => dirty);
    await decided(stage, 'commit');
    expect(await resolve(stage, { branchId: 1 })).toMatchObject({ code: 'ALREADY_COMMITTED' });
    expect(asked(stage).filter((call) => call.endsWith('resolve'))).toEqual([]);
  });

  test('is for an open at branch that is named without a doubt', async () => {
    const elsewhere: BranchSpec = {
      kind: 'at',
      participant: { service: 'other', method: 'at.stock' },
    };
    const stage = await createStage();
    stage.script(({ method }) => (method === 'at.orders' ? done : dirty));
    await begun(stage, [orders, stock, elsewhere, debit]);
    await decided(stage, 'rollback');
    expect(await resolve(stage, { branchId: 1 })).toMatchObject({ code: 'NOTHING_TO_RESOLVE' });
    expect(await resolve(stage, { resource: 'orders' })).toMatchObject({
      code: 'NOTHING_TO_RESOLVE',
    });
    expect(await resolve(stage, { resource: 'stock' })).toMatchObject({
      code: 'INVALID_REQUEST',
      detail: expect.stringContaining('name the branch'),
    });
    expect(await resolve(stage, { resource: 'none' })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await resolve(stage, { branchId: 4 })).toMatchObject({ code: 'INVALID_REQUEST' });
    expect(await resolve(stage, { branchId: 9 })).toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('locks', () => {
  test('asks the resource, and no transaction', async () => {
    const stage = await createStage();
    stage.script(() => doneWith({ locks: [], next: '17' }));
    const request = { service: 'shop', resource: 'orders', gid: 'g7', cursor: '99' };
    const locks = stage.ask<LocksAnswer>((e, a) => e.locks(request, a));
    await stage.time.settle();
    expect(locks.answer).toEqual({
      ok: true,
      body: { service: 'shop', resource: 'orders', locks: [], nextCursor: '17' },
    });
    expect(stage.calls).toEqual([
      {
        gid: '-',
        branchId: 1,
        operation: 'locks',
        method: 'at.orders',
        payload: { order: 'newest', limit: 50, gid: 'g7', after: '99' },
      },
    ]);
  });

  test('says what the resource could not answer', async () => {
    const stage = await createStage();
    stage.script(() => ({ outcome: 'unknown', error: 'shop is not connected', asked: false }));
    const request = { service: 'shop', resource: 'orders' };
    const locks = stage.ask<LocksAnswer>((e, a) => e.locks(request, a));
    await stage.time.settle();
    expect(locks.answer).toMatchObject({ code: 'METHOD_NOT_OFFERED' });
  });
});
