/**
 * Runs the rounds: warm-up, then product and what it is compared with in turn, so that whatever else
 * the machine does hits all; and takes the medians. Invariant: the ratio is the median of the ratios of
 * neighbours, never a quotient of figures from different moments.
 */
import { type Counters, quietCounters } from './counters.ts';
import { residentBytes, ticksOf, ticksOfTree, ticksPerSecond } from './cpu.ts';
import type { BenchOptions } from './flags.ts';
import { createHistogram } from './histogram.ts';
import type { RoundReport } from './messages.ts';
import type { Side } from './side.ts';
import type { DatabaseProcess, Stage } from './stage.ts';

/** Microseconds of processor time per transaction; null: not measured. */
export interface CpuPerTx {
  readonly coordinator: number | null;
  /** All workers: initiators and participants. */
  readonly client: number | null;
  readonly database: number | null;
}

/** One round of one side. */
export interface Round {
  readonly transactions: number;
  readonly txPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly refused: number;
  readonly failed: number;
  readonly firstError: string | null;
  readonly cpuUsPerTx: CpuPerTx;
  /** What the coordinator counted; null: of the product alone. */
  readonly counted: Counted | null;
  readonly rssMb: number | null;
  /** When it ran, on the machine's monotonic clock. */
  readonly span: Span;
}

/** From and to, in microseconds. */
export type Span = readonly [fromUs: number, toUs: number];

/** Per transaction and second, from the coordinator's own counters. */
export interface Counted {
  readonly durableWaitsPerTx: number;
  readonly rowsPerTx: number;
  readonly commitsPerSecond: number;
}

/** All rounds, in their order; those of the others after the product's of the same index. */
export interface Measured {
  readonly product: readonly Round[];
  readonly floor: readonly Round[] | null;
  readonly plain: readonly Round[] | null;
}

/** Told of each round, for people who wait. */
export type Tell = (name: string, round: Round) => void;

/** Runs all rounds. Rejects when a process ends unasked or `signal` aborts. */
export async function runRounds(
  stage: Stage,
  options: BenchOptions,
  tell: Tell,
  signal: AbortSignal,
): Promise<Measured> {
  const { rounds, seconds, warmupSeconds } = options;
  // By their place on the stage, not by their kind: a second product may stand in the floor's.
  const places = (['product', 'floor', 'plain'] as const).flatMap((place) => {
    const side = stage[place];
    return side === null ? [] : [{ place, side }];
  });
  const found = { product: [] as Round[], floor: [] as Round[], plain: [] as Round[] };
  const measure = async (side: Side, name: string, forSeconds: number): Promise<Round> => {
    signal.throwIfAborted();
    const round = await untilAborted(measureRound(stage, side, forSeconds), signal);
    tell(name, round);
    return round;
  };
  for (const { place, side } of places) await measure(side, `warm-up, ${place}`, warmupSeconds);
  for (let number = 1; number <= rounds; number += 1) {
    for (const { place, side } of places) {
      found[place].push(await measure(side, `${place} ${number}`, seconds));
    }
  }
  const { product, floor, plain } = found;
  return {
    product,
    floor: stage.floor === null ? null : floor,
    plain: stage.plain === null ? null : plain,
  };
}

/** The work, or a rejection as soon as `signal` aborts; the work is not ended by that. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const aborted = (): void => reject(signal.reason);
  signal.addEventListener('abort', aborted, { once: true });
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', aborted));
}

async function measureRound(stage: Stage, side: Side, seconds: number): Promise<Round> {
  const isCounting = side.kind === 'product';
  const countersBefore = isCounting ? await quietCounters(side.url, side.held) : null;
  const before = readTicks(stage, side);
  const fromUs = monotonicUs();
  const reports = await side.run(seconds);
  const span = [fromUs, monotonicUs()] as const;
  const countersAfter = isCounting ? await quietCounters(side.url, side.held) : null;
  const after = readTicks(stage, side);
  const rssBytes = side.coordinatorPid === null ? null : residentBytes(side.coordinatorPid);
  const load = merged(reports);
  const counted = countedBetween(countersBefore, countersAfter, load.seconds);
  return {
    ...load,
    // Of those that the coordinator never hears of it has finished none.
    cpuUsPerTx: cpuBetween(before, after, counted?.finished || load.transactions),
    counted,
    rssMb: rssBytes === null ? null : rssBytes / 2 ** 20,
    span,
  };
}

/** The same for all processes of the machine, and that of V8's profiles. */
function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

interface Ticks {
  readonly coordinator: number | null;
  readonly client: number | null;
  readonly database: number | null;
}

function readTicks(stage: Stage, side: Side): Ticks {
  return {
    coordinator: side.coordinatorPid === null ? 0 : ticksOf([side.coordinatorPid]),
    client: ticksOf(side.workerPids),
    database: databaseTicks(stage.database),
  };
}

function databaseTicks(database: DatabaseProcess): number | null {
  switch (database.kind) {
    case 'inside':
      return 0;
    case 'program':
      return ticksOfTree(database.pid);
    case 'unseen':
      return null;
    default:
      return database satisfies never;
  }
}

function cpuBetween(before: Ticks, after: Ticks, transactions: number): CpuPerTx {
  const usPerTick = 1e6 / ticksPerSecond();
  const perTx = (name: keyof Ticks): number | null => {
    const [from, to] = [before[name], after[name]];
    if (from === null || to === null || transactions === 0) return null;
    return ((to - from) * usPerTick) / transactions;
  };
  return {
    coordinator: perTx('coordinator'),
    client: perTx('client'),
    database: perTx('database'),
  };
}

function countedBetween(
  before: Counters | null,
  after: Counters | null,
  seconds: number,
): (Counted & { readonly finished: number }) | null {
  if (before === null || after === null) return null;
  const finished = after.finished - before.finished;
  const perTx = (name: keyof Counters) => (after[name] - before[name]) / Math.max(1, finished);
  return {
    finished,
    durableWaitsPerTx: perTx('durableWaits'),
    rowsPerTx: perTx('rows'),
    commitsPerSecond: (after.commits - before.commits) / seconds,
  };
}

type Load = Omit<Round, 'cpuUsPerTx' | 'counted' | 'rssMb' | 'span'>;
type Merged = Load & { readonly seconds: number };

function merged(reports: readonly RoundReport[]): Merged {
  const histogram = createHistogram();
  for (const { latencies } of reports) histogram.merge(latencies);
  const sum = (of: (report: RoundReport) => number) =>
    reports.reduce((total, report) => total + of(report), 0);
  return {
    transactions: sum((report) => report.transactions),
    txPerSecond: sum(({ transactions, seconds }) => transactions / Math.max(seconds, 1e-3)),
    p50Ms: histogram.percentile(0.5) / 1_000,
    p99Ms: histogram.percentile(0.99) / 1_000,
    refused: sum((report) => report.refused),
    failed: sum((report) => report.failed),
    firstError: reports.find(({ firstError }) => firstError !== null)?.firstError ?? null,
    seconds: Math.max(...reports.map(({ seconds }) => seconds)),
  };
}
