/**
 * `npm run sim -- [--seeds N] [--seed S] [--transactions N] [--json]`: replays `seeds.txt`, then runs
 * N seeds from S on. Exit 0 when nothing is violated, 1 with the story of the first violation, 2 for
 * flags that are wrong.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { allTriples } from './crash.ts';
import { runSeed, type SeedReport } from './run.ts';
import { shrink } from './shrink.ts';
import { formatSpec, parseSpecs, type Spec, toWish } from './spec.ts';
import { tellStory } from './story.ts';

const seedsFile = join(import.meta.dirname, 'seeds.txt');
/** From so many seeds on, a triple counts as covered when it was hit ten times. */
const seedsForTen = 2_000;
const shrinkMs = 60_000;

interface Flags {
  readonly seeds: number;
  readonly seed: number;
  readonly transactions: number | null;
  readonly isJson: boolean;
}

interface Totals {
  seeds: number;
  transactions: number;
  faults: number;
  digestMismatches: number;
  cpuSeconds: number;
  readonly crashes: Map<string, number>;
}

/** Null when the flags are wrong; what is wrong has been said. */
function readFlags(args: readonly string[]): Flags | null {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seeds: { type: 'string', default: '200' },
        seed: { type: 'string', default: '1' },
        transactions: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    });
    return {
      seeds: whole('seeds', values.seeds, 1),
      seed: whole('seed', values.seed, 0),
      transactions:
        values.transactions === undefined ? null : whole('transactions', values.transactions, 1),
      isJson: values.json,
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    process.stderr.write(`sim: ${why}\n`);
    process.stderr.write(
      'usage: npm run sim -- [--seeds N] [--seed S] [--transactions N] [--json]\n',
    );
    return null;
  }
}

function whole(name: string, text: string, min: number): number {
  const value = Number(text);
  if (/^\d{1,9}$/.test(text) && value >= min) return value;
  throw new Error(`--${name} takes a whole number from ${min} on, not '${text}'`);
}

/** Kept seeds first, then the wished ones. */
function specsOf(flags: Flags): readonly Spec[] {
  const wished = Array.from({ length: flags.seeds }, (_, i): Spec => {
    const seed = flags.seed + i;
    return flags.transactions === null ? { seed } : { seed, transactions: flags.transactions };
  });
  return [...parseSpecs(readFileSync(seedsFile, 'utf8')), ...wished];
}

function count(totals: Totals, report: SeedReport): void {
  totals.seeds += 1;
  totals.transactions += report.swarm.transactions;
  totals.faults += report.faults.length;
  for (const [triple, hits] of report.crashes) {
    totals.crashes.set(triple, (totals.crashes.get(triple) ?? 0) + hits);
  }
}

async function reportViolation(spec: Spec): Promise<void> {
  process.stderr.write(`${formatSpec(spec)}: violated; shrinking for at most 60 s\n`);
  const endMs = performance.now() + shrinkMs;
  const shrunk = await shrink(spec, { isTimeOver: () => performance.now() > endMs });
  process.stdout.write(`${await tellStory(shrunk.spec)}\n`);
  appendFileSync(seedsFile, `${formatSpec(shrunk.spec)} # found as seed ${spec.seed}\n`);
}

function say(totals: Totals, violations: number, isJson: boolean): void {
  const hitsMin = totals.seeds >= seedsForTen ? 10 : 1;
  const covered = allTriples.filter((triple) => (totals.crashes.get(triple) ?? 0) >= hitsMin);
  const { seeds, transactions, faults, digestMismatches } = totals;
  const line = {
    seeds,
    transactions,
    faults,
    crashTriples: { covered: covered.length, total: allTriples.length },
    violations,
    digestMismatches,
    txPerSecond: Math.round(transactions / totals.cpuSeconds),
  };
  process.stderr.write(`a crash triple counts as covered from ${hitsMin} hits on\n`);
  const missing = allTriples.filter((triple) => !covered.includes(triple));
  if (missing.length > 0 && hitsMin > 1)
    process.stderr.write(`not covered: ${missing.join(' ')}\n`);
  if (isJson) process.stdout.write(`${JSON.stringify(line)}\n`);
  else process.stdout.write(`${sentence(line)}\n`);
}

function sentence(line: {
  readonly seeds: number;
  readonly transactions: number;
  readonly faults: number;
  readonly violations: number;
  readonly txPerSecond: number;
}): string {
  const { seeds, transactions, faults, violations, txPerSecond } = line;
  return `${seeds} seeds, ${transactions} transactions, ${faults} faults, ${violations} violations, ${txPerSecond} transactions per second of processor time`;
}

/** 1 % of the seeds, at least 5, run twice. */
function isChecked(index: number, length: number): boolean {
  const every = Math.min(100, Math.max(1, Math.floor(length / 5)));
  return index % every === 0;
}

/** Seconds of processor time that this process has used: what others do on the machine is not ours. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000_000;
}

/** Runs all; the first spec that violates something ends it. */
async function runAll(specs: readonly Spec[], totals: Totals): Promise<Spec | null> {
  const position = { index: 0 };
  process.once('unhandledRejection', (error) => {
    const spec = specs[position.index] ?? { seed: 0 };
    process.stderr.write(`${formatSpec(spec)}: a promise was rejected unheard: ${error}\n`);
    process.exit(1);
  });
  for (const [index, spec] of specs.entries()) {
    position.index = index;
    const before = cpuSeconds();
    const report = await runSeed(toWish(spec));
    totals.cpuSeconds += cpuSeconds() - before;
    count(totals, report);
    if (report.violations.length > 0) return spec;
    if (isChecked(index, specs.length)) {
      const again = await runSeed(toWish(spec));
      if (again.digest !== report.digest) {
        totals.digestMismatches += 1;
        process.stderr.write(`${formatSpec(spec)}: two runs, two digests\n`);
      }
    }
    if (process.stderr.isTTY && index % 20 === 0) {
      process.stderr.write(`\r${index + 1} of ${specs.length} seeds`);
    }
  }
  return null;
}

async function main(): Promise<number> {
  const flags = readFlags(process.argv.slice(2));
  if (flags === null) return 2;
  const totals: Totals = {
    seeds: 0,
    transactions: 0,
    faults: 0,
    digestMismatches: 0,
    cpuSeconds: 0,
    crashes: new Map(),
  };
  const broken = await runAll(specsOf(flags), totals);
  if (process.stderr.isTTY) process.stderr.write('\n');
  if (broken !== null) await reportViolation(broken);
  say(totals, broken === null ? 0 : 1, flags.isJson);
  return broken === null && totals.digestMismatches === 0 ? 0 : 1;
}

process.exitCode = await main();
