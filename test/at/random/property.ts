/**
 * Many random cases on many random pairs of tables, some pairs at a time, and the line of figures
 * that a run ends with. What a case is and does is in `case.ts` and `run.ts`.
 */
import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { expect } from 'vitest';
import { randomCase } from './case.ts';
import type { RandomKind, RandomWorld } from './database.ts';
import { runCase, type Tally } from './run.ts';

/** How many cases, and what repeats them. */
export interface PropertyOptions {
  readonly cases: number;
  readonly seed: number;
}

/** `SETTLE_AT_CASES`, by default 500, and `SETTLE_AT_SEED`, by default any. */
export function propertyOptions(): PropertyOptions {
  return {
    cases: Number(process.env['SETTLE_AT_CASES'] ?? 500),
    seed: Number(process.env['SETTLE_AT_SEED'] ?? randomInt(2 ** 31)),
  };
}

const casesPerPair = 20;
/** Pairs of tables at work at the same time; they share databases and nothing else. */
const lanes = 4;

/** Throws with the tables and the smallest case of each pair that fails. Answers the figures. */
export async function runProperty<Pair>(
  world: RandomWorld<Pair>,
  kind: RandomKind<Pair>,
  { cases, seed }: PropertyOptions,
): Promise<Tally> {
  const tally: Tally = {
    ...{ statements: 0, refused: 0, failed: 0, committed: 0, rolledBack: 0, undoneRows: 0 },
  };
  const pairs = Math.ceil(cases / casesPerPair);
  let next = 0;
  const lane = async () => {
    for (let at = next++; at < pairs; at = next++) {
      const numRuns = Math.min(casesPerPair, cases - at * casesPerPair);
      await runPair(world, kind, { at, seed, numRuns, tally });
    }
  };
  const started = performance.now();
  const outcomes = await Promise.allSettled(Array.from({ length: lanes }, lane));
  const seconds = Math.round((performance.now() - started) / 1000);
  process.stdout.write(`${JSON.stringify({ seed, cases, pairs, seconds, ...tally })}\n`);
  const broken = outcomes.filter((outcome) => outcome.status === 'rejected');
  if (broken.length > 0) throw new Error(broken.map(({ reason }) => String(reason)).join('\n'));
  return tally;
}

/** It must have had something to undo, most statements must have run, and nothing is left over. */
export async function expectWorked<Pair>(
  { settle, plain }: RandomWorld<Pair>,
  tally: Tally,
  { cases }: PropertyOptions,
): Promise<void> {
  for (const database of plain) expect(await database.undoRows(null)).toBe(0);
  expect((await settle.list({ outcome: 'open' })).transactions).toEqual([]);
  expect(tally.undoneRows).toBeGreaterThan(cases / 2);
  expect(tally.committed).toBeGreaterThan(cases / 10);
  expect(tally.failed + tally.refused).toBeLessThan(tally.statements / 2);
}

interface PairRun {
  readonly at: number;
  readonly seed: number;
  readonly numRuns: number;
  readonly tally: Tally;
}

async function runPair<Pair>(
  world: RandomWorld<Pair>,
  kind: RandomKind<Pair>,
  { at, seed, numRuns, tally }: PairRun,
): Promise<void> {
  const [pair] = fc.sample(kind.randomPair(`t${at}`), { seed: seed + at, numRuns: 1 });
  if (pair === undefined) throw new Error('no sample');
  const ddl = kind.ddl(pair);
  for (const database of [...world.plain, ...world.copies]) {
    for (const text of ddl) await database.send({ text, parameters: [] });
  }
  const property = fc.asyncProperty(randomCase(kind.sourceOf(pair)), (given) =>
    runCase(world, pair, given, tally),
  );
  // Each step of shrinking may take a minute, when what fails is a wait.
  const endOnFailure = process.env['CI'] === 'true';
  const report = await fc.check(property, { seed: seed + at, numRuns, endOnFailure });
  if (!report.failed) return;
  const why = `${String(report.errorInstance)}\n${fc.defaultReportMessage(report)}`;
  throw new Error(`seed ${seed}, pair ${at}\n${ddl.join('\n')}\n${why}`);
}
