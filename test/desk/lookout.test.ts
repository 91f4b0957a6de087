/** What operators look at, over the real engine: timeline, overview, stream, drains, shards, the log. */
import { describe, expect, it } from 'vitest';
import type { DeskEvent, TransactionAnswer } from '../../client-sdk/protocol/index.ts';
import { changedMax, listenersMax } from '../../server/desk/events.ts';
import { drainedMax } from '../../server/desk/lookout.ts';
import { timelineOf } from '../../server/desk/timeline.ts';
import { shardOf } from '../../server/log/log.ts';
import { done, type Stage, stepsOf, twoBranches } from '../engine/stage.ts';
import { watching } from './watching.ts';

const reason = 'ticket 7';
const away = { outcome: 'unknown', error: 'the bank is away' } as const;

async function begin(stage: Stage, ...gids: readonly string[]) {
  for (const gid of gids) {
    stage.ask<TransactionAnswer>((e, a) =>
      e.begin({ gid, name: 'transfer', timeoutMs: 60_000, branches: twoBranches }, a),
    );
  }
  await stage.time.settle();
}

async function decide(stage: Stage, gid: string, direction: 'commit' | 'rollback') {
  stage.ask<TransactionAnswer>((e, a) => e.decide({ gid, direction, wait: 'decided' }, a));
  await stage.time.advance(50);
}

describe('the timeline', () => {
  it('has every record in words, and nothing of payloads', async () => {
    const { stage, lookout, wait } = await watching();
    await begin(stage, 'g1');
    await decide(stage, 'g1', 'commit');
    const { entries } = await wait(lookout.timeline('g1'));
    expect(entries.map(({ kind, branchId, text }) => [kind, branchId, text])).toEqual([
      ['begun', null, 'begun, to be decided within 60 s, with 2 branches'],
      ['decided', null, 'decided to commit, asked by the initiator'],
      ['done', 1, 'branch 1 confirmed'],
      ['done', 2, 'branch 2 confirmed'],
    ]);
    expect(entries.map(({ seq }) => seq)).toEqual(entries.map(({ seq }) => seq).toSorted());
    expect(JSON.stringify(entries)).not.toContain('500');
  });

  it('names the steps of a saga, its failed attempts, and the human who skipped one', async () => {
    const { stage, lookout, wait } = await watching();
    stage.script(({ method }) => (method === 'hotel' ? away : done));
    stage.ask<TransactionAnswer>((e, a) =>
      e.submit(
        { gid: 's1', name: 'trip', steps: stepsOf('flight', 'hotel'), wait: 'submitted' },
        a,
      ),
    );
    await stage.time.advance(50);
    const operator = { who: 'eve', reason };
    const owed = { branchId: 2, operation: 'run' } as const;
    stage.ask((e, a) =>
      e.operate(
        { ...{ gid: 's1', action: 'skip', owed, result: null }, operator, dryRun: false } as const,
        a,
      ),
    );
    await stage.time.advance(50);
    const { entries } = await wait(lookout.timeline('s1'));
    expect(entries.map(({ text, operator: by }) => [text, by])).toEqual([
      ['submitted with 2 steps', null],
      ['step 1 (flight) done', null],
      ['an attempt at step 2 (hotel) failed: the bank is away', null],
      ['step 2 (hotel) done, as eve says', operator],
    ]);
  });

  it('shows who rolled it back, and why', async () => {
    const { stage, lookout, wait } = await watching();
    await begin(stage, 'g1');
    const operator = { who: 'eve', reason: 'twice: by mistake' };
    stage.ask((e, a) =>
      e.operate(
        { ...{ gid: 'g1', action: 'rollback', owed: null, result: null }, operator, dryRun: false },
        a,
      ),
    );
    await stage.time.advance(50);
    const { entries } = await wait(lookout.timeline('g1'));
    const text = 'decided to roll back, asked by an operator';
    expect(entries[1]).toMatchObject({ kind: 'decided', text, operator });
  });

  it('names each branch that was registered, so that one can see since when it takes part', () => {
    const own = { kind: 'at', participant: { service: 'shop', method: 'at.orders' } };
    const other = { kind: 'tcc', participant: { url: 'http://127.0.0.1:1/pay' } };
    const branches = [own, other].map((branch, at) => ({ branchId: at + 2, ...branch }));
    const records = JSON.stringify([{ kind: 'registered', branches, atMs: 7 }]);
    const row = { gid: 'g', seq: 2, shard: 0, epoch: 3, atMs: 5, records };
    expect(timelineOf([row])).toMatchObject([
      { branchId: 2, atMs: 7, text: 'registered branch 2, at of shop at.orders' },
      { branchId: 3, atMs: 7, text: 'registered branch 3, tcc of http://127.0.0.1:1/pay' },
    ]);
  });

  it('shows also what is no record at all', () => {
    const row = { gid: 'g', seq: 1, shard: 0, epoch: 3, atMs: 5, records: '{' };
    expect(timelineOf([row])).toMatchObject([{ kind: 'unreadable', epoch: 3, atMs: 5 }]);
  });

  it('is not for the rows of the audit', async () => {
    const { lookout, wait } = await watching();
    await wait(lookout.drain({ service: 'bank', reason }, true, 'eve'));
    await expect(wait(lookout.timeline('settle.audit.00000001'))).rejects.toThrow('NOT_FOUND');
    await expect(wait(lookout.timeline('none'))).rejects.toThrow('NOT_FOUND');
  });
});

describe('the overview', () => {
  it('counts what is open, what needs a human, and each second', async () => {
    const { stage, lookout } = await watching({ attentionAfterAttempts: 1 });
    await begin(stage, 'g1', 'g2', 'g3');
    await decide(stage, 'g1', 'commit');
    stage.script(() => away);
    await decide(stage, 'g2', 'rollback');
    await stage.time.advance(2_000);
    const { open, attention, oldestOpen, seconds, durationMs, logMs } = lookout.overview();
    expect(open).toEqual({ active: 1, committing: 0, rollingBack: 1 });
    expect([attention, oldestOpen?.gid]).toEqual([1, expect.stringMatching(/^g[23]$/)]);
    expect(seconds).toHaveLength(2);
    expect(seconds[0]).toEqual({
      atMs: 1_000_000,
      begun: { transaction: 3, saga: 0 },
      committed: { transaction: 1, saga: 0 },
      rolledBack: { transaction: 0, saga: 0 },
    });
    expect(seconds[1]?.begun).toEqual({ transaction: 0, saga: 0 });
    expect(durationMs?.p99).toBeLessThanOrEqual(50);
    expect(logMs).not.toBeNull();
  });

  it('forgets what is older than five minutes', async () => {
    const { stage, lookout } = await watching();
    await begin(stage, 'g1');
    await decide(stage, 'g1', 'commit');
    await stage.time.advance(301_000);
    const { seconds, durationMs } = lookout.overview();
    expect(seconds).toHaveLength(300);
    expect(seconds.every(({ begun }) => begun.transaction === 0)).toBe(true);
    expect(durationMs).toBeNull();
  });
});

describe('the stream', () => {
  const hearing = () => {
    const heard: DeskEvent[] = [];
    let isEnded = false;
    return {
      heard,
      isEnded: () => isEnded,
      listener: {
        hear: (events: readonly DeskEvent[]) => void heard.push(...events),
        ended: () => {
          isEnded = true;
        },
      },
    };
  };

  it('ticks once a second with the gids that changed, while somebody listens', async () => {
    const { stage, lookout } = await watching();
    const { heard, listener } = hearing();
    const leave = lookout.events.listen(listener);
    expect(heard).toMatchObject([{ kind: 'overview' }]);
    await begin(stage, 'g1', 'g2');
    await stage.time.advance(1_000);
    expect(heard.slice(1)).toMatchObject([
      { kind: 'overview', overview: { second: { begun: { transaction: 2 } } } },
      { kind: 'changed', gids: ['g1', 'g2'], isCut: false },
    ]);
    leave?.();
    leave?.();
    await stage.time.advance(5_000);
    expect([heard.length, lookout.events.count()]).toEqual([3, 0]);
  });

  it('cuts what is more than a tick can hold', async () => {
    const { stage, lookout } = await watching();
    const { heard, listener } = hearing();
    lookout.events.listen(listener);
    await begin(stage, ...Array.from({ length: changedMax + 1 }, (_, n) => `g${n}`));
    await stage.time.advance(1_000);
    const changed = heard.find(({ kind }) => kind === 'changed');
    expect(changed).toMatchObject({ isCut: true });
    expect(changed?.kind === 'changed' && changed.gids.length).toBe(changedMax);
  });

  it('takes so many listeners and no more, and ends for all of them', async () => {
    const { lookout } = await watching();
    const all = Array.from({ length: listenersMax }, hearing);
    for (const { listener } of all) expect(lookout.events.listen(listener)).not.toBeNull();
    expect(lookout.events.listen(hearing().listener)).toBeNull();
    lookout.events.close();
    expect(all.every(({ isEnded }) => isEnded())).toBe(true);
    expect(lookout.events.count()).toBe(0);
    expect(lookout.events.listen(hearing().listener)).toBeNull();
  });
});

describe('participants', () => {
  it('are those who are connected, owe something, or are drained', async () => {
    const { stage, lookout, connected, wait } = await watching();
    stage.script(() => away);
    await begin(stage, 'g1');
    await decide(stage, 'g1', 'commit');
    connected.push({
      ...{ service: 'shop', instance: 'shop-1', methods: ['b', 'a'] },
      ...{ inFlight: 2, connectedAtMs: 7 },
    });
    await wait(lookout.drain({ service: 'mail', reason }, true, 'eve'));
    expect(lookout.participants().participants).toMatchObject([
      { service: 'bank', instances: [], owed: 2, lastError: 'the bank is away', isDrained: false },
      { service: 'mail', instances: [], owed: 0, oldestOwedAtMs: null, isDrained: true },
      {
        service: 'shop',
        instances: [
          { instance: 'shop-1', methods: ['a', 'b'], callsInFlight: 2, connectedAtMs: 7 },
        ],
      },
    ]);
    const oldest = lookout.participants().participants[0]?.oldestOwedAtMs;
    expect(oldest).toBe(1_000_000);
  });

  it('are drained and undrained on the record; a dry run is neither', async () => {
    const { lookout, drained, audited, wait } = await watching();
    const request = { service: 'bank', reason };
    const dry = await wait(lookout.drain({ ...request, dryRun: true }, true, 'eve'));
    expect(dry).toEqual({ service: 'bank', isDrained: true, auditSeq: null, dryRun: true });
    expect([drained.size, await audited()]).toEqual([0, []]);
    const answer = await wait(lookout.drain(request, true, 'eve'));
    expect(answer).toMatchObject({ isDrained: true, auditSeq: 1 });
    expect([...drained]).toEqual(['bank']);
    await wait(lookout.drain(request, false, 'eve'));
    expect(drained.size).toBe(0);
    expect(await audited()).toEqual([
      'participant.drain asked',
      'participant.drain done',
      'participant.undrain asked',
      'participant.undrain done',
    ]);
  });

  it('are not drained by a desk that is read-only, nor when it cannot be written down', async () => {
    const readOnly = await watching({}, true);
    const request = { service: 'bank', reason };
    await expect(readOnly.wait(readOnly.lookout.drain(request, true, 'eve'))).rejects.toThrow(
      'FORBIDDEN',
    );
    expect(readOnly.drained.size).toBe(0);
    const { lookout, drained, wait } = await watching();
    for (let n = 0; n < drainedMax; n += 1) drained.add(`s${n}`);
    await expect(wait(lookout.drain(request, true, 'eve'))).rejects.toThrow('LIMIT_EXCEEDED');
    await wait(lookout.drain({ service: 's1', reason }, true, 'eve'));
  });
});

it('shards and nodes are those of this coordinator', async () => {
  const { stage, lookout } = await watching();
  await begin(stage, 'g1');
  const { shards } = lookout.shards();
  expect(shards).toHaveLength(64);
  expect(shards[shardOf('g1')]).toEqual({
    shard: shardOf('g1'),
    node: 'node-1',
    open: 1,
    attention: 0,
  });
  expect(lookout.nodes().nodes).toMatchObject([
    { node: 'node-1', address: 'http://node-1', epoch: 1, isThis: true, state: 'running' },
  ]);
});

describe('the log', () => {
  it('reads back well, page by page', async () => {
    const { stage, lookout, wait } = await watching();
    await begin(stage, 'g1', 'g2', 'g3');
    await decide(stage, 'g1', 'commit');
    const first = await wait(lookout.verifyLog({ limit: 2 }));
    expect(first).toMatchObject({ checked: 2, faults: [] });
    const rest = await wait(lookout.verifyLog({ limit: 2, after: first.next ?? '' }));
    expect(rest).toEqual({ checked: 1, faults: [], next: null });
    expect(lookout.log()).toMatchObject({ url: 'memory:', epoch: 1, unknownAppends: 0 });
    await expect(wait(lookout.verifyLog({ after: 'x y' }))).rejects.toThrow('INVALID_REQUEST');
  });

  it('tells of a row that is gone, of another outcome, of what cannot be read', async () => {
    const { stage, lookout, wait } = await watching();
    await begin(stage, 'g1', 'g2', 'g3', 'g4');
    for (const gid of ['g1', 'g2', 'g3', 'g4']) await decide(stage, gid, 'commit');
    const { slots, index } = stage.store;
    slots.get('g1')?.delete(2);
    const row = index.get('g2');
    if (row !== undefined) index.set('g2', { ...row, outcome: 'rolledBack' });
    const first = slots.get('g3')?.get(1);
    if (first !== undefined) slots.get('g3')?.set(1, { ...first, records: '[{"kind":"x"}]' });
    slots.delete('g4');
    const { faults } = await wait(lookout.verifyLog({}));
    expect(Object.fromEntries(faults.map(({ gid, what }) => [gid, what]))).toEqual({
      g1: 'row 2 is missing: found seq 3',
      g2: 'the index says rolledBack, its records say committed',
      g3: "row 1 cannot be read: unknown record 'x'",
      g4: 'the index has it, but no record is there',
    });
  });
});
