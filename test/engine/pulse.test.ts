/** Rates and times as the engine counts them, by a clock that the test moves. */
import { expect, test } from 'vitest';
import { createPulse, pulseSeconds } from '../../server/engine/pulse.ts';
import { createVirtualTime } from '../support/virtual-time.ts';

test('each second has its own counts, and the one that runs is not shown yet', async () => {
  const time = createVirtualTime();
  const pulse = createPulse(time.clock);
  pulse.begun('saga');
  expect(pulse.report().seconds).toEqual([]);
  await time.advance(1_000);
  pulse.ended('saga', 'rolledBack', 40);
  await time.advance(2_000);
  const { seconds, durationMs } = pulse.report();
  expect(seconds.map(({ begun, rolledBack }) => [begun.saga, rolledBack.saga])).toEqual([
    [1, 0],
    [0, 1],
    [0, 0],
  ]);
  expect(seconds.map(({ atMs }) => atMs)).toEqual([1_000_000, 1_001_000, 1_002_000]);
  expect(durationMs?.p50).toBeGreaterThan(30);
  expect(durationMs?.p99).toBeLessThanOrEqual(50);
});

test('what is older than five minutes leaves the seconds, but not the histograms', async () => {
  const time = createVirtualTime();
  const pulse = createPulse(time.clock);
  pulse.ended('transaction', 'committed', 5);
  pulse.appended(3, 2);
  pulse.called('done', 1);
  await time.advance((pulseSeconds + 1) * 1_000);
  // Its slot is used again.
  pulse.begun('transaction');
  await time.advance(1_000);
  const { seconds, durationMs, logMs, durations, appendMs, commitRows, callMs } = pulse.report();
  expect(seconds).toHaveLength(pulseSeconds);
  const begun = seconds.reduce((sum, second) => sum + second.begun.transaction, 0);
  const committed = seconds.reduce((sum, second) => sum + second.committed.transaction, 0);
  expect([begun, committed, durationMs, logMs]).toEqual([1, 0, null, null]);
  const sums = [durations.committed.transaction, appendMs, commitRows, callMs.done];
  expect(sums.map(({ sum }) => sum)).toEqual([5, 2, 3, 1]);
});

test('a duration that the wall clock has made negative counts as none', () => {
  const pulse = createPulse(createVirtualTime().clock);
  pulse.ended('saga', 'committed', -5);
  expect(pulse.report().durations.committed.saga.sum).toBe(0);
});
