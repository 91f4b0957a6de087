/**
 * `npm run mutants`: plants every bug of the list in turn and tells which ones the suites have found.
 * Exit code 0: all that live are explained; 1: one is not, or could not be tried; 2: wrong arguments.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { explained } from './explained.ts';
import { type KillerName, killers } from './killers.ts';
import { mutants } from './list.ts';
import type { Mutant } from './mutant.ts';
import { mutantsPage, pagePath } from './page.ts';
import { readSightings, writeSightings } from './sightings.ts';
import { root } from './tree.ts';
import { type Trial, tryAll } from './trials.ts';

const jobsMax = 2;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      only: { type: 'string' },
      by: { type: 'string' },
      jobs: { type: 'string', default: String(Math.min(jobsMax, availableParallelism())) },
      'write-sightings': { type: 'boolean', default: false },
      'write-docs': { type: 'boolean', default: false },
    },
  });
  if (values['write-docs']) {
    writeFileSync(join(root, pagePath), mutantsPage(mutants));
    return 0;
  }
  const chosen = choose(values.only).map((mutant) => withKillers(mutant, values.by));
  const jobs = Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > jobsMax) {
    throw new Error(`--jobs: 1 or ${jobsMax}`);
  }
  let count = 0;
  const startMs = performance.now();
  const trials = await tryAll(chosen, {
    jobs,
    sightings: readSightings(),
    onTrial(trial) {
      count += 1;
      process.stderr.write(`${count}/${chosen.length} ${lineOf(trial)}\n`);
    },
  });
  const seconds = Math.round((performance.now() - startMs) / 1000);
  if (values['write-sightings']) keepSightings(trials);
  if (!values.json) printTable(trials);
  const summary = summaryOf(trials);
  console.log(JSON.stringify({ ...summary, seconds }));
  const unexplained = summary.survived.filter((name) => explained[name] === undefined);
  return unexplained.length === 0 && summary.errors.length === 0 ? 0 : 1;
}

function choose(only: string | undefined): readonly Mutant[] {
  if (only === undefined) return mutants;
  return only.split(',').map((name) => {
    const found = mutants.find((mutant) => mutant.name === name);
    if (found === undefined) throw new Error(`--only: there is no mutant '${name}'`);
    return found;
  });
}

/** Asks what other suites would find. */
function withKillers(mutant: Mutant, by: string | undefined): Mutant {
  if (by === undefined) return mutant;
  if (!Object.hasOwn(killers, by)) throw new Error(`--by: there is no suite '${by}'`);
  // Parse boundary: the name was just looked up.
  return { ...mutant, killedBy: [by as KillerName] };
}

/** What this run has found, and what is known of those that it did not try. */
function keepSightings(trials: readonly Trial[]): void {
  const found = trials.flatMap(({ mutant, fate }) =>
    fate.kind === 'killed' && fate.sighting !== null ? [[mutant.name, fate.sighting]] : [],
  );
  const kept = Object.entries(readSightings()).filter(
    ([name]) => !trials.some(({ mutant }) => mutant.name === name),
  );
  writeSightings(
    Object.fromEntries([...kept, ...found]),
    mutants.map(({ name }) => name),
  );
}

function lineOf({ mutant, fate, ms }: Trial): string {
  const time = `${(ms / 1000).toFixed(1)} s`;
  switch (fate.kind) {
    case 'killed': {
      const isMoved = fate.by !== mutant.killedBy[0];
      const note = isMoved ? ` (not by ${mutant.killedBy[0]})` : '';
      return `killed    ${mutant.name}  ${time}  ${fate.by}${note}: ${fate.what}`;
    }
    case 'survived': {
      const reason = explained[mutant.name];
      return `SURVIVED  ${mutant.name}  ${time}${reason === undefined ? '' : '  explained'}`;
    }
    case 'skipped':
      return `skipped   ${mutant.name}  ${time}  its server is not here`;
    case 'error':
      return `ERROR     ${mutant.name}  ${time}  ${fate.reason}`;
    default:
      return fate satisfies never;
  }
}

function printTable(trials: readonly Trial[]): void {
  const cells = trials.map(({ mutant, fate, ms }) => [
    mutant.name,
    fate.kind === 'killed' ? fate.by : fate.kind,
    `${(ms / 1000).toFixed(1)} s`,
    fate.kind === 'killed' ? fate.what : '',
  ]);
  const table = [['mutant', 'killed by', 'after', 'what found it'], ...cells];
  const widths = [0, 1, 2].map((at) => Math.max(...table.map((row) => row[at]?.length ?? 0)));
  for (const row of table) {
    console.log(
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
}

function summaryOf(trials: readonly Trial[]) {
  const named = (kind: Trial['fate']['kind']) =>
    trials.filter(({ fate }) => fate.kind === kind).map(({ mutant }) => mutant.name);
  return {
    mutants: trials.length,
    killed: named('killed').length,
    survived: named('survived'),
    skipped: named('skipped'),
    errors: named('error'),
  };
}

// So that the copies of the tree are removed, for that is done at exit.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
