/**
 * The row about a coordinator that dies with much under way: 100,000 transactions are decided to
 * commit while their participants are away; it is killed, and comes back together with them.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { metricsText, sumOf } from '../counters.ts';
import type { RoundReport } from '../messages.ts';
import type { ProductSide } from '../product.ts';
import { atMost, type Row, rounded, type SuiteBench } from './row.ts';
import { inScene, troublesOf } from './scene.ts';

const pollMs = 25;
const recoverMsMax = 60_000;
/** How long we look on while the confirms are made; that they all are is the bank's business. */
const finishMsMax = 60_000;

/** `steady`: what a participant gets in a normal run with the same processes. */
export const restart: Row = {
  name: 'restart',
  title: 'restart with 100,000 open transactions: all running again',
  limits: [atMost('recoveredSeconds', 10), atMost('callsOverSteady', 2)],
  shown: [
    ...['recoveredSeconds', 'callsOverSteady', 'steadyCallsPerSecond', 'worstTenthPerSecond'],
    ...['finishedSeconds', 'leftOpen'],
  ],
  run: (bench) =>
    inScene(bench, '--mode tcc --log postgres --layout split', async (scene) => {
      const open = bench.count(100_000);
      const side = await scene.open(await scene.newLogUrl(), { isBare: true });
      const { reports, callsPerSecond } = await steadyRun(side, bench);
      await side.endWorkers();
      bench.say(`deciding ${open} transactions whose participants are away`);
      await side.hold({ count: open, isCommitted: true });
      const found = await comesBack(side, open);
      return {
        measured: {
          recoveredSeconds: found.recoveredSeconds,
          callsOverSteady: rounded(found.worstTenthPerSecond / callsPerSecond),
          steadyCallsPerSecond: rounded(callsPerSecond, 0),
          worstTenthPerSecond: found.worstTenthPerSecond,
          finishedSeconds: found.finishedSeconds,
          leftOpen: found.leftOpen,
          open,
        },
        ...troublesOf(reports),
      };
    }),
};

async function steadyRun(
  side: ProductSide,
  { seconds }: SuiteBench,
): Promise<{ readonly reports: readonly RoundReport[]; readonly callsPerSecond: number }> {
  const bank = await side.addWorker('participant', { countsCalls: true });
  const teller = await side.addWorker('initiator', {});
  const warm = await teller.run(Math.min(3, seconds));
  await bank.calls();
  const report = await teller.run(seconds);
  const calls = (await bank.calls()).reduce((sum, count) => sum + count, 0);
  return { reports: [warm, report], callsPerSecond: calls / report.seconds };
}

interface ComingBack {
  /** From the kill until every one of them is in memory, and its calls are made or planned. */
  readonly recoveredSeconds: number | null;
  /** From the kill until the last one has finished; null: some were still open when we left. */
  readonly finishedSeconds: number | null;
  readonly leftOpen: number;
  readonly worstTenthPerSecond: number;
}

async function comesBack(side: ProductSide, open: number): Promise<ComingBack> {
  const killedAtMs = performance.now();
  const secondsSince = (): number => rounded((performance.now() - killedAtMs) / 1_000);
  await side.kill();
  side.startAgain();
  // It connects as soon as there is somebody to connect to.
  const returning = side.addWorker('participant', { countsCalls: true });
  // It is awaited below; that it fails before that is not forgotten.
  returning.catch(() => undefined);
  await side.ready();
  const isRecovered = await becomes(side, recoverMsMax, (text) => {
    const isRunning = sumOf(text, 'settle_engine_state{state="running"}') === 1;
    return isRunning && sumOf(text, 'settle_recovered_total') >= open;
  });
  const recoveredSeconds = isRecovered ? secondsSince() : null;
  const bank = await returning;
  const isFinished = await becomes(side, finishMsMax, (text) => openIn(text) === 0);
  const finishedSeconds = isFinished ? secondsSince() : null;
  const leftOpen = openIn(await metricsText(side.url));
  const worstTenth = Math.max(0, ...(await bank.calls()));
  return { recoveredSeconds, finishedSeconds, leftOpen, worstTenthPerSecond: worstTenth * 10 };
}

function openIn(text: string): number {
  return sumOf(text, 'settle_open_transactions');
}

async function becomes(
  { url }: ProductSide,
  msMax: number,
  isSo: (text: string) => boolean,
): Promise<boolean> {
  const endsAtMs = performance.now() + msMax;
  while (performance.now() < endsAtMs) {
    if (isSo(await metricsText(url))) return true;
    await pause(pollMs);
  }
  return false;
}
