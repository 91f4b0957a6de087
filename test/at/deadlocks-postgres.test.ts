/** Deadlocks over several databases of PostgreSQL, which none of them can see. */
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import {
  change,
  countsIn,
  crossing,
  deadlockSchema,
  deadlockStories,
  expectBroken,
  meeting,
  runAll,
  startDeadlockWorld,
} from './deadlocks.ts';
import { describeOnKind } from './either-kind.ts';
import { startCoordinator } from './world.ts';

let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
beforeAll(async () => {
  coordinator = await startCoordinator();
});
afterAll(() => coordinator.stop());

await describeOnKind('postgres', (kind) => {
  const start = () => startDeadlockWorld(coordinator.url, [() => kind.start(deadlockSchema)]);
  deadlockStories(start);

  it('connections of Kysely are known, too', async () => {
    const { settle, sites } = await start();
    const met = meeting(2);
    const [first, second] = sites.slice(0, 2).map(({ database }, index) => {
      const pool = new pg.Pool({ connectionString: database.url });
      const db = new Kysely<{ t: { id: number; n: number } }>({
        dialect: new PostgresDialect({ pool }),
      });
      onTestFinished(() => db.destroy());
      const front = settle.at(db, { resource: `kysely${index}`, lockTimeoutMs: 30_000 });
      const query = () =>
        front
          .updateTable('t')
          .set((eb) => ({ n: eb('n', '+', 1) }))
          .execute();
      return { database, front: { query } };
    });
    if (first === undefined || second === undefined) throw new Error('two were made');
    const works = [crossing(met, first, second), crossing(met, second, first)];
    const [elder, younger] = await runAll(settle, works);
    expectBroken(elder, younger);
    expect(await countsIn(sites)).toEqual(['(1,1)', '(1,1)', '(1,0)']);
  });

  it('a transaction that waits for another scope of its own is ended by its time only', async () => {
    const { settle, sites } = await start();
    const [first] = sites;
    const own = first.database.at(settle, { resource: 'short', lockTimeoutMs: 1_000 });
    const [ended] = await runAll(settle, [
      async ({ gid }) => {
        await change(first);
        await settle.join(gid, () => change({ ...first, front: own }));
      },
    ]);
    expect(ended?.error).toMatchObject({ code: 'LOCK_CONFLICT' });
    expect(ended?.error?.detail).toContain('the database ended a wait');
    expect(await countsIn(sites)).toEqual(['(1,0)', '(1,0)', '(1,0)']);
  });
});
