/**
 * `npm run bank -- [--minutes M] [--seed S] [--json] [--break WHAT]`: reads the flags, runs one plan, reports. Progress goes to stderr. Exit code 1: something was found (under
 * `--break`, that is what should happen); 2: wrong flags; 3: a database server is missing.
 */
import { parseArgs } from 'node:util';
import type { Breakage } from './cast.ts';
import { type BankResult, runBank } from './run.ts';

const usage =
  'usage: npm run bank -- [--minutes M] [--seed S] [--json] [--break barrier|fence|durability|undo]';
const breakages: readonly Breakage[] = ['barrier', 'fence', 'durability', 'undo'];
const witnessLinesMax = 60;

interface Flags {
  readonly minutes: number;
  readonly seed: number;
  readonly isJson: boolean;
  readonly breakage: Breakage | null;
}

function readFlags(): Flags | null {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string', default: '2' },
        seed: { type: 'string', default: '1' },
        json: { type: 'boolean', default: false },
        break: { type: 'string' },
      },
    });
    const minutes = Number(values.minutes);
    const seed = Number(values.seed);
    const breakage = breakages.find((each) => each === values.break) ?? null;
    if (!(minutes > 0 && minutes <= 24 * 60) || !Number.isSafeInteger(seed)) return null;
    if (values.break !== undefined && breakage === null) return null;
    return { minutes, seed, isJson: values.json, breakage };
  } catch {
    return null;
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function report({ finding, kills, witness, folder }: BankResult, isJson: boolean): void {
  const { transfers, committed, rolledBack, unknown, violations } = finding;
  const byRule = Map.groupBy(violations, (violation) => violation.rule);
  for (const [rule, found] of byRule) say(`${found.length} violations of ${rule}`);
  for (const line of witness.slice(0, witnessLinesMax)) say(`  ${line}`);
  if (folder !== null) say(`history and output of all processes: ${folder}`);
  const line = { transfers, committed, rolledBack, unknown, kills, violations: violations.length };
  const { kinds, lockConflicts, undone } = finding;
  const byKind = { ...kinds, at: { ...kinds.at, lockConflicts, undone } };
  if (!isJson) for (const [kind, counts] of Object.entries(byKind)) say(textOf(kind, counts));
  const text = isJson ? JSON.stringify({ ...line, kinds: byKind }) : textOf('all', line);
  process.stdout.write(`${text}\n`);
  if (violations.length > 0) process.exitCode = 1;
}

function textOf(title: string, counts: object): string {
  const texts = Object.entries(counts).map((entry) => entry.join(' '));
  return `${title}: ${texts.join(', ')}`;
}

async function main(): Promise<void> {
  const flags = readFlags();
  if (flags === null) {
    say(usage);
    process.exitCode = 2;
    return;
  }
  const interrupted = new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
  const result = await runBank({ ...flags, say, interrupted });
  if (result === null) process.exitCode = 130;
  else if (typeof result !== 'string') report(result, flags.isJson);
  else {
    say(`SKIPPED: ${result}`);
    process.exitCode = 3;
  }
}

await main();
// An interrupted run has ended its processes and leaves timers behind.
process.exit();
