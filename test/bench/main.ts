/**
 * `npm run bench -- [flags]`: reads the flags, runs one measurement, reports. Progress goes to
 * stderr, the result to stdout. Exit code 1: transactions failed, or the bench itself; 2: wrong
 * flags; 3: a database server is missing; 130: interrupted.
 */
import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { type BenchOptions, readFlags, usage } from './flags.ts';
import { profileText } from './profile.ts';
import { resultOf, roundLine, tableOf } from './report.ts';
import { type Measured, type Round, runRounds } from './run.ts';
import { whyNoFloor } from './side.ts';
import { Missing, setStage } from './stage.ts';

const functionsShown = 40;

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function report(options: BenchOptions, measured: Measured): void {
  const result = resultOf(options, measured);
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
  if (options.hasFloor && whyNot !== null) say(`no ratio: ${whyNot}`);
  const stage = await setStage(options, signal);
  let measured: Measured;
  try {
    const tell = (name: string, round: Round) => say(roundLine(name, round));
    measured = await runRounds(stage, options, tell, signal);
  } finally {
    await stage.close();
  }
  if (stage.profileFolder !== null) say(profileOf(stage.profileFolder, measured.product));
  report(options, measured);
}

async function main(): Promise<void> {
  const options = readFlags(process.argv.slice(2));
  if (typeof options === 'string') {
    say(`${options}\n${usage}`);
    process.exitCode = 2;
    return;
  }
  leaveMemoryFolder();
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => interrupted.abort(new Error('interrupted')));
  }
  try {
    await measure(options, interrupted.signal);
  } catch (error) {
    if (interrupted.signal.aborted) process.exitCode = 130;
    else if (error instanceof Missing) {
      say(`SKIPPED: ${error.message}`);
      process.exitCode = 3;
    } else throw error;
  }
}

await main();
