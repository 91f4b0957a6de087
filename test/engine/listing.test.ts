/** Lists of what is open, of what has ended, and of both; while a coordinator reads back, too. */
import { describe, expect, test } from 'vitest';
import type {
  Gid,
  ListAnswer,
  ListRequest,
  TransactionAnswer,
  TransactionQuery,
  TransactionSummary,
} from '../../client-sdk/protocol/index.ts';
import type { Transaction } from '../../server/core/transaction.ts';
import { indexRow } from '../../server/engine/codec.ts';
import { fitsOf } from '../../server/engine/conditions.ts';
import type { Matching } from '../../server/engine/coordinator.ts';
import { createMailbox } from '../../server/engine/mailbox.ts';
import { scanOpen } from '../../server/engine/open-scan.ts';
import { toSummary } from '../../server/engine/view.ts';
import { createVirtualTime } from '../support/virtual-time.ts';
import { createStage, done, type Stage, stepsOf, twoBranches } from './stage.ts';

async function list(stage: Stage, request: ListRequest): Promise<ListAnswer> {
  const asked = stage.ask<ListAnswer>((e, a) => e.list(request, a));
  await stage.time.settle();
  if (asked.answer?.ok !== true) throw new Error(`no list: ${JSON.stringify(asked.answer)}`);
  return asked.answer.body;
}

async function gids(stage: Stage, request: ListRequest): Promise<string> {
  return (await list(stage, request)).transactions.map(({ gid }) => gid).join(' ');
}

async function line(stage: Stage, gid: Gid): Promise<TransactionSummary> {
  const { transactions } = await list(stage, { gid });
  const [found] = transactions;
  if (found === undefined || transactions.length > 1) throw new Error(`${gid} is not in the list`);
  return found;
}

async function matching(stage: Stage, query: TransactionQuery, limit: number) {
  const asked = stage.ask<Matching>((e, a) => e.matching(query, limit, a));
  await stage.time.settle();
  return asked.answer;
}

/** Each a millisecond after the other; the bank has trouble, the trip waits, the rest has ended. */
async function town(): Promise<Stage> {
  const stage = await createStage({
    attentionAfterAttempts: 3,
    retry: { initialMs: 10, capMs: 50 },
  });
  stage.script(({ method }) => {
    if (method === 'debit') return { outcome: 'unknown', error: 'Connection RESET by the bank' };
    if (method === 'send') return { outcome: 'unknown', error: 'Nobody is home', asked: false };
    return method === 'hotel' ? null : done;
  });
  const begin = async (gid: Gid, more: object) => {
    stage.ask<TransactionAnswer>((e, a) => e.begin({ gid, ...more }, a));
    await stage.time.advance(1);
  };
  const decide = async (gid: Gid, direction: 'commit' | 'rollback') => {
    const reason = direction === 'rollback' ? 'Changed her MIND' : undefined;
    stage.ask<TransactionAnswer>((e, a) =>
      e.decide({ gid, direction, wait: 'decided', ...(reason && { reason }) }, a),
    );
    await stage.time.settle();
  };
  const credit = [{ participant: { service: 'bank', method: 'credit' } }];
  await begin('active', { name: 'pay', labels: { tenant: 'a' } });
  await begin('stuck', { name: 'pay', branches: twoBranches, labels: { tenant: 'b' } });
  await decide('stuck', 'commit');
  await begin('done', { name: 'pay', branches: credit, labels: { tenant: 'b' } });
  await decide('done', 'commit');
  await begin('undone', { name: 'refund', branches: credit });
  await decide('undone', 'rollback');
  await begin('away', {
    branches: [{ participant: { service: 'post', method: 'send' } }, ...credit],
  });
  await decide('away', 'rollback');
  stage.ask<TransactionAnswer>((e, a) =>
    e.submit({ gid: 'trip', name: 'trip', steps: stepsOf('flight', 'hotel', 'car') }, a),
  );
  await stage.time.advance(1_000);
  return stage;
}

describe('a list', () => {
  test.each<readonly [ListRequest, string]>([
    [{}, 'trip away undone done stuck active'],
    [{ sort: 'oldest' }, 'active stuck done undone away trip'],
    [{ outcome: 'open' }, 'trip away stuck active'],
    [{ outcome: 'open', sort: 'oldest', limit: 2 }, 'active stuck'],
    [{ outcome: 'committed' }, 'done'],
    [{ phase: 'rolledBack' }, 'undone'],
    [{ phase: 'committed', outcome: 'committed' }, 'done'],
    [{ phase: 'active' }, 'trip active'],
    [{ phase: 'committing', outcome: 'open' }, 'stuck'],
    [{ phase: 'rollingBack' }, 'away'],
    [{ mode: 'saga' }, 'trip'],
    [{ name: 'pay' }, 'done stuck active'],
    [{ gid: 'a' }, 'away active'],
    [{ gid: 'A' }, ''],
    [{ attention: true }, 'away stuck'],
    [{ attention: false, name: 'refund' }, 'undone'],
    [{ label: 'tenant=b' }, 'done stuck'],
    [{ label: 'tenant=b', outcome: 'open' }, 'stuck'],
    [{ label: 'tenant=' }, ''],
    [{ startedAfterMs: 1_000_001, startedBeforeMs: 1_000_003 }, 'done stuck'],
    [{ service: 'bank' }, 'stuck'],
    [{ service: 'bank', method: 'debit' }, 'stuck'],
    [{ service: 'bank', method: 'credit' }, ''],
    [{ method: 'debit' }, 'stuck'],
    [{ method: 'car' }, 'trip'],
    [{ service: 'trip', method: 'flight' }, ''],
    [{ service: 'post' }, 'away'],
    [{ error: 'reset BY' }, 'stuck'],
    [{ error: 'NOBODY' }, 'away'],
    [{ error: 'changed her mind' }, 'away'],
    [{ error: '3 attempts' }, 'away stuck'],
    [{ error: 'reset', service: 'trip' }, ''],
  ])('of %o', async (request, expected) => {
    const stage = await town();
    expect(await gids(stage, request)).toBe(expected);
  });

  test.each(['newest', 'oldest'] as const)('pages over both places, %s first', async (sort) => {
    const stage = await town();
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await list(stage, { sort, limit: 1, ...(cursor && { cursor }) });
      expect(page.transactions.length).toBeLessThanOrEqual(1);
      seen.push(...page.transactions.map(({ gid }) => gid));
      cursor = page.nextCursor;
    } while (cursor !== null && seen.length < 10);
    const order = ['active', 'stuck', 'done', 'undone', 'away', 'trip'];
    expect(seen).toEqual(sort === 'oldest' ? order : order.toReversed());
  });

  test('shows at a glance what holds an open one up', async () => {
    const stage = await town();
    expect(await line(stage, 'stuck')).toMatchObject({
      phase: 'committing',
      labels: { tenant: 'b' },
      services: ['bank'],
      lastError: 'Connection RESET by the bank',
      attention: { reason: 'retries' },
    });
    const { attempts, nextAttemptAtMs } = await line(stage, 'stuck');
    expect(attempts).toBeGreaterThan(10);
    expect(nextAttemptAtMs).toBeGreaterThan(stage.time.nowMs() - 1);
    expect((await line(stage, 'away')).services).toEqual(['post', 'bank']);
    expect(await line(stage, 'done')).toMatchObject({
      ...{ phase: 'committed', labels: { tenant: 'b' }, services: [] },
      ...{ lastError: null, attempts: 0, nextAttemptAtMs: null },
    });
  });

  test.each<readonly [ListRequest, string]>([
    [{ outcome: 'open', phase: 'committed' }, "phase: 'committed' contradicts outcome 'open'"],
    [{ outcome: 'rolledBack', phase: 'active' }, "phase: 'active' contradicts"],
    [{ outcome: 'committed', service: 'bank' }, 'service: is known of open transactions only'],
    [{ phase: 'rolledBack', error: 'x' }, 'error: is known of open transactions only'],
    [{ startedAfterMs: 5, startedBeforeMs: 5 }, 'startedBeforeMs: must be later'],
    [{ cursor: 'mine' }, 'cursor: not one of ours'],
  ])('refuses %o', async (request, detail) => {
    const stage = await createStage();
    const asked = stage.ask<ListAnswer>((e, a) => e.list(request, a));
    expect(asked.answer).toMatchObject({
      ...{ ok: false, code: 'INVALID_REQUEST' },
      detail: expect.stringContaining(detail),
    });
  });
});

describe('what is not durable', () => {
  test('is not listed, nor is a decision that is not', async () => {
    const stage = await createStage();
    stage.ask<TransactionAnswer>((e, a) => e.begin({ gid: 'g1', branches: twoBranches }, a));
    await stage.time.settle();
    stage.mood('stalled');
    stage.ask<TransactionAnswer>((e, a) => e.begin({ gid: 'g2' }, a));
    stage.ask<TransactionAnswer>((e, a) =>
      e.decide({ gid: 'g1', direction: 'commit', wait: 'decided' }, a),
    );
    await stage.time.settle();
    expect(await gids(stage, {})).toBe('g1');
    expect(await line(stage, 'g1')).toMatchObject({ phase: 'active', cause: null });
    expect(await gids(stage, { phase: 'committing' })).toBe('');
  });

  test('the last step of a saga decides it only when its record is', async () => {
    const stage = await createStage();
    stage.script(() => null);
    stage.ask<TransactionAnswer>((e, a) =>
      e.submit({ gid: 's', name: 'trip', steps: stepsOf('flight'), wait: 'submitted' }, a),
    );
    await stage.time.settle();
    stage.mood('stalled');
    await stage.answer(done);
    expect(await gids(stage, { phase: 'active' })).toBe('s');
    expect(await gids(stage, { outcome: 'committed' })).toBe('');
  });

  test('what has ended is in one of the lists, though its last record is on its way', async () => {
    const stage = await createStage();
    stage.ask<TransactionAnswer>((e, a) => e.begin({ gid: 'g1', branches: twoBranches }, a));
    await stage.time.settle();
    stage.script(() => null);
    stage.ask<TransactionAnswer>((e, a) => e.decide({ gid: 'g1', direction: 'commit' }, a));
    await stage.time.settle();
    stage.mood('stalled');
    await stage.answer(done);
    await stage.answer(done);
    expect(await gids(stage, { outcome: 'open' })).toBe('');
    expect(await gids(stage, { outcome: 'committed' })).toBe('g1');
    expect(await line(stage, 'g1')).toMatchObject({ phase: 'committed' });
  });
});

describe('a coordinator that reads back', () => {
  /** Its successor reads one transaction every 50 ms. */
  async function successor(): Promise<Stage> {
    const first = await town();
    return createStage({ recoveryPerSecond: 20 }, first.store, first.time);
  }

  test('lists what it has not read yet, too', async () => {
    const stage = await successor();
    expect(stage.engine.stats().state).toBe('recovering');
    expect(await gids(stage, {})).toBe('trip away undone done stuck active');
    expect(await gids(stage, { outcome: 'open', sort: 'oldest' })).toBe('active stuck away trip');
    expect(await gids(stage, { service: 'trip' })).toBe('trip');
    expect(await gids(stage, { attention: true })).toBe('away stuck');
    expect(await gids(stage, { error: 'changed her mind' })).toBe('away');
    expect(await line(stage, 'trip')).toMatchObject({ services: ['trip'], attempts: 0 });
    await stage.time.advance(1_000);
    expect(stage.engine.stats().state).toBe('running');
    expect(await gids(stage, { outcome: 'open' })).toBe('active');
    expect(await gids(stage, { outcome: 'rolledBack' })).toBe('away undone');
  });

  test('pages without hole or repeat', async () => {
    const stage = await successor();
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await list(stage, { limit: 1, ...(cursor && { cursor }) });
      seen.push(...page.transactions.map(({ gid }) => gid));
      cursor = page.nextCursor;
    } while (cursor !== null && seen.length < 10);
    expect(seen).toEqual(['trip', 'away', 'undone', 'done', 'stuck', 'active']);
  });

  test('counts nothing before it has read everything', async () => {
    const stage = await successor();
    expect(await matching(stage, {}, 10)).toMatchObject({ ok: false, code: 'LOG_UNAVAILABLE' });
    stage.script(() => null);
    await stage.time.advance(500);
    expect(await matching(stage, {}, 2)).toEqual({
      ok: true,
      body: { gids: ['active', 'stuck'], total: 4 },
    });
  });

  test('whose term is over, or has not begun, lists from the log', async () => {
    const first = await town();
    await createStage({}, first.store, first.time);
    first.ask<TransactionAnswer>((e, a) => e.begin({ gid: 'late' }, a));
    await first.time.settle();
    expect(first.engine.stats().state).toBe('fenced');
    expect(await gids(first, { phase: 'active' })).toContain('active');
    expect(await matching(first, {}, 1)).toMatchObject({ ok: false });
  });

  test('shows what it cannot read, and that a human is needed', async () => {
    const first = await town();
    const [row] = first.store.slots.get('active')?.values() ?? [];
    if (row === undefined) throw new Error('nothing was begun');
    first.store.slots.get('active')?.set(1, { ...row, records: '[{"kind":"later"}]' });
    const stage = await createStage({}, first.store, first.time);
    await stage.time.advance(100);
    expect(stage.engine.stats().state).toBe('running');
    expect(await gids(stage, { outcome: 'open' })).toBe('active');
    expect(await line(stage, 'active')).toMatchObject({
      attention: { reason: 'unreadable', detail: expect.stringContaining("'later'") },
    });
    expect(await gids(stage, { attention: true, error: 'LATER' })).toBe('active');
    expect(await gids(stage, { attention: true, error: 'reset' })).toBe('');
    // What the alert, the Overview and the shards tell is what the list shows.
    const { attention, open, shards } = stage.engine.census();
    expect([attention, open.active]).toEqual([1, 0]);
    expect(shards.reduce((sum, shard) => sum + shard.attention, 0)).toBe(1);
    expect(await gids(stage, { phase: 'active' })).toBe('');
    expect(await matching(stage, {}, 9)).toMatchObject({ ok: true, body: { total: 0 } });
  });
});

describe('matching', () => {
  test('finds open ones, oldest first, and counts all', async () => {
    const stage = await town();
    expect(await matching(stage, { name: 'pay' }, 1)).toEqual({
      ok: true,
      body: { gids: ['active'], total: 2 },
    });
    expect(await matching(stage, { error: 'reset' }, 9)).toMatchObject({
      body: { gids: ['stuck'] },
    });
  });

  test.each<TransactionQuery>([{ outcome: 'committed' }, { phase: 'rolledBack' }])(
    'refuses %o',
    async (query) => {
      const stage = await createStage();
      expect(await matching(stage, query, 1)).toMatchObject({ ok: false, code: 'INVALID_REQUEST' });
    },
  );
});

describe('an address', () => {
  const branch = {
    branchId: 1,
    kind: 'tcc',
    payload: null,
    request: null,
    isFinished: false,
  } as const;
  const tx: Transaction = {
    ...openTx('g', 1),
    branches: [{ ...branch, participant: { url: 'http://10.0.0.9:81/secret/pay' } }],
  };

  test.each([
    ['http://10.0.0.9:81', true],
    ['http://10.0.0.9:81/secret/pay', true],
    ['http://10.0.0.9:8', false],
    ['http://10.0.0.9', false],
  ])('is found by how it begins: %s', (service, isFound) => {
    expect(fitsOf({ service })(tx, [])).toBe(isFound);
    expect(fitsOf({ service, method: 'pay' })(tx, [])).toBe(false);
  });

  test('is shown without its path', () => {
    expect(toSummary(indexRow(tx, 0), tx).services).toEqual(['http://10.0.0.9:81']);
  });
});

/** An open transaction without branches. */
function openTx(gid: Gid, startedAtMs: number): Extract<Transaction, { mode: 'transaction' }> {
  return {
    ...{ gid, mode: 'transaction', name: 'n', content: '', epoch: 1, labels: {} },
    ...{ phase: 'active', cause: null, attention: null, startedAtMs },
    ...{ deadlineAtMs: null, decidedAtMs: null, finishedAtMs: null, branches: [], requests: {} },
  };
}

test('a look through many lets others in between, and keeps the first of them', async () => {
  const time = createVirtualTime();
  const count = 10_000;
  const mailboxes = Array.from({ length: count }, (_, i) => {
    const gid = `g${String((i * 7_919) % count).padStart(5, '0')}`;
    const mailbox = createMailbox(gid, 'ready');
    mailbox.tx = openTx(gid, i % 100);
    return mailbox;
  });
  const gidsInOrder = mailboxes
    .map(({ gid, tx }) => ({ gid, at: tx?.startedAtMs ?? 0 }))
    .sort((a, b) => b.at - a.at || (a.gid < b.gid ? 1 : -1))
    .map(({ gid }) => gid);
  const told: string[] = [];
  const wish = { fits: () => true, order: 'newest', limit: 300 } as const;
  scanOpen({ clock: time.clock, mailboxes }, wish, ({ page, total }) => {
    told.push(`found ${total}`);
    expect(page.rows.map(({ gid }) => gid)).toEqual(gidsInOrder.slice(0, 300));
    expect(page.next?.gid).toBe(gidsInOrder[299]);
  });
  time.clock.soon(() => told.push('another'));
  await time.settle();
  expect(told).toEqual(['another', 'found 10000']);
});
