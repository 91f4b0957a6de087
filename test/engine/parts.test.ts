import { describe, expect, test } from 'vitest';
import { createGroupCommit, type PendingRow } from '../../server/engine/group-commit.ts';
import type { RowUrgency } from '../../server/engine/row-queues.ts';
import { createTimers } from '../../server/engine/timers.ts';
import type { AppendAnswer, TransactionLog } from '../../server/log/log.ts';
import { openMemoryLog } from '../../server/log/memory-log.ts';
import { seededRandom } from '../../server/runtime/random.ts';
import { createVirtualTime } from '../support/virtual-time.ts';

describe('timers', () => {
  test('fire in due order whatever the order of arming and cancelling', async () => {
    const time = createVirtualTime(0);
    const timers = createTimers(time.clock);
    const random = seededRandom(7);
    const fired: number[] = [];
    const expected: number[] = [];
    for (let i = 0; i < 2_000; i += 1) {
      const dueMs = Math.floor(random.next() * 10_000);
      const timer = timers.after(dueMs, () => fired.push(dueMs));
      if (random.next() < 0.4) {
        timers.cancel(timer);
        timers.cancel(timer);
      } else expected.push(dueMs);
    }
    expect(timers.size()).toBe(expected.length);
    await time.advance(20_000);
    expect(fired).toEqual(expected.sort((a, b) => a - b));
    expect(timers.size()).toBe(0);
  });

  test('a timer may arm others, and an earlier one is not late for a later one armed before', async () => {
    const time = createVirtualTime(0);
    const timers = createTimers(time.clock);
    const fired: string[] = [];
    timers.after(5_000, () => fired.push(`late at ${time.nowMs()}`));
    timers.after(100, () => {
      fired.push(`first at ${time.nowMs()}`);
      timers.after(50, () => fired.push(`second at ${time.nowMs()}`));
    });
    await time.advance(6_000);
    expect(fired).toEqual(['first at 100', 'second at 150', 'late at 5000']);
  });

  test('a wall clock that is set back delays nothing', async () => {
    const time = createVirtualTime(0);
    let skewMs = 0;
    const timers = createTimers({ ...time.clock, nowMs: () => time.nowMs() + skewMs });
    const fired: number[] = [];
    timers.after(100, () => fired.push(time.nowMs()));
    skewMs = -1_800_000;
    timers.after(200, () => fired.push(time.nowMs()));
    await time.advance(1_000);
    expect(fired).toEqual([100, 200]);
  });

  test('clear drops them all', async () => {
    const time = createVirtualTime(0);
    const timers = createTimers(time.clock);
    timers.after(10, () => expect.unreachable());
    timers.clear();
    await time.advance(100);
    expect(timers.size()).toBe(0);
  });
});

interface Bench {
  readonly batches: string[][];
  readonly answers: ((answers: readonly AppendAnswer[]) => void)[];
}

/** Group commit over a log whose answers the test gives. */
interface TestRow extends PendingRow<TestRow> {}

function bench(commitsInFlightMax: number) {
  const time = createVirtualTime(0);
  const seen: Bench = { batches: [], answers: [] };
  const log: TransactionLog = {
    ...openMemoryLog(),
    commitsInFlightMax,
    append(_term, batch) {
      seen.batches.push(batch.map(({ row }) => `${row.gid}/${row.seq}:${row.records}`));
      return new Promise((resolve) => seen.answers.push(resolve));
    },
  };
  const fates: string[] = [];
  let fenced = 0;
  const commit = createGroupCommit<TestRow>({
    clock: time.clock,
    random: seededRandom(1),
    log,
    term: { node: 'n', epoch: 1 },
    departed: (row) => fates.push(`${row.gid} departed`),
    settled: (row, answer) => fates.push(`${row.gid} ${answer}`),
    answered: () => {},
    onFenced: () => {
      fenced += 1;
    },
  });
  const row = (gid: string, urgency: RowUrgency): TestRow => ({
    gid,
    seq: 1,
    shard: 0,
    records: ['1'],
    atMs: 0,
    index: null,
    urgency,
    sinceMs: time.clock.monotonicMs(),
    chain: null,
    before: null,
    after: null,
  });
  return { time, seen, commit, row, fates, fencedCount: () => fenced };
}

describe('group commit', () => {
  test('all rows of a tick share one commit; at most 256; two in flight', async () => {
    const { time, seen, commit, row } = bench(2);
    for (let i = 0; i < 600; i += 1) commit.put(row(`g${i}`, 'urgent'));
    await time.settle();
    expect(seen.batches.map((batch) => batch.length)).toEqual([256, 256]);
    expect(commit.pendingRows()).toBe(600);
    seen.answers[0]?.(Array(256).fill('appended'));
    await time.settle();
    expect(seen.batches.map((batch) => batch.length)).toEqual([256, 256, 88]);
  });

  test('lazy rows ride along, or go after 5 ms; waited ones as soon as the log is idle', async () => {
    const { time, seen, commit, row } = bench(1);
    commit.put(row('lazy1', 'lazy'));
    await time.advance(4);
    expect(seen.batches).toEqual([]);
    commit.put(row('urgent', 'urgent'));
    await time.settle();
    expect(seen.batches).toEqual([['urgent/1:[1]', 'lazy1/1:[1]']]);
    commit.put(row('lazy2', 'lazy'));
    commit.put(row('waited', 'waited'));
    await time.settle();
    expect(seen.batches).toHaveLength(1);
    seen.answers[0]?.(['appended', 'appended']);
    await time.settle();
    expect(seen.batches[1]).toEqual(['waited/1:[1]', 'lazy2/1:[1]']);
    seen.answers[1]?.(['appended', 'appended']);
    commit.put(row('lazy3', 'lazy'));
    await time.advance(6);
    expect(seen.batches[2]).toEqual(['lazy3/1:[1]']);
  });

  test('what brings a transaction nearer to its end goes before what begins one', async () => {
    const { time, seen, commit, row } = bench(1);
    commit.put(row('begin', 'fresh'));
    commit.put(row('decide', 'urgent'));
    await time.settle();
    expect(seen.batches).toEqual([['decide/1:[1]', 'begin/1:[1]']]);
  });

  test('a commit takes more when more than four of them wait', async () => {
    const { time, seen, commit, row } = bench(1);
    for (let i = 0; i < 3_000; i += 1) commit.put(row(`g${i}`, 'fresh'));
    await time.settle();
    seen.answers[0]?.(Array(1_024).fill('appended'));
    await time.settle();
    seen.answers[1]?.(Array(1_024).fill('appended'));
    await time.settle();
    expect(seen.batches.map((batch) => batch.length)).toEqual([1_024, 1_024, 256]);
  });

  test('lazy rows get half of a commit when they are due, however much is urgent', async () => {
    const { time, seen, commit, row } = bench(1);
    const put = (count: number, urgency: RowUrgency) => {
      for (let i = 0; i < count; i += 1) commit.put(row(`${urgency}${i}`, urgency));
    };
    put(600, 'urgent');
    put(200, 'lazy');
    put(100, 'patient');
    await time.advance(26);
    seen.answers[0]?.(Array(256).fill('appended'));
    await time.settle();
    const kinds = seen.batches.map((batch) => batch.map((text) => text.replace(/\d.*/, '')));
    expect(kinds[0]).toEqual(Array(256).fill('urgent'));
    expect(kinds[1]).toEqual([...Array(128).fill('lazy'), ...Array(128).fill('urgent')]);
    seen.answers[1]?.(Array(256).fill('appended'));
    await time.settle();
    const third = seen.batches[2]?.map((text) => text.replace(/\d.*/, '')) ?? [];
    expect(third.slice(0, 128)).toEqual([...Array(72).fill('lazy'), ...Array(56).fill('patient')]);
  });

  test('unknown rows go again to the same slots until they are known, the others are settled', async () => {
    const { time, seen, commit, row, fates } = bench(1);
    for (const gid of ['a', 'b', 'c']) commit.put(row(gid, 'urgent'));
    await time.settle();
    seen.answers[0]?.(['appended', 'unknown', 'conflict']);
    await time.advance(100);
    expect(fates).toEqual(['a departed', 'b departed', 'c departed', 'a appended', 'c conflict']);
    expect(seen.batches[1]).toEqual(['b/1:[1]']);
    commit.put(row('d', 'urgent'));
    await time.settle();
    expect(seen.batches).toHaveLength(2);
    seen.answers[1]?.(['appended']);
    await time.settle();
    expect(fates.slice(5)).toEqual(['b appended', 'd departed']);
    expect(commit.counters()).toMatchObject({ unknownAppends: 1, conflicts: 1 });
  });

  test('an append that throws, or answers too few, has told us nothing', async () => {
    const { time, seen, commit, row, fates } = bench(1);
    commit.put(row('a', 'urgent'));
    await time.settle();
    seen.answers[0]?.([]);
    await time.advance(100);
    expect(seen.batches).toHaveLength(2);
    expect(fates).toEqual(['a departed']);
  });

  test('fenced: told once, nothing is settled, nothing is sent any more', async () => {
    const { time, seen, commit, row, fates, fencedCount } = bench(2);
    commit.put(row('a', 'urgent'));
    await time.settle();
    seen.answers[0]?.(['fenced']);
    commit.put(row('b', 'urgent'));
    await time.advance(1_000);
    expect(fencedCount()).toBe(1);
    expect(fates).toEqual(['a departed']);
    expect(seen.batches).toHaveLength(1);
  });

  test('the age of the oldest pending row is known', async () => {
    const { time, commit, row } = bench(1);
    expect(commit.oldestPendingMs()).toBe(0);
    commit.put(row('a', 'urgent'));
    await time.advance(700);
    expect(commit.oldestPendingMs()).toBe(700);
  });

  test('a log that does not answer is told from one that has too much to do', async () => {
    const { time, seen, commit, row } = bench(1);
    for (let i = 0; i < 300; i += 1) commit.put(row(`g${i}`, 'urgent'));
    await time.advance(600);
    expect(commit.stalledMs()).toBe(600);
    expect(commit.queuedMs()).toBe(600);
    seen.answers[0]?.(Array(256).fill('appended'));
    await time.advance(10);
    expect(commit.stalledMs()).toBe(10);
    expect(commit.queuedMs()).toBe(0);
  });
});
