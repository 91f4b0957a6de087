/**
 * `npm run bench -- [flags]`: reads the flags, runs one measurement or the suite, reports. Progress
 * goes to stderr, the result to stdout. Exit code 1: transactions failed, or the bench itself; 2: wrong
 * flags; 3: a database server is missing; 130: interrupted.
 */
import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { type BenchOptions, readFlags, usage } from './flags.ts';
import { measureOnce } from './measure.ts';
import { profileText } from './profile.ts';
import { type BenchResult, tableOf } from './report.ts';
import type { Round } from './run.ts';
import { whyNoFloor } from './side.ts';
import { Missing } from './stage.ts';
import { runSuite } from './suite/main.ts';

const functionsShown = 40;

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function report(options: BenchOptions, result: BenchResult): void {
  process.stdout.write(`${options.isJson ? JSON.stringify(result) : tableOf(result)}\n`);
  if (result.failed === 0) return;
  say(`${result.failed} TRANSACTIONS FAILED; the figures mean nothing. One of them:`);
  say(`  ${result.firstError}`);
  process.exitCode = 1;
}

function profileOf(folder: string, rounds: readonly Round[]): string {
  const transactions = rounds.reduce((sum, round) => sum + round.transactions, 0);
  return profileText(folder, {
    spans: rounds.map(({ span }) => span),
    transactions,
    functionsShown,
  });
}

/** Where nothing is ever on disk, no commit is durable, and the figures would be of another world. */
function leaveMemoryFolder(): void {
  const tmpfs = 0x0102_1994;
  if (statfsSync(tmpdir()).type === tmpfs) process.env['TMPDIR'] = '/var/tmp';
}

async function measure(options: BenchOptions, signal: AbortSignal): Promise<void> {
  const whyNot = whyNoFloor(options);
  if (options.hasFloor && options.mode !== 'at' && whyNot !== null) say(`no floor: ${whyNot}`);
  const { measured, result, profileFolder } = await measureOnce(options, { signal, say });
  if (profileFolder !== null) say(profileOf(profileFolder, measured.product));
  report(options, result);
}

async function suite(args: readonly string[], signal: AbortSignal): Promise<void> {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const end = await runSuite(args, { signal, say, print });
  if (typeof end !== 'string') refuse(end.wrong);
  else if (end === 'unsound') process.exitCode = 1;
}

function refuse(what: string): void {
  say(`${what}\n${usage}`);
  process.exitCode = 2;
}

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const isSuite = args.includes('--suite');
  const options = isSuite ? null : readFlags(args);
  if (typeof options === 'string') return refuse(options);
  leaveMemoryFolder();
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => interrupted.abort(new Error('interrupted')));
  }
  try {
    if (options === null) await suite(args, interrupted.signal);
    else await measure(options, interrupted.signal);
  } catch (error) {
    if (interrupted.signal.aborted) process.exitCode = 130;
    else if (error instanceof Missing) {
      say(`SKIPPED: ${error.message}`);
      process.exitCode = 3;
    } else throw error;
  }
}

await main();
