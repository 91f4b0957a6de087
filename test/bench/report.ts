/**
 * What the bench says at its end: medians of the rounds as one value, as a line of JSON, and as a
 * table. Pure.
 */
import type { BenchOptions } from './flags.ts';
import type { CpuPerTx, Measured, Round } from './run.ts';

/** The result of a run; the last line of `--json`. Null: not measured. */
export interface BenchResult
  extends Pick<
    BenchOptions,
    'mode' | 'log' | 'branches' | 'transport' | 'layout' | 'inflight' | 'wait' | 'ratePerSecond'
  > {
  /** Null in all modes but `at`. */
  readonly atRows: BenchOptions['atRows'] | null;
  readonly txPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly floorTxPerSecond: number | null;
  readonly ratioToFloor: number | null;
  readonly floorP50Ms: number | null;
  readonly floorP99Ms: number | null;
  readonly durableWaitsPerTx: number;
  readonly rowsPerTx: number;
  readonly commitsPerSecond: number;
  readonly cpuUsPerTx: CpuPerTx;
  readonly floorCpuUsPerTx: CpuPerTx | null;
  /** The floor's whole processor time per transaction over the product's. Steadier than rates. */
  readonly cpuRatioToFloor: number | null;
  /** The same rows by plain local transactions, the same clients; null in all modes but `at`. */
  readonly plainTxPerSecond: number | null;
  readonly ratioToPlain: number | null;
  readonly plainP50Ms: number | null;
  readonly plainP99Ms: number | null;
  /** How many times as long one takes, in the middle. */
  readonly p50RatioToPlain: number | null;
  readonly plainCpuUsPerTx: CpuPerTx | null;
  /** Of the coordinator. */
  readonly rssMb: number | null;
  /** Of all rounds: refused early; ended otherwise than they should. */
  readonly refused: number;
  readonly failed: number;
  readonly firstError: string | null;
}

/** Medians over the rounds. */
export function resultOf(options: BenchOptions, measured: Measured): BenchResult {
  const { product, floor } = measured;
  const { mode, log, branches, transport, layout, inflight, wait, ratePerSecond } = options;
  const atRows = mode === 'at' ? options.atRows : null;
  const of = (rounds: readonly Round[], pick: (round: Round) => number | undefined, digits = 1) =>
    rounded(median(rounds.map((round) => pick(round) ?? Number.NaN)), digits);
  const ratios = floor?.map((base, index) => (product[index]?.txPerSecond ?? 0) / base.txPerSecond);
  const cpuRatios = floor?.map((base, index) => totalCpuUs(base) / totalCpuUs(product[index]));
  return {
    ...{ mode, atRows, log, branches, transport, layout, inflight, wait, ratePerSecond },
    txPerSecond: of(product, (round) => round.txPerSecond, 0),
    p50Ms: of(product, (round) => round.p50Ms, 2),
    p99Ms: of(product, (round) => round.p99Ms, 2),
    floorTxPerSecond: floor === null ? null : of(floor, (round) => round.txPerSecond, 0),
    ratioToFloor: ratios === undefined ? null : rounded(median(ratios), 3),
    floorP50Ms: floor === null ? null : of(floor, (round) => round.p50Ms, 2),
    floorP99Ms: floor === null ? null : of(floor, (round) => round.p99Ms, 2),
    durableWaitsPerTx: of(product, (round) => round.counted?.durableWaitsPerTx, 3),
    rowsPerTx: of(product, (round) => round.counted?.rowsPerTx, 3),
    commitsPerSecond: of(product, (round) => round.counted?.commitsPerSecond, 0),
    cpuUsPerTx: cpuOf(product),
    floorCpuUsPerTx: floor === null ? null : cpuOf(floor),
    cpuRatioToFloor: cpuRatios === undefined ? null : rounded(median(cpuRatios), 3),
    ...plainFigures(measured),
    rssMb: nullable(product, (round) => round.rssMb),
    ...troubles([...product, ...(floor ?? []), ...(measured.plain ?? [])]),
  };
}

function plainFigures({ product, plain }: Measured) {
  const of = (pick: (round: Round) => number, digits: number) =>
    plain === null ? null : rounded(median(plain.map(pick)), digits);
  const ratio = (pick: (round: Round) => number) =>
    plain === null
      ? null
      : rounded(median(product.map((round, index) => quotient(round, plain[index], pick))), 3);
  return {
    plainTxPerSecond: of((round) => round.txPerSecond, 0),
    ratioToPlain: ratio((round) => round.txPerSecond),
    plainP50Ms: of((round) => round.p50Ms, 2),
    plainP99Ms: of((round) => round.p99Ms, 2),
    p50RatioToPlain: ratio((round) => round.p50Ms),
    plainCpuUsPerTx: plain === null ? null : cpuOf(plain),
  };
}

/** Of neighbours. */
function quotient(one: Round, other: Round | undefined, pick: (round: Round) => number): number {
  return other === undefined ? Number.NaN : pick(one) / pick(other);
}

/** The middle one, or the mean of the two in the middle; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** Null as soon as one round has no figure: a median of the rest would hide that. */
function nullable(rounds: readonly Round[], pick: (round: Round) => number | null): number | null {
  const values = rounds.map(pick).filter((value) => value !== null);
  return values.length < rounds.length ? null : rounded(median(values), 1);
}

function cpuOf(rounds: readonly Round[]): CpuPerTx {
  return {
    coordinator: nullable(rounds, (round) => round.cpuUsPerTx.coordinator),
    client: nullable(rounds, (round) => round.cpuUsPerTx.client),
    database: nullable(rounds, (round) => round.cpuUsPerTx.database),
  };
}

/** NaN, which JSON shows as null, as soon as a part was not measured. */
function totalCpuUs(round: Round | undefined): number {
  const { coordinator, client, database } = round?.cpuUsPerTx ?? unmeasured;
  return (coordinator ?? Number.NaN) + (client ?? Number.NaN) + (database ?? Number.NaN);
}

const unmeasured: CpuPerTx = { coordinator: null, client: null, database: null };

function troubles(rounds: readonly Round[]) {
  return {
    refused: rounds.reduce((sum, round) => sum + round.refused, 0),
    failed: rounds.reduce((sum, round) => sum + round.failed, 0),
    firstError: rounds.find(({ firstError }) => firstError !== null)?.firstError ?? null,
  };
}

/** One line about one round, for people who wait. */
export function roundLine(name: string, round: Round): string {
  const { txPerSecond, p50Ms, p99Ms, refused, failed, cpuUsPerTx } = round;
  const { coordinator, client, database } = cpuUsPerTx;
  const cpu = [coordinator, client, database].map((us) => us?.toFixed(0) ?? '?').join(' + ');
  const more = `${refused > 0 ? `, ${refused} refused` : ''}${failed > 0 ? `, ${failed} FAILED` : ''}`;
  const latency = `p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`;
  return `${name.padEnd(20)} ${txPerSecond.toFixed(0)}/s, ${latency}, cpu ${cpu} µs${more}`;
}

/** The result for people: one column for the product, one for what it is compared with. */
export function tableOf(result: BenchResult): string {
  const { cpuUsPerTx: cpu } = result;
  const base = baseOf(result);
  const rows: readonly (readonly [string, number | null, number | null | undefined])[] = [
    ['transactions/s', result.txPerSecond, base.txPerSecond],
    ['p50 ms', result.p50Ms, base.p50Ms],
    ['p99 ms', result.p99Ms, base.p99Ms],
    ['cpu µs/tx, coordinator', cpu.coordinator, base.cpu?.coordinator],
    ['cpu µs/tx, clients', cpu.client, base.cpu?.client],
    ['cpu µs/tx, database', cpu.database, base.cpu?.database],
    ['durable waits/tx', result.durableWaitsPerTx, null],
    ['rows/tx', result.rowsPerTx, null],
    ['commits/s', result.commitsPerSecond, null],
    ['coordinator’s RSS, MiB', result.rssMb, null],
    ['refused', result.refused, null],
  ];
  const { mode, atRows, branches, log, transport, layout, inflight } = result;
  const what = atRows === null ? mode : `${mode} (rows: ${atRows})`;
  const title = `${what}, ${branches} branches, ${log}, ${transport}, ${layout}, ${inflight} in flight`;
  const lines = rows.map(([name, product, other]) => {
    const [left, right] = [product, other].map((figure) => String(figure ?? '-').padStart(12));
    return `${name.padEnd(24)}${left}${right}`;
  });
  const head = `${''.padEnd(24)}${'product'.padStart(12)}${base.name.padStart(12)}`;
  return [title, head, ...lines, base.ratios].join('\n');
}

/** What the product is compared with. */
function baseOf(result: BenchResult) {
  if (result.mode === 'at') {
    const { ratioToPlain, p50RatioToPlain } = result;
    return {
      name: 'plain',
      ...{ txPerSecond: result.plainTxPerSecond, cpu: result.plainCpuUsPerTx },
      ...{ p50Ms: result.plainP50Ms, p99Ms: result.plainP99Ms },
      ratios: `ratio to plain: ${ratioToPlain ?? '-'} by rate; it takes ${p50RatioToPlain ?? '-'} × as long`,
    };
  }
  const { ratioToFloor, cpuRatioToFloor } = result;
  return {
    name: 'floor',
    ...{ txPerSecond: result.floorTxPerSecond, cpu: result.floorCpuUsPerTx },
    ...{ p50Ms: result.floorP50Ms, p99Ms: result.floorP99Ms },
    ratios: `ratio to the floor: ${ratioToFloor ?? '-'} by rate, ${cpuRatioToFloor ?? '-'} by processor time`,
  };
}
