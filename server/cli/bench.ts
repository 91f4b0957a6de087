/**
 * `settle bench`: how fast the coordinator that is asked ends transactions, seen from here. It is a
 * client of the SDK like every other one, with two branches that do nothing, so what it measures is
 * Settle and its log. How fast Settle is against a bare floor is measured in the repository
 * (`npm run bench`). Guard: it leaves so many finished transactions in the log, and no more.
 */
import type { Settle, TransactionContext } from '@settle/client';
import type { Command } from 'commander';
import { codeOf, endWith } from './exit.ts';
import { type AskOptions, countUpTo, tokenOf, withAsking } from './options.ts';
import { startProgress } from './progress.ts';
import { type StopSignal, watchStop } from './stop-signal.ts';
import type { Terminal } from './terminal.ts';

interface BenchOptions extends AskOptions {
  readonly transactions: number;
  readonly inflight: number;
}

/** What came of it; `--json` prints it. Times are those of the caller, in milliseconds. */
export interface BenchAnswer {
  readonly transactions: number;
  readonly inflight: number;
  readonly committed: number;
  /** Did not commit: rolled back, refused, or not known. */
  readonly failed: number;
  /** Of the first that failed. */
  readonly firstError: string | null;
  readonly seconds: number;
  readonly txPerSecond: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

const defaults = { transactions: 2_000, inflight: 64 } as const;
const transactionsMax = 100_000;
const inflightMax = 4_096;

/** Adds `bench`. */
export function registerBench(program: Command, terminal: () => Terminal): void {
  const command = program
    .command('bench')
    .summary('measure how fast this coordinator ends transactions')
    .description(
      'Run global transactions of two branches that do nothing, and tell rate and latency as a ' +
        'service sees them. They stay in the log, named settle-bench, as finished ones do. With ' +
        'tokens it takes one of role service. Exit code 1 when one did not commit.',
    );
  withAsking(command)
    .option('--transactions <n>', 'how many', countUpTo(transactionsMax), defaults.transactions)
    .option('--inflight <n>', 'at once', countUpTo(inflightMax), defaults.inflight)
    .action((options: BenchOptions) => bench(options, terminal()));
}

async function bench(options: BenchOptions, terminal: Terminal): Promise<void> {
  const { connect } = await import('@settle/client');
  const token = tokenOf(options);
  const settle = await connect({
    url: options.url,
    service: 'settle-bench',
    callsMax: 2 * inflightMax,
    ...(token === null ? {} : { token: token.reveal() }),
  });
  const stop = watchStop();
  try {
    const answer = await measure(settle, { options, terminal, stop });
    if (options.json) terminal.print(JSON.stringify(answer));
    else for (const line of linesOf(answer)) terminal.print(line);
    if (answer.failed > 0) endWith('failure');
  } finally {
    stop.close();
    await settle.close();
  }
}

interface Ports {
  readonly options: BenchOptions;
  readonly terminal: Terminal;
  readonly stop: StopSignal;
}

async function measure(settle: Settle, ports: Ports): Promise<BenchAnswer> {
  const { options, terminal, stop } = ports;
  const nothing = { try: () => null, confirm: () => null, cancel: () => null };
  const branches = ['left', 'right'].map((name) => settle.tcc<null, null>(name, nothing));
  await settle.ready();
  const callback = async (_: TransactionContext): Promise<void> => {
    await Promise.all(branches.map((branch) => branch(null)));
  };
  const progress = startProgress(terminal, 'transactions', options.transactions);
  const latencies: number[] = [];
  let [started, failed] = [0, 0];
  let firstError: string | null = null;
  const work = async (): Promise<void> => {
    while (started < options.transactions && !stop.signal.aborted) {
      started += 1;
      const beganMs = performance.now();
      try {
        await settle.transaction({ name: 'settle-bench' }, callback);
        latencies.push(performance.now() - beganMs);
      } catch (error) {
        failed += 1;
        firstError ??= codeOf(error) ?? String(error);
      }
      progress.reach(latencies.length + failed);
    }
  };
  const beganMs = performance.now();
  await Promise.all(Array.from({ length: options.inflight }, work));
  const seconds = (performance.now() - beganMs) / 1_000;
  progress.end();
  const committed = latencies.length;
  return {
    ...{ transactions: started, inflight: options.inflight, committed, failed, firstError },
    seconds: rounded(seconds),
    txPerSecond: Math.round(committed / seconds),
    ...percentilesOf(latencies),
  };
}

function percentilesOf(latencies: number[]): Pick<BenchAnswer, 'p50Ms' | 'p99Ms'> {
  latencies.sort((one, other) => one - other);
  const at = (share: number): number | null => {
    const ms = latencies[Math.ceil(latencies.length * share) - 1];
    return ms === undefined ? null : rounded(ms);
  };
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}

const rounded = (value: number): number => Math.round(value * 100) / 100;

function linesOf(answer: BenchAnswer): readonly string[] {
  const { committed, failed, inflight, seconds, txPerSecond, p50Ms, p99Ms } = answer;
  return [
    `committed      ${committed} in ${seconds} s, ${inflight} at once`,
    ...(failed === 0 ? [] : [`not committed  ${failed}, the first: ${answer.firstError}`]),
    `rate           ${txPerSecond} transactions/s`,
    `latency        p50 ${p50Ms ?? '–'} ms, p99 ${p99Ms ?? '–'} ms`,
  ];
}
