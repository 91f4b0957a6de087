/**
 * Many writers on few rows of two databases: two of PostgreSQL, two of MariaDB, one of each. What is
 * looked at is in `hot-world.ts`. `SETTLE_AT_HOT_SECONDS` sets how long each world has (default 6).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Provided, provide, skipSuite } from '../support/databases.ts';
import { rowsOfEach } from './hot-databases.ts';
import { attempt, expectWhole, moveMoney, newTally, report, startHotWorld } from './hot-world.ts';
import { startCoordinator } from './world.ts';

const seconds = Number(process.env['SETTLE_AT_HOT_SECONDS'] ?? 6);
const limitMs = (seconds + 120) * 1000;
const writers = 16;

let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
beforeAll(async () => {
  coordinator = await startCoordinator();
});
afterAll(() => coordinator.stop());

const [postgres, mysql] = [await provide('postgres'), await provide('mysql')];
for (const server of [postgres, mysql]) {
  if (server.kind === 'skipped') skipSuite('hot rows', server.reason);
  else afterAll(() => server.stop());
}
if (postgres.kind === 'provided') hotRows('two of PostgreSQL', [postgres, postgres]);
if (mysql.kind === 'provided') hotRows('two of MariaDB', [mysql, mysql]);
if (postgres.kind === 'provided' && mysql.kind === 'provided') {
  hotRows('PostgreSQL and MariaDB', [postgres, mysql]);
}

function hotRows(databases: string, servers: readonly [Provided, Provided]): void {
  describe(`hot rows, ${databases}`, () => {
    it(
      `${writers} writers, ${2 * rowsOfEach} rows, two databases, ${seconds} s`,
      async () => {
        const world = await startHotWorld(coordinator.url, servers);
        const tally = newTally();
        const until = performance.now() + seconds * 1000;
        await Promise.all(
          Array.from({ length: writers }, async () => {
            while (performance.now() < until) await moveMoney(world, tally);
          }),
        );
        report(`50 hot rows, ${databases}`, tally);
        await expectWhole(world, tally);
        expect(tally.committed).toBeGreaterThan(tally.conflicts / 4);
        expect(tally.committed).toBeGreaterThan(seconds);
      },
      limitMs,
    );

    it(
      `${writers} clients on one row, each with a row of its own in another database`,
      async () => {
        const world = await startHotWorld(coordinator.url, servers);
        const tally = newTally();
        const until = performance.now() + (seconds / 2) * 1000;
        await Promise.all(
          Array.from({ length: writers }, async (_, index) => {
            const own = { from: [1, index + 1], to: [0, 1], fails: false } as const;
            while (performance.now() < until) await attempt(world, tally, own);
          }),
        );
        report(`one hot row, ${databases}`, tally);
        await expectWhole(world, tally);
        expect(tally.committed).toBeGreaterThan(seconds);
      },
      limitMs,
    );
  });
}
