/**
 * Rows that are one measurement of `npm run bench`, 512 transactions in flight: rates, alone and
 * against the floor.
 */
import type { BenchResult } from '../report.ts';
import { atLeast, type Finding, type Limit, type Row } from './row.ts';

/** The flags by which other rows find the peak rate of TCC on PostgreSQL. */
export const peakFlags = '--mode tcc --log postgres';

interface RateRow {
  readonly name: string;
  readonly title: string;
  readonly flags: string;
  readonly limits: readonly Limit[];
}

const rateRows: readonly RateRow[] = [
  {
    name: 'tcc-postgres',
    title: 'TCC, 2 branches, PostgreSQL',
    flags: peakFlags,
    limits: [
      atLeast('ratioToFloor', 0.55),
      atLeast('txPerSecond', 20_000, { figure: 'floorTxPerSecond', least: 37_000 }),
    ],
  },
  {
    name: 'saga-postgres',
    title: 'saga, 2 steps, PostgreSQL',
    flags: '--mode saga --log postgres',
    limits: [
      atLeast('ratioToFloor', 0.55),
      atLeast('txPerSecond', 30_000, { figure: 'floorTxPerSecond', least: 55_000 }),
    ],
  },
  {
    name: 'tcc-sqlite',
    title: 'TCC, 2 branches, SQLite',
    flags: '--mode tcc --log sqlite',
    limits: [atLeast('ratioToFloor', 0.55)],
  },
  {
    name: 'saga-sqlite',
    title: 'saga, 2 steps, SQLite',
    flags: '--mode saga --log sqlite',
    limits: [atLeast('ratioToFloor', 0.55)],
  },
  {
    name: 'tcc-mysql',
    title: 'TCC, 2 branches, MariaDB or MySQL',
    flags: '--mode tcc --log mysql',
    limits: [atLeast('ratioToFloor', 0.5)],
  },
  {
    name: 'tcc-http',
    title: 'TCC, participants over HTTP, PostgreSQL',
    flags: '--mode tcc --log postgres --transport http',
    limits: [atLeast('txPerSecond', 5_000)],
  },
  {
    name: 'saga-barrier',
    title: 'saga, each step a barrier row and a row of its own, PostgreSQL',
    flags: '--mode saga --log postgres --barrier',
    limits: [atLeast('txPerSecond', 4_000)],
  },
];

/** Without a target: what the layout, the log and the branches cost. */
const shownRows: readonly RateRow[] = [
  {
    name: 'tcc-split',
    title: 'TCC, participants in another process, PostgreSQL',
    flags: '--mode tcc --log postgres --layout split',
    limits: [],
  },
  {
    name: 'saga-split',
    title: 'saga, participants in another process, PostgreSQL',
    flags: '--mode saga --log postgres --layout split',
    limits: [],
  },
  {
    name: 'empty-postgres',
    title: 'two-phase without a branch, PostgreSQL',
    flags: '--mode empty --log postgres',
    limits: [],
  },
  {
    name: 'tcc-memory',
    title: 'TCC, 2 branches, nothing on disk',
    flags: '--mode tcc --log memory',
    limits: [],
  },
  {
    name: 'saga-memory',
    title: 'saga, 2 steps, nothing on disk',
    flags: '--mode saga --log memory',
    limits: [],
  },
];

/** Rows with a target. */
export const rates: readonly Row[] = rateRows.map(toRow);
/** Rows without one. */
export const otherRates: readonly Row[] = shownRows.map(toRow);

function toRow({ flags, ...row }: RateRow): Row {
  return {
    ...row,
    shown: ['txPerSecond', 'floorTxPerSecond', 'ratioToFloor', 'p50Ms', 'p99Ms', 'cpuUsPerTx'],
    run: async (bench) => findingOf(await bench.measure(flags)),
  };
}

/** The figures of a measurement that rows show. */
export function findingOf(result: BenchResult): Finding {
  const { txPerSecond, floorTxPerSecond, ratioToFloor, cpuRatioToFloor, p50Ms, p99Ms } = result;
  const { floorP50Ms, floorP99Ms, durableWaitsPerTx, rowsPerTx, commitsPerSecond, rssMb } = result;
  const { coordinator, client, database } = result.cpuUsPerTx;
  const { plainTxPerSecond, ratioToPlain, plainP50Ms, p50RatioToPlain } = result;
  const parts = [coordinator, client, database];
  const cpuUsPerTx = parts.includes(null) ? null : parts.reduce<number>((a, b) => a + (b ?? 0), 0);
  return {
    measured: {
      ...{ txPerSecond, floorTxPerSecond, ratioToFloor, cpuRatioToFloor, p50Ms, p99Ms },
      ...{ plainTxPerSecond, ratioToPlain, plainP50Ms, p50RatioToPlain },
      ...{ floorP50Ms, floorP99Ms, durableWaitsPerTx, rowsPerTx, commitsPerSecond, rssMb },
      cpuUsPerTx: cpuUsPerTx === null ? null : Number(cpuUsPerTx.toFixed(1)),
      ...{ cpuUsCoordinator: coordinator, cpuUsClient: client, cpuUsDatabase: database },
    },
    failed: result.failed,
    firstError: result.firstError,
  };
}
