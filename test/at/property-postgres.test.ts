/**
 * Random transactions on random tables of two databases: rolled back they have never been, committed
 * they did what plain PostgreSQL does. `SETTLE_AT_CASES` sets how many (default 500), `SETTLE_AT_SEED`
 * repeats a run; the seed is printed with every failure.
 */
import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeOn, type Provided } from '../support/databases.ts';
import { randomCase } from './random/case.ts';
import { type RandomWorld, runCase, type Tally } from './random/run.ts';
import { type RandomPair, randomPair, sharedTypes } from './random/tables.ts';
import { startCoordinator, startDatabase, startService, undoRows } from './world.ts';

const cases = Number(process.env['SETTLE_AT_CASES'] ?? 500);
const seed = Number(process.env['SETTLE_AT_SEED'] ?? randomInt(2 ** 31));
const casesPerPair = 20;
/** Pairs of tables at work at the same time; they share databases and nothing else. */
const lanes = 4;

/** Nothing crashes here, so that nothing need be on the disk. */
const isInMemory = `do $$ begin
  execute format('alter database %I set synchronous_commit to off', current_database()); end $$;`;

/** A local commit that fails: the row that it refers to never comes. */
const lateTable = `create schema settled_late; create table settled_late.late (
  id integer primary key, other integer references settled_late.late deferrable initially deferred);`;

let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
beforeAll(async () => {
  coordinator = await startCoordinator();
});
afterAll(() => coordinator.stop());

await describeOn('postgres', (server) => {
  it(
    `${cases} random transactions, seed ${seed}`,
    async () => {
      const world = await startWorld(server);
      const tally: Tally = {
        ...{ statements: 0, refused: 0, failed: 0, committed: 0, rolledBack: 0, undoneRows: 0 },
      };
      const pairs = Math.ceil(cases / casesPerPair);
      let next = 0;
      const lane = async () => {
        for (let at = next++; at < pairs; at = next++) await runPair(world, at, tally);
      };
      const started = performance.now();
      const outcomes = await Promise.allSettled(Array.from({ length: lanes }, lane));
      const seconds = Math.round((performance.now() - started) / 1000);
      process.stdout.write(`${JSON.stringify({ seed, cases, pairs, seconds, ...tally })}\n`);
      const broken = outcomes.filter((outcome) => outcome.status === 'rejected');
      if (broken.length > 0) throw new Error(broken.map(({ reason }) => String(reason)).join('\n'));
      for (const pool of world.plain) expect(await undoRows(pool)).toBe(0);
      expect((await world.settle.list({ outcome: 'open' })).transactions).toEqual([]);
      // It must have had something to undo, and most of the statements must have run.
      expect(tally.undoneRows).toBeGreaterThan(cases / 2);
      expect(tally.committed).toBeGreaterThan(cases / 10);
      expect(tally.failed + tally.refused).toBeLessThan(tally.statements / 2);
    },
    4 * 3_600_000,
  );
});

async function startWorld(server: Provided): Promise<RandomWorld> {
  const settle = await startService(coordinator.url, 'random');
  const start = () => startDatabase(server, isInMemory + sharedTypes + lateTable);
  const plain = [await start(), await start()] as const;
  const copies = [await start(), await start()] as const;
  const fronts = [
    settle.at<pg.Pool>(plain[0], { resource: 'one' }),
    settle.at<pg.Pool>(plain[1], { resource: 'two' }),
  ] as const;
  const late = settle.at<pg.Pool>(plain[1], { resource: 'late' });
  return { settle, plain, copies, fronts, late };
}

async function runPair(world: RandomWorld, at: number, tally: Tally): Promise<void> {
  const [pair] = fc.sample(randomPair(`t${at}`), { seed: seed + at, numRuns: 1 });
  if (pair === undefined) throw new Error('no sample');
  await createTables(world, pair);
  const property = fc.asyncProperty(randomCase(pair), (given) =>
    runCase(world, pair, given, tally),
  );
  const numRuns = Math.min(casesPerPair, cases - at * casesPerPair);
  // Each step of shrinking may take a minute, when what fails is a wait.
  const endOnFailure = process.env['CI'] === 'true';
  const report = await fc.check(property, { seed: seed + at, numRuns, endOnFailure });
  if (!report.failed) return;
  const tables = `${pair.parent.ddl}\n${pair.child.ddl}`;
  const why = `${String(report.errorInstance)}\n${fc.defaultReportMessage(report)}`;
  throw new Error(`seed ${seed}, pair ${at}\n${tables}\n${why}`);
}

async function createTables({ plain, copies }: RandomWorld, { parent, child }: RandomPair) {
  for (const pool of [...plain, ...copies]) await pool.query(`${parent.ddl};${child.ddl}`);
}
