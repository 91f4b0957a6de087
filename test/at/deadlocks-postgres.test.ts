/** Deadlocks over several databases of PostgreSQL, which none of them can see. */
import { PostgresDialect } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  change,
  countsIn,
  deadlockSchema,
  deadlockStories,
  kyselyStory,
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

  kyselyStory(
    start,
    (url) => new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }),
  );

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
