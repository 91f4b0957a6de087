/** Pools that run out of connections: an error with a code, never a wait without an end. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeOnEither, type Front } from './either-kind.ts';
import { startCoordinator, startService } from './world.ts';

let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
beforeAll(async () => {
  coordinator = await startCoordinator();
});
afterAll(() => coordinator.stop());

await describeOnEither((kind) => {
  it('two transactions that hold what the other one waits for end, and one may be run again', async () => {
    const settle = await startService(coordinator.url);
    const schema = ['create table t (id int primary key, n int)', 'insert into t values (1, 0)'];
    const [one, two] = [await kind.start(schema), await kind.start(schema)];
    const lockTimeoutMs = 300;
    const first = one.at(settle, { resource: 'one', lockTimeoutMs }, { ...one, connections: 1 });
    const second = two.at(settle, { resource: 'two', lockTimeoutMs }, { ...two, connections: 1 });
    const met = Promise.withResolvers<void>();
    let inside = 0;
    const work = (from: Front, to: Front) =>
      settle.transaction({}, async () => {
        await from.query('update t set n = n + 1');
        inside += 1;
        if (inside === 2) met.resolve();
        await met.promise;
        await to.query('update t set n = n + 1');
      });
    const outcomes = await Promise.allSettled([work(first, second), work(second, first)]);
    const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(failed.length).toBeGreaterThan(0);
    for (const { reason } of failed) expect(reason).toMatchObject({ code: 'LOCK_CONFLICT' });
    await work(first, second);
    const committed = 2 - failed.length + 1;
    for (const { rowsOf } of [one, two]) expect(await rowsOf('t')).toEqual([`(1,${committed})`]);
  });
});
