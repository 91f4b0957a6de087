/**
 * The row about more work than there is room for: an open loop offers five times the peak, while
 * somebody without the SDK asks now and then and sees what a refusal looks like; then the flood
 * ends. The clients share the machine with the coordinator, so what they spend on what is refused is
 * missing from what is done: the figure is what a user with as little as this gets, at worst.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { ticksOf, ticksPerSecond } from '../cpu.ts';
import { createHistogram } from '../histogram.ts';
import type { RoundReport } from '../messages.ts';
import type { Worker } from '../processes.ts';
import type { ProductSide } from '../product.ts';
import { median } from '../report.ts';
import { meanRate } from '../tenths.ts';
import { peakFlags } from './rate.ts';
import { atLeast, atMost, type Row, rounded } from './row.ts';
import { inScene, troublesOf } from './scene.ts';

/** Two processes can start more than a coordinator can end, and leave it a processor. */
const floodWorkers = 2;
/** Each may have 4,096 requests under way: together more than the coordinator lets wait. */
const connectionsEach = 4;
const inflightEach = 12_288;
/** A user who has waited for so long to get through goes away. */
const patienceMs = 1_000;
/** What is begun in the first second has not come through the queues yet. */
const fillMs = 1_000;
const secondsMin = 3;
/** Compilers must have seen the clients, too, or the flood would wait for them. */
const warmLoad = { inflight: 256, ratePerSecond: null } as const;
const calmInflight = 8_192;
const normalMsMax = 10_000;
const probeMs = 50;

/** Goodput: transactions that end as they should, per second of the flood. */
export const overload: Row = {
  name: 'overload',
  title: 'overload, 5 × the peak offered',
  limits: [
    atLeast('goodputOverPeak', 0.8),
    atLeast('refusedEarly', 1),
    atMost('refusedWithoutRetryAfter', 0),
    atMost('normalAfterSeconds', 10),
  ],
  shown: [
    ...['goodputOverPeak', 'offeredOverPeak', 'startedOverPeak', 'refusedEarly'],
    ...['refusedWithoutRetryAfter', 'refusalMsMax', 'p99MsBefore', 'normalAfterSeconds'],
    ...['coordinatorCpuPercent', 'floodCpuPercent'],
  ],
  run: (bench) =>
    inScene(bench, peakFlags, async (scene) => {
      const side = await scene.open(await scene.newLogUrl(), { isBare: true });
      const calm = await side.addWorker('both', {});
      const flood: Worker[] = [];
      for (let number = 0; number < floodWorkers; number += 1) {
        flood.push(await side.addWorker('both', { connections: connectionsEach }));
      }
      const warm = await Promise.all(
        [calm, ...flood].map((worker) =>
          worker.run(Math.min(3, bench.seconds), { load: warmLoad }),
        ),
      );
      const peak = await calm.run(bench.seconds);
      const peakRate = peak.transactions / peak.seconds;
      const p99MsBefore = await calmP99Ms(calm, peakRate);
      bench.say(
        `peak ${peakRate.toFixed(0)}/s; p99 at half of it ${p99MsBefore.toFixed(1)} ms; the flood`,
      );
      const seconds = Math.max(secondsMin, bench.seconds);
      const { reports, probes, normalAfterSeconds, cpuPercent } = await drown(side, {
        ...{ calm, flood, peakRate, p99MsBefore, seconds },
      });
      const sum = (of: (report: RoundReport) => number): number =>
        reports.reduce((total, report) => total + of(report), 0);
      const offered = sum(({ transactions, refused, failed }) => transactions + refused + failed);
      const started = offered - sum(({ givenUp = 0 }) => givenUp);
      const goodput = reports
        .map(({ wishedPerTenth = [] }) => meanRate(wishedPerTenth, fillMs, seconds * 1_000))
        .reduce((total, rate) => total + rate, 0);
      const refusals = probes.filter(({ status }) => status === 503);
      return {
        measured: {
          goodputOverPeak: rounded(goodput / peakRate),
          offeredOverPeak: rounded(offered / seconds / peakRate),
          startedOverPeak: rounded(started / seconds / peakRate),
          peakPerSecond: rounded(peakRate, 0),
          goodputPerSecond: rounded(goodput, 0),
          refusedBySdk: sum(({ refused, givenUp = 0 }) => refused - givenUp),
          refusedEarly: refusals.length,
          refusedWithoutRetryAfter: refusals.filter(({ retryAfter }) => retryAfter === null).length,
          refusalMsMax: rounded(Math.max(0, ...refusals.map(({ ms }) => ms)), 1),
          probes: probes.length,
          coordinatorCpuPercent: cpuPercent.coordinator,
          floodCpuPercent: cpuPercent.flood,
          p99MsBefore: rounded(p99MsBefore, 1),
          normalAfterSeconds,
          unknown: sum((report) => report.unknown ?? 0),
        },
        // Time that is over is no fault of anybody here; it counts as no goodput.
        ...troublesOf([
          ...[...warm, peak],
          ...reports.map((report) => ({
            ...report,
            failed: report.failed - (report.unknown ?? 0),
          })),
        ]),
      };
    }),
};

/** It is awaited after other things; should it reject before that, it has not been forgotten. */
function ownedLater<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  return work;
}

interface Probe {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly ms: number;
}

interface Flood {
  readonly calm: Worker;
  readonly flood: readonly Worker[];
  readonly peakRate: number;
  /** p99 at half of the peak rate. */
  readonly p99MsBefore: number;
  readonly seconds: number;
}

async function drown(side: ProductSide, { calm, flood, peakRate, p99MsBefore, seconds }: Flood) {
  const ratePerSecond = (5 * peakRate) / floodWorkers;
  const load = { inflight: inflightEach, ratePerSecond, patienceMs };
  const running = ownedLater(Promise.all(flood.map((worker) => worker.run(seconds, { load }))));
  const before = cpuSeconds(side, flood);
  const [probes] = await Promise.all([probe(side.url, seconds), pause(seconds * 1_000)]);
  const after = cpuSeconds(side, flood);
  const normalAfterSeconds = await becomesNormal(calm, peakRate, p99MsBefore);
  const share = (name: keyof typeof before): number =>
    rounded(((after[name] - before[name]) / seconds) * 100, 0);
  const cpuPercent = { coordinator: share('coordinator'), flood: share('flood') };
  return { reports: await running, probes, normalAfterSeconds, cpuPercent };
}

/** Who had the processors: a coordinator that got little of them was starved by its clients. */
function cpuSeconds(side: ProductSide, flood: readonly Worker[]) {
  const secondsOf = (pids: readonly number[]): number => (ticksOf(pids) ?? 0) / ticksPerSecond();
  return {
    coordinator: secondsOf([side.coordinatorPid]),
    flood: secondsOf(flood.map(({ pid }) => pid)),
  };
}

/** From the end of the flood until a whole second in which all is as it was; null: not in time. */
async function becomesNormal(
  calm: Worker,
  peakRate: number,
  p99MsBefore: number,
): Promise<number | null> {
  const beganAtMs = performance.now();
  while (performance.now() - beganAtMs < normalMsMax) {
    const startedAtMs = performance.now();
    if (p99MsOf(await atHalf(calm, peakRate)) <= 2 * p99MsBefore) {
      return rounded((startedAtMs - beganAtMs) / 1_000, 1);
    }
  }
  return null;
}

async function calmP99Ms(calm: Worker, peakRate: number): Promise<number> {
  const found: number[] = [];
  for (let round = 0; round < 3; round += 1) found.push(p99MsOf(await atHalf(calm, peakRate)));
  return median(found);
}

function atHalf(calm: Worker, peakRate: number): Promise<RoundReport> {
  return calm.run(1, { load: { inflight: calmInflight, ratePerSecond: peakRate / 2 } });
}

/** Worse than any figure when not all of them ended well. */
function p99MsOf({ latencies, refused, failed }: RoundReport): number {
  if (refused + failed > 0) return Number.POSITIVE_INFINITY;
  const histogram = createHistogram();
  histogram.merge(latencies);
  return histogram.percentile(0.99) / 1_000;
}

/** Begins a transaction now and then by plain HTTP, as anybody can with curl. */
async function probe(url: string, seconds: number): Promise<readonly Probe[]> {
  const endsAtMs = performance.now() + seconds * 1_000;
  const asked: Promise<Probe>[] = [];
  while (performance.now() < endsAtMs) {
    asked.push(ownedLater(ask(url)));
    await pause(probeMs);
  }
  return Promise.all(asked);
}

async function ask(url: string): Promise<Probe> {
  const startedAtMs = performance.now();
  const response = await fetch(`${url}/v1/transactions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ gid: randomUUID(), name: 'probe', timeoutMs: 1_000 }),
  });
  await response.arrayBuffer();
  const retryAfter = response.headers.get('retry-after');
  return { status: response.status, retryAfter, ms: performance.now() - startedAtMs };
}
