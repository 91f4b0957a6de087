/** The desk over the real engine: what is done, what is on the record, and that a dry run is neither. */
import { expect, it } from 'vitest';
import type {
  CallAnswer,
  OperationRequest,
  RowResolution,
  TransactionAnswer,
} from '../../client-sdk/protocol/index.ts';
import { createAudit } from '../../server/desk/audit.ts';
import { createDesk } from '../../server/desk/desk.ts';
import { openMemoryLog } from '../../server/log/memory-log.ts';
import { createStage, done, type Stage, stepsOf, twoBranches } from '../engine/stage.ts';

const away: CallAnswer = { outcome: 'unknown', error: 'the bank is away' };
const reason = 'ticket 7';
const noDoctor = { examine: async () => ({ atMs: 0, findings: [] }) };

async function start({ isReadOnly = false } = {}) {
  const stage = await createStage();
  const { engine, time, store } = stage;
  const log = openMemoryLog(store);
  const term = () => ({ node: 'node-1', epoch: engine.stats().epoch });
  const audit = createAudit({ clock: time.clock, log, term });
  const desk = createDesk({ coordinator: engine, audit, isReadOnly, doctor: noDoctor });
  /** Virtual time moves while the desk works. */
  async function wait<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    const outcome = work.finally(() => {
      isOver = true;
    });
    outcome.catch(() => undefined);
    while (!isOver) await time.settle();
    return outcome;
  }
  const operate = async (request: Omit<OperationRequest, 'reason'>) => {
    const answer = await wait(desk.operate({ ...request, reason }, 'eve'));
    if (!answer.ok) throw new Error(`${answer.code}: ${answer.detail}`);
    return answer.body;
  };
  const entries = async () => {
    const answer = await wait(desk.audit({}));
    return answer.ok ? answer.body.entries.toReversed() : [];
  };
  return { stage, desk, wait, operate, entries };
}

function begin(stage: Stage, gid: string) {
  stage.ask<TransactionAnswer>((e, a) =>
    e.begin({ gid, name: 'transfer', branches: twoBranches }, a),
  );
}

async function committing(stage: Stage, ...gids: readonly string[]) {
  stage.script(({ operation }) => (operation === 'confirm' ? away : done));
  for (const gid of gids) {
    begin(stage, gid);
    stage.ask<TransactionAnswer>((e, a) =>
      e.decide({ gid, direction: 'commit', wait: 'decided' }, a),
    );
  }
  await stage.time.settle();
}

it('retries at once what is owed, and says so in the audit before and after', async () => {
  const { stage, operate, entries } = await start();
  await committing(stage, 'g1');
  const { phase } = await stage.view('g1');
  expect(phase).toBe('committing');
  const asked = stage.calls.length;
  stage.script(() => done);
  const answer = await operate({ action: 'retry', gids: ['g1'] });
  expect(answer).toMatchObject({
    auditSeq: 1,
    results: [
      { gid: 'g1', name: 'transfer', before: 'committing', after: 'committing', error: null },
    ],
  });
  await stage.time.advance(0);
  expect(stage.calls.length).toBe(asked + 2);
  expect((await stage.view('g1')).phase).toBe('committed');
  expect(await entries()).toMatchObject([
    { seq: 1, who: 'eve', action: 'tx.retry', reason, stage: 'asked', target: { gids: ['g1'] } },
    { seq: 2, stage: 'done', of: 1, before: { g1: 'committing' }, after: { g1: 'committing' } },
  ]);
});

it('a dry run tells what would be, and does and writes nothing', async () => {
  const { stage, operate, entries } = await start();
  begin(stage, 'g1');
  await committing(stage, 'g2');
  const rows = stage.appended.length;
  const calls = stage.calls.length;
  const roll = await operate({ action: 'rollback', gids: ['g1', 'g2', 'g3'], dryRun: true });
  expect(roll).toMatchObject({
    auditSeq: null,
    results: [
      { gid: 'g1', before: 'active', after: 'rollingBack' },
      { gid: 'g2', error: { code: 'ALREADY_COMMITTED' } },
      { gid: 'g3', error: { code: 'NOT_FOUND' } },
    ],
  });
  const resolve = await operate({ action: 'resolve', gids: ['g2'], dryRun: true });
  expect(resolve.results).toMatchObject([{ before: 'committing', after: 'committed' }]);
  const retry = await operate({ action: 'retry', gids: ['g1', 'g2'], dryRun: true });
  expect(retry.results).toMatchObject([{ error: { code: 'NOTHING_OWED' } }, { error: null }]);
  expect([stage.appended.length, stage.calls.length]).toEqual([rows, calls]);
  expect(await entries()).toEqual([]);
  expect((await stage.view('g1')).phase).toBe('active');
});

it('rolls back what its initiator has left, with who and why as the cause', async () => {
  const { stage, operate } = await start();
  begin(stage, 'g1');
  await stage.time.settle();
  await operate({ action: 'rollback', gids: ['g1'] });
  expect(await stage.view('g1')).toMatchObject({
    phase: 'rolledBack',
    cause: { kind: 'operator', detail: 'eve: ticket 7' },
  });
});

it('skips one operation, as it was seen to be owed, and resolves all of one', async () => {
  const { stage, operate, entries } = await start();
  await committing(stage, 'g1', 'g2');
  const skip = { action: 'skip', gids: ['g1'], branchId: 1 } as const;
  const wrong = await operate({ ...skip, operation: 'cancel' });
  expect(wrong.results).toMatchObject([{ error: { code: 'NOTHING_OWED' } }]);
  await operate({ ...skip, operation: 'confirm' });
  expect((await stage.view('g1')).branches).toMatchObject([
    { state: 'confirmed' },
    { state: 'asked' },
  ]);
  const resolved = await operate({ action: 'resolve', gids: ['g1', 'g2', 'g1'] });
  expect(resolved).toMatchObject({
    matched: 2,
    results: [{ after: 'committed' }, { after: 'committed' }],
  });
  const written = await entries();
  expect(written.filter(({ stage: at }) => at === 'done').map(({ after }) => after)).toEqual([
    { g1: 'NOTHING_OWED' },
    { g1: 'committing' },
    { g1: 'committed', g2: 'committed' },
  ]);
});

it('gives a skipped run of a saga the result that was named', async () => {
  const { stage, operate } = await start();
  stage.script(({ method }) => (method === 'fly' ? away : done));
  stage.ask<TransactionAnswer>((e, a) =>
    e.submit({ gid: 's1', name: 'trip', steps: stepsOf('fly', 'sleep'), wait: 'submitted' }, a),
  );
  await stage.time.settle();
  await operate({ action: 'skip', gids: ['s1'], branchId: 1, operation: 'run', result: 'F1' });
  await stage.time.settle();
  expect(stage.calls.at(-1)).toMatchObject({ method: 'sleep', results: { fly: 'F1' } });
  expect((await stage.view('s1')).phase).toBe('committed');
});

it('resolves rows with every choice whole on the record, and tells which entry it is', async () => {
  const { stage, desk, wait, entries } = await start();
  const resolved = {
    outcome: 'done',
    result: { kind: 'resolved', rows: [], rowsTotal: 2 },
  } as const;
  stage.script(({ operation }) => (operation === 'resolve' ? resolved : away));
  const participant = { service: 'shop', method: 'at.orders' };
  const branches = [{ kind: 'at', participant } as const];
  stage.ask<TransactionAnswer>((e, a) => e.begin({ gid: 'g1', branches }, a));
  await stage.time.settle();
  stage.ask<TransactionAnswer>((e, a) =>
    e.decide({ gid: 'g1', direction: 'rollback', wait: 'decided' }, a),
  );
  await stage.time.advance(10);
  const merge = {
    table: 't',
    key: '["1"]',
    choice: 'merge',
    columns: { cents: 'before' },
  } as const;
  const keep = { table: 't', key: '["2"]', choice: 'keep' } as const;
  const rows: readonly RowResolution[] = [merge, keep].map((row) => ({ ...row, seen: 'a' }));
  const request = { gid: 'g1', resource: 'orders', rows, reason };
  const dry = await wait(desk.resolve({ ...request, dryRun: true }, 'eve'));
  expect(dry).toMatchObject({ ok: true, body: { auditSeq: null, dryRun: true } });
  expect(await entries()).toEqual([]);
  const answer = await wait(desk.resolve(request, 'eve'));
  expect(answer).toMatchObject({ ok: true, body: { auditSeq: 1, dryRun: false, rowsTotal: 2 } });
  const choices = [merge, keep];
  const target = { gid: 'g1', branchId: null, resource: 'orders', choices, otherwise: null };
  expect(await entries()).toMatchObject([
    { seq: 1, action: 'undo.resolve', stage: 'asked', target },
    { seq: 2, action: 'undo.resolve', stage: 'done', of: 1, after: { rows: 2 } },
  ]);
});

it('does it to all that a query finds, unless it finds more than was seen', async () => {
  const { stage, desk, operate, wait } = await start();
  await committing(stage, 'g1', 'g2', 'g3');
  const query = { mode: 'transaction' } as const;
  const many = await wait(desk.operate({ action: 'resolve', query, countMax: 2, reason }, 'eve'));
  expect(many).toMatchObject({ ok: false, code: 'CONFLICT' });
  const all = await operate({ action: 'resolve', query, countMax: 3 });
  expect(all.matched).toBe(3);
  for (const gid of ['g1', 'g2', 'g3']) expect((await stage.view(gid)).phase).toBe('committed');
});

it('does nothing that it cannot write down', async () => {
  const { stage, desk, wait } = await start();
  begin(stage, 'g1');
  await stage.time.settle();
  // Another coordinator has the log: the audit is fenced, and the engine does not know it yet.
  await openMemoryLog(stage.store).takeOver('node-2', 'http://127.0.0.1:2', 1);
  const answer = await wait(desk.operate({ action: 'rollback', gids: ['g1'], reason }, 'eve'));
  expect(answer).toMatchObject({ ok: false, code: 'FENCED' });
  expect(stage.calls).toEqual([]);
});

it('changes nothing where it is read-only', async () => {
  const { stage, desk, operate, wait } = await start({ isReadOnly: true });
  begin(stage, 'g1');
  await stage.time.settle();
  const answer = await wait(desk.operate({ action: 'rollback', gids: ['g1'], reason }, 'eve'));
  expect(answer).toMatchObject({ ok: false, code: 'FORBIDDEN' });
  expect((await operate({ action: 'rollback', gids: ['g1'], dryRun: true })).results).toHaveLength(
    1,
  );
  expect((await stage.view('g1')).phase).toBe('active');
});
