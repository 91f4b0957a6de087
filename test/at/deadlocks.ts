/**
 * Transactions that wait for each other in several databases: the stories that are the same on every
 * kind. Time-outs are so long here that nothing in a story ends by one.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Dialect, Kysely } from 'kysely';
import { expect, it, onTestFinished } from 'vitest';
import type { Settle, SettleError, TransactionContext } from '../../client-sdk/index.ts';
import type { EitherDatabase, Front } from './either-kind.ts';
import { startService } from './world.ts';

/** One database of a test: row 1 of `t` counts its changes, `many` has rows to be slow with. */
export interface Site {
  readonly database: EitherDatabase;
  readonly front: Pick<Front, 'query'>;
}

/** Three of them under one service. */
export interface DeadlockWorld {
  readonly settle: Settle;
  readonly sites: readonly [Site, Site, Site];
}

const lockTimeoutMs = 30_000;
/** Far below any time-out, and above what a few looks take on a busy machine. */
const brokenMsMax = 10_000;

/** For each database of a world. */
export const deadlockSchema: readonly string[] = [
  'create table t (id int primary key, n int)',
  'insert into t values (1, 0)',
  'create table many (id int primary key)',
  `insert into many values ${Array.from({ length: 200 }, (_, index) => `(${index})`)}`,
];

/** Runs as another service would: with no transaction around. */
const outside = AsyncLocalStorage.snapshot();

/** Three databases, each made by one of these. */
export async function startDeadlockWorld(
  url: string,
  makers: readonly (() => Promise<EitherDatabase>)[],
): Promise<DeadlockWorld> {
  const settle = await startService(url);
  const site = async (index: number): Promise<Site> => {
    const database = await makers[index % makers.length]?.();
    if (database === undefined) throw new Error('nobody makes databases');
    return { database, front: database.at(settle, { resource: `db${index}`, lockTimeoutMs }) };
  };
  return { settle, sites: [await site(0), await site(1), await site(2)] };
}

/** Changes the one row of it. */
export const change = ({ front }: Site) => front.query('update t set n = n + 1 where id = 1');

/** How a transaction ended. */
interface Ended {
  readonly gid: string;
  readonly ms: number;
  readonly error: SettleError | null;
}

type Work = (tx: TransactionContext) => Promise<unknown>;

/** Runs them all at once; the first one is the eldest. */
export async function runAll(settle: Settle, works: readonly Work[]): Promise<readonly Ended[]> {
  const running: Promise<Ended>[] = [];
  for (const work of works) {
    const begun = Promise.withResolvers<void>();
    running.push(runOne(settle, work, begun.resolve));
    await begun.promise;
  }
  return await Promise.all(running);
}

async function runOne(settle: Settle, work: Work, begun: () => void): Promise<Ended> {
  const startMs = performance.now();
  let gid = '';
  let error: SettleError | null = null;
  try {
    await settle.transaction({ timeout: '60s' }, async (tx) => {
      gid = tx.gid;
      await tx.headers();
      // Gids of the same millisecond are in no order.
      for (const nowMs = Date.now(); Date.now() === nowMs; ) await new Promise(setImmediate);
      begun();
      await work(tx);
    });
  } catch (thrown) {
    error = thrown as SettleError;
  }
  return { gid, ms: performance.now() - startMs, error };
}

/** Resolves for all when so many have come. */
export function meeting(count: number): () => Promise<void> {
  const met = Promise.withResolvers<void>();
  let came = 0;
  return () => {
    came += 1;
    if (came === count) met.resolve();
    return met.promise;
  };
}

/** Changes one, meets the others, and changes another one. */
export const crossing =
  (met: () => Promise<void>, from: Site, to: Site): Work =>
  async () => {
    await change(from);
    await met();
    await change(to);
  };

/** The younger one gave way, soon, and says to whom; the elder committed. */
export function expectBroken(elder: Ended | undefined, younger: Ended | undefined): void {
  expect(elder?.error).toBeNull();
  expect(younger?.error).toMatchObject({ code: 'LOCK_CONFLICT', gid: younger?.gid });
  expect(younger?.error?.detail).toContain(`${younger?.gid} gave way to ${elder?.gid}`);
  expect(younger?.ms).toBeLessThan(brokenMsMax);
}

/** How often the row of each was changed; undo rows there are none. */
export async function countsIn(sites: readonly Site[]): Promise<readonly string[]> {
  const counts: string[] = [];
  for (const { database } of sites) {
    expect(await database.undoRows()).toBe(0);
    counts.push(...(await database.rowsOf('t')));
  }
  return counts;
}

/** Two databases of a world again, by connections of Kysely. */
export function kyselyStory(
  start: () => Promise<DeadlockWorld>,
  dialectOn: (url: string) => Dialect,
): void {
  it('connections of Kysely are known, too', async () => {
    const { settle, sites } = await start();
    const met = meeting(2);
    const [first, second] = sites.slice(0, 2).map(({ database }, index): Site => {
      const db = new Kysely<{ t: { id: number; n: number } }>({ dialect: dialectOn(database.url) });
      onTestFinished(() => db.destroy());
      const front = settle.at(db, { resource: `kysely${index}`, lockTimeoutMs });
      const query = () =>
        front
          .updateTable('t')
          .set((eb) => ({ n: eb('n', '+', 1) }))
          .where('id', '=', 1)
          .execute();
      return { database, front: { query } };
    });
    if (first === undefined || second === undefined) throw new Error('two were made');
    const works = [crossing(met, first, second), crossing(met, second, first)];
    const [elder, younger] = await runAll(settle, works);
    expectBroken(elder, younger);
    expect(await countsIn(sites)).toEqual(['(1,1)', '(1,1)', '(1,0)']);
  });
}

/** The stories. */
export function deadlockStories(start: () => Promise<DeadlockWorld>): void {
  it('of two that wait for each other in two databases the younger gives way', async () => {
    const { settle, sites } = await start();
    const [first, second] = sites;
    const met = meeting(2);
    const works = [crossing(met, first, second), crossing(met, second, first)];
    const [elder, younger] = await runAll(settle, works);
    expectBroken(elder, younger);
    expect(await countsIn(sites)).toEqual(['(1,1)', '(1,1)', '(1,0)']);
    // What it had is in order again, and its connections too.
    const again = meeting(1);
    await runAll(settle, [crossing(again, second, first), crossing(again, second, first)]);
    expect(await countsIn(sites)).toEqual(['(1,3)', '(1,3)', '(1,0)']);
  });

  it('of three in a ring one gives way, and the others come to their end', async () => {
    const { settle, sites } = await start();
    const [first, second, third] = sites;
    const met = meeting(3);
    const [eldest, middle, youngest] = await runAll(settle, [
      crossing(met, first, second),
      crossing(met, second, third),
      crossing(met, third, first),
    ]);
    expect(middle?.error).toBeNull();
    expectBroken(eldest, youngest);
    expect(await countsIn(sites)).toEqual(['(1,1)', '(1,2)', '(1,1)']);
  });

  it('an undo row that a joined scope has left is part of it', async () => {
    const { settle, sites } = await start();
    const [first, second] = sites;
    const met = meeting(2);
    const [elder, younger] = await runAll(settle, [
      async ({ gid }) => {
        await outside(() => settle.join(gid, () => change(first)));
        await met();
        await change(second);
      },
      crossing(met, second, first),
    ]);
    expectBroken(elder, younger);
    expect(await countsIn(sites)).toEqual(['(1,1)', '(1,1)', '(1,0)']);
  });

  it('so is a row of an initiator that waits for a joined scope', async () => {
    const { settle, sites } = await start();
    const [first, second] = sites;
    const met = meeting(2);
    const [elder, younger] = await runAll(settle, [
      crossing(met, first, second),
      async ({ gid }) => {
        await change(second);
        await met();
        await outside(() => settle.join(gid, () => change(first)));
      },
    ]);
    expectBroken(elder, younger);
    expect(await countsIn(sites)).toEqual(['(1,1)', '(1,1)', '(1,0)']);
  });

  it('who gave way cannot commit, whatever its user catches', async () => {
    const { settle, sites } = await start();
    const [first, second, third] = sites;
    const met = meeting(2);
    const [elder, younger] = await runAll(settle, [
      crossing(met, first, second),
      async () => {
        await change(second);
        await change(third);
        await met();
        await expect(change(first)).rejects.toMatchObject({ code: 'LOCK_CONFLICT' });
        await expect(change(first)).rejects.toMatchObject({ code: 'LOCK_CONFLICT' });
      },
    ]);
    expectBroken(elder, younger);
    expect(await countsIn(sites)).toEqual(['(1,1)', '(1,1)', '(1,0)']);
  });

  it('who only stands in a queue, or is slow, is let alone', async () => {
    const { settle, sites } = await start();
    const [first, second] = sites;
    const held = Promise.withResolvers<void>();
    const ended = await runAll(settle, [
      async () => {
        await change(first);
        held.resolve();
        await first.database.untilWaiting();
        const { front } = second;
        await front.query('select count(*) from many a, many b, many c where a.id + b.id > c.id');
        await change(second);
      },
      ...[1, 2, 3].map(() => async () => {
        // Whoever is faster than the eldest would leave nobody for it to wait for.
        await held.promise;
        await change(first);
        await change(second);
      }),
    ]);
    expect(ended.map(({ error }) => error)).toEqual([null, null, null, null]);
    expect(Math.max(...ended.map(({ ms }) => ms))).toBeGreaterThan(500);
    expect(await countsIn(sites)).toEqual(['(1,4)', '(1,4)', '(1,0)']);
  });
}
