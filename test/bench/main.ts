/**
 * `npm run bench -- [flags]`: reads the flags, runs one measurement, reports. Progress goes to
 * stderr, the result to stdout. Exit code 1: transactions failed, or the bench itself; 2: wrong
 * flags; 3: a database server is missing; 130: interrupted.
 */
import { type BenchOptions, readFlags, usage } from './flags.ts';
import { profileText } from './profile.ts';
import { resultOf, roundLine, tableOf } from './report.ts';
import { type Measured, runRounds } from './run.ts';
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

async function measure(options: BenchOptions, signal: AbortSignal): Promise<void> {
  const whyNot = whyNoFloor(options);
  if (options.hasFloor && whyNot !== null) say(`no ratio: ${whyNot}`);
  const stage = await setStage(options, signal);
  let measured: Measured;
  try {
    const tell = (name: string, round: Parameters<typeof roundLine>[1]) =>
      say(roundLine(name, round));
    measured = await runRounds(stage, options, tell, signal);
  } finally {
    await stage.close();
  }
  if (stage.profileFolder !== null) say(profileText(stage.profileFolder, functionsShown));
  report(options, measured);
}

async function main(): Promise<void> {
  const options = readFlags(process.argv.slice(2));
  if (typeof options === 'string') {
    say(`${options}\n${usage}`);
    process.exitCode = 2;
    return;
  }
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
