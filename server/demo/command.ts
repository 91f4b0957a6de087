/**
 * `settle demo`: money moves between accounts in six databases, through TCC and sagas, and none of
 * it is lost. Options, folder and exit code live here; the run itself is in `run-demo.ts`.
 * Invariant: neither a process nor the folder outlives the command, except with --keep.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { exitCodes } from '../cli/exit.ts';
import { processTerminal, type Terminal } from '../cli/terminal.ts';
import { showProgress } from './progress.ts';
import { jsonReport, reportLines } from './report.ts';
import { type Demo, type DemoResult, startDemo } from './run-demo.ts';
import type { Run } from './workload.ts';

interface Flags {
  readonly transfers: number;
  readonly seed: number;
  readonly inflight: number;
  readonly kill?: true;
  readonly log?: string;
  readonly keep?: true;
  readonly json?: true;
}

const defaults = { transfers: 1_000, seed: 1, inflight: 64 } as const;

/** Adds `demo`. `terminal`: where it writes; by default that of the process. */
export function registerDemo(
  program: Command,
  terminal: () => Terminal = () => processTerminal(true),
): void {
  program
    .command('demo')
    .summary('move money between six databases, and check that none is lost')
    .description(
      'Start a coordinator, three participants with six SQLite shards of accounts, and two ' +
        'initiators; run transfers by TCC and by sagas, some of which must fail; then read the ' +
        'shards and check every transfer against its outcome. Exit code 1 when anything is wrong.',
    )
    .option('--transfers <n>', 'how many', integer(1, 1_000_000), defaults.transfers)
    .option(
      '--seed <n>',
      'the same seed makes the same transfers',
      integer(0, 2 ** 31),
      defaults.seed,
    )
    .option('--inflight <n>', 'at once, per initiator', integer(1, 4_096), defaults.inflight)
    .option('--kill', 'kill -9 coordinator, participants and initiators in turn')
    .option('--log <url>', "the coordinator's log: postgres://…, mysql://… (default: SQLite)")
    .option('--keep', 'leave everything running at the end, until Ctrl-C')
    .option('--json', 'one JSON object as the last line of standard output')
    .action((flags: Flags) => runCommand(flags, terminal()));
}

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It takes a whole number from ${min} to ${max}.`);
  };
}

async function runCommand(flags: Flags, terminal: Terminal): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'settle-demo-'));
  const interrupted = watchInterrupt();
  const { transfers, seed, inflight } = flags;
  // The time makes gids of later runs later ones, which is what the log's index likes best.
  const run: Run = { tag: Date.now().toString(36), seed, transfers };
  const isKilling = flags.kill === true;
  const starting = startDemo({ run, isKilling, inflight, folder, logUrl: flags.log ?? null });
  try {
    const demo = await Promise.race([starting, interrupted.promise]);
    if (demo === 'interrupted') return interruptedExit();
    const result = await Promise.race([show(demo, run, isKilling), interrupted.promise]);
    if (result === 'interrupted') return interruptedExit();
    report({ flags, run, terminal }, result);
    if (flags.keep !== true) return;
    sayHowToLook(terminal, demo, folder);
    await interrupted.promise;
  } finally {
    // Rejected: it has stopped what it had started, and is thrown by the race above.
    const demo = await starting.catch(() => null);
    await demo?.stop();
    interrupted.close();
    if (flags.keep !== true) await rm(folder, { recursive: true, force: true });
  }
}

async function show(demo: Demo, run: Run, isKilling: boolean): Promise<DemoResult> {
  const progress = showProgress(process.stderr, run.transfers, demo.tallies.total);
  const what = isKilling ? 'with kill -9 in between' : 'without kills';
  progress.say(`${run.transfers} transfers, seed ${run.seed}, ${what}; coordinator at ${demo.url}`);
  try {
    return await demo.result(({ target }) => progress.say(`kill -9 ${target}`));
  } finally {
    progress.end();
  }
}

interface Reporting {
  readonly flags: Flags;
  readonly run: Run;
  readonly terminal: Terminal;
}

function report({ flags, run, terminal }: Reporting, result: DemoResult): void {
  const isJson = flags.json === true;
  const paint = isJson ? (_: unknown, text: string) => text : terminal.paint;
  for (const line of reportLines(run, result, paint)) {
    if (isJson) terminal.say(line);
    else terminal.print(line);
  }
  if (isJson) terminal.print(JSON.stringify(jsonReport(run, result)));
  if (result.finding.violations.length > 0) process.exitCode = exitCodes.failure;
}

function sayHowToLook(terminal: Terminal, demo: Demo, folder: string): void {
  for (const line of [
    '',
    `Everything still runs. Coordinator: ${demo.url} (try settle tx list --url ${demo.url})`,
    `Shards, answers and output of the processes: ${folder}`,
    'Ctrl-C ends the processes; the folder stays.',
  ]) {
    terminal.say(line);
  }
}

function interruptedExit(): void {
  // What shells expect of a command that was interrupted: 128 + SIGINT.
  process.exitCode = 130;
}

interface Interrupt {
  readonly promise: Promise<'interrupted'>;
  close(): void;
}

function watchInterrupt(): Interrupt {
  const { promise, resolve } = Promise.withResolvers<'interrupted'>();
  const interrupt = (): void => resolve('interrupted');
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  return {
    promise,
    close() {
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
    },
  };
}
