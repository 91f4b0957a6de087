/** Deadlocks over several databases of MariaDB, and what is left without the privilege to see them. */
import { MysqlDialect } from 'kysely';
import { createPool } from 'mysql2';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  countsIn,
  crossing,
  deadlockSchema,
  deadlockStories,
  kyselyStory,
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

await describeOnKind('mysql', (kind) => {
  const start = () => startDeadlockWorld(coordinator.url, [() => kind.start(deadlockSchema)]);
  deadlockStories(start);

  kyselyStory(start, (url) => new MysqlDialect({ pool: createPool({ uri: url }) }));

  it('without the privilege to see who waits, the time for locks ends it', async () => {
    const { settle, sites } = await start();
    const user = `u${crypto.randomUUID().slice(0, 8)}`;
    const met = meeting(2);
    const [one] = sites;
    await one.database.query(`create user ${user}@'%' identified by 'x'`);
    const [first, second] = await Promise.all(
      sites.slice(0, 2).map(async ({ database }, index) => {
        const url = new URL(database.url);
        await database.query(`grant all on ${url.pathname.slice(1)}.* to ${user}@'%'`);
        [url.username, url.password] = [user, 'x'];
        const options = { resource: `unseen${index}`, lockTimeoutMs: 1_500 };
        const line = { url: url.href, connections: 5 };
        return { database, front: database.at(settle, options, line) };
      }),
    );
    if (first === undefined || second === undefined) throw new Error('two were made');
    const works = [crossing(met, first, second), crossing(met, second, first)];
    const errors = (await runAll(settle, works)).flatMap(({ error }) => error ?? []);
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors) {
      expect(error).toMatchObject({ code: 'LOCK_CONFLICT' });
      expect(error.detail).toContain('the database ended a wait');
    }
    await one.database.query(`drop user ${user}@'%'`);
    const count = 2 - errors.length;
    expect(await countsIn(sites)).toEqual([`(1,${count})`, `(1,${count})`, '(1,0)']);
  });
});
