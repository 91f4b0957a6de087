/**
 * Random transactions on random tables of two databases: rolled back they have never been, committed
 * they did what plain PostgreSQL does. `SETTLE_AT_CASES` sets how many (default 500), `SETTLE_AT_SEED`
 * repeats a run; the seed is printed with every failure.
 */
import type pg from 'pg';
import { afterAll, beforeAll, it } from 'vitest';
import { describeOn, type Provided } from '../support/databases.ts';
import type { RandomWorld } from './random/database.ts';
import {
  postgresDatabase,
  postgresFailure,
  postgresKind,
  postgresPool,
} from './random/postgres-database.ts';
import { type RandomPair, sharedTypes } from './random/postgres-tables.ts';
import { expectWorked, propertyOptions, runProperty } from './random/property.ts';
import { startCoordinator, startDatabase, startService } from './world.ts';

const options = propertyOptions();

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
    `${options.cases} random transactions, seed ${options.seed}`,
    async () => {
      const world = await startWorld(server);
      const tally = await runProperty(world, postgresKind, options);
      await expectWorked(world, tally, options);
    },
    4 * 3_600_000,
  );
});

async function startWorld(server: Provided): Promise<RandomWorld<RandomPair>> {
  const settle = await startService(coordinator.url, 'random');
  const start = () => startDatabase(server, isInMemory + sharedTypes + lateTable);
  const plain = [await start(), await start()] as const;
  const front = (pool: pg.Pool, resource: string) =>
    postgresPool(settle.at<pg.Pool>(pool, { resource }));
  return {
    settle,
    plain: [postgresDatabase(plain[0]), postgresDatabase(plain[1])],
    copies: [postgresDatabase(await start()), postgresDatabase(await start())],
    fronts: [front(plain[0], 'one'), front(plain[1], 'two')],
    late: front(plain[1], 'late'),
    lateStatement: { text: 'insert into settled_late.late values (1, 2)', parameters: [] },
    failureOf: postgresFailure,
    savepointsReplace: false,
  };
}
