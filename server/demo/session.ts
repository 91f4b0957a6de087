/**
 * One session of `settle demo`: folder, signals, what is shown, exit code. The run itself is in
 * `run-demo.ts`. Invariant: neither a process nor the folder outlives it, except with --keep.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exitCodes } from '../cli/exit.ts';
import type { Terminal } from '../cli/terminal.ts';
import { DemoFailure } from './demo-failure.ts';
import { showProgress } from './progress.ts';
import { jsonReport, reportLines } from './report.ts';
import { type Demo, type DemoResult, startDemo } from './run-demo.ts';
import type { Run } from './workload.ts';

/** The options of the command, as commander gives them. */
export interface DemoFlags {
  readonly transfers: number;
  readonly seed: number;
  readonly inflight: number;
  readonly kill?: true;
  readonly log?: string;
  readonly keep?: true;
  readonly json?: true;
}

/** Runs the demo. Sets exit code 1 when it fails, or finds anything wrong. */
export async function runSession(flags: DemoFlags, terminal: Terminal): Promise<void> {
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
  } catch (error) {
    if (!(error instanceof DemoFailure)) throw error;
    terminal.say(`settle: the demo did not come to its end. ${error.message}`);
    if (error.tail !== '') terminal.say(error.tail.replaceAll(/^/gm, '  '));
    process.exitCode = exitCodes.failure;
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
  readonly flags: DemoFlags;
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
