/**
 * Many writers on few rows of two databases, with rollbacks among them: no update is lost, nothing
 * is written over what is not decided, nothing is left behind. All of it is looked at outside of
 * Settle. `SETTLE_AT_HOT_SECONDS` sets how long (default 10).
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Settle, SettleError } from '../../client-sdk/index.ts';
import { describeOn, type Provided } from '../support/databases.ts';
import { startCoordinator, startDatabase, startService, undoRows } from './world.ts';

const seconds = Number(process.env['SETTLE_AT_HOT_SECONDS'] ?? 10);
const writers = 16;
const rowsOfEach = 25;
const cents = 1_000;
/** Two writers that wait for each other in two databases are told apart by nothing else. */
const lockTimeoutMs = 1_000;
/** Of one statement, with what a busy machine adds. */
const waitMsMax = lockTimeoutMs + 5_000;

const schema = `
  create table account (id integer primary key, cents bigint not null, version bigint not null);
  insert into account select id, ${cents}, 0 from generate_series(1, ${rowsOfEach}) id;`;

/** Runs as another service would: with no transaction around. */
const outside = AsyncLocalStorage.snapshot();

let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
beforeAll(async () => {
  coordinator = await startCoordinator();
});
afterAll(() => coordinator.stop());

await describeOn('postgres', (server) => {
  describe('hot rows', () => {
    it(
      `${writers} writers, ${2 * rowsOfEach} rows, two databases, ${seconds} s`,
      async () => {
        const world = await startWorld(server);
        const tally = newTally();
        const until = performance.now() + seconds * 1000;
        await Promise.all(
          Array.from({ length: writers }, async () => {
            while (performance.now() < until) await moveMoney(world, tally);
          }),
        );
        report('50 hot rows', tally);
        await expectWhole(world, tally);
        expect(tally.committed).toBeGreaterThan(tally.conflicts / 4);
        expect(tally.committed).toBeGreaterThan(seconds);
        expect(tally.longestMs).toBeLessThan(waitMsMax);
      },
      (seconds + 120) * 1000,
    );

    it(
      `${writers} clients on one row, each with a row of its own in another database`,
      async () => {
        const world = await startWorld(server);
        const tally = newTally();
        const until = performance.now() + (seconds / 2) * 1000;
        await Promise.all(
          Array.from({ length: writers }, async (_, index) => {
            const own = { from: [1, index + 1], to: [0, 1], fails: false } as const;
            while (performance.now() < until) await attempt(world, tally, own);
          }),
        );
        report('one hot row', tally);
        await expectWhole(world, tally);
        expect(tally.committed).toBeGreaterThan(seconds);
        expect(tally.longestMs).toBeLessThan(waitMsMax);
      },
      (seconds + 120) * 1000,
    );
  });
});

interface World {
  readonly settle: Settle;
  readonly plain: readonly [pg.Pool, pg.Pool];
  readonly fronts: readonly [pg.Pool, pg.Pool];
}

/** A row: its database and its id. */
type Place = readonly [side: 0 | 1, id: number];

interface Tally {
  committed: number;
  conflicts: number;
  rolledBack: number;
  longestMs: number;
  readonly startedMs: number;
  /** Committed changes by row: `side/id`. */
  readonly changes: Map<string, number>;
}

function newTally(): Tally {
  const counts = { committed: 0, conflicts: 0, rolledBack: 0, longestMs: 0 };
  return { ...counts, startedMs: performance.now(), changes: new Map() };
}

async function startWorld(server: Provided): Promise<World> {
  const settle = await startService(coordinator.url, `hot-${crypto.randomUUID().slice(0, 8)}`);
  const plain = [await startDatabase(server, schema), await startDatabase(server, schema)] as const;
  const fronts = [
    settle.at<pg.Pool>(plain[0], { resource: 'one', lockTimeoutMs }),
    settle.at<pg.Pool>(plain[1], { resource: 'two', lockTimeoutMs }),
  ] as const;
  return { settle, plain, fronts };
}

interface Move {
  readonly from: Place;
  readonly to: Place;
  readonly fails: boolean;
}

/** One move between two random rows; again under a new gid for as long as somebody else has them. */
async function moveMoney(world: World, tally: Tally): Promise<void> {
  const from = randomPlace();
  const to = randomPlace();
  if (from[0] === to[0] && from[1] === to[1]) return;
  const fails = Math.random() < 0.2;
  while (!(await attempt(world, tally, { from, to, fails })));
}

/** Answers whether it is over: false after a conflict. */
async function attempt(world: World, tally: Tally, { from, to, fails }: Move): Promise<boolean> {
  try {
    await world.settle.transaction({ timeout: '30s' }, async (tx) => {
      const moved = 1 + Math.floor(Math.random() * 5);
      if (fails) {
        // By another service, so that it is committed locally before it is taken back.
        const headers = await tx.headers();
        const work = () => change(world, tally, { place: from, by: -moved });
        await outside(() => world.settle.join(headers, work));
        await change(world, tally, { place: to, by: moved });
        throw new Planned('as planned');
      }
      await change(world, tally, { place: from, by: -moved });
      await change(world, tally, { place: to, by: moved });
    });
    tally.committed += 1;
    for (const [side, id] of [from, to]) {
      const row = `${side}/${id}`;
      tally.changes.set(row, (tally.changes.get(row) ?? 0) + 1);
    }
    return true;
  } catch (error) {
    if (error instanceof Planned) {
      tally.rolledBack += 1;
      return true;
    }
    if (!(error instanceof SettleError) || error.code !== 'LOCK_CONFLICT') throw error;
    tally.conflicts += 1;
    return false;
  }
}

class Planned extends Error {}

interface Change {
  readonly place: Place;
  readonly by: number;
}

/**
 * Reads under a lock and writes what it has computed, or lets the database compute: an update that
 * is lost, or an image that is not of the row that was updated, would be seen.
 */
async function change(
  world: World,
  tally: Tally,
  { place: [side, id], by }: Change,
): Promise<void> {
  const timed = async (text: string, values: readonly unknown[]) => {
    const started = performance.now();
    try {
      return await world.fronts[side].query(text, [...values]);
    } finally {
      tally.longestMs = Math.max(tally.longestMs, performance.now() - started);
    }
  };
  const { rows } = await timed('select cents, version from account where id = $1 for update', [id]);
  const { cents: now, version } = rows[0];
  const { rowCount } = await timed(
    'update account set cents = $2, version = $3 where id = $1 and version = $4',
    [id, Number(now) + by, Number(version) + 1, version],
  );
  if (rowCount !== 1) throw new Error(`row ${side}/${id} changed under a lock`);
}

function randomPlace(): Place {
  return [Math.random() < 0.5 ? 0 : 1, 1 + Math.floor(Math.random() * rowsOfEach)];
}

async function expectWhole({ settle, plain }: World, tally: Tally): Promise<void> {
  while ((await settle.list({ outcome: 'open' })).transactions.length > 0);
  let sum = 0;
  for (const [side, pool] of plain.entries()) {
    expect(await undoRows(pool)).toBe(0);
    const { rows } = await pool.query('select id, cents, version from account order by id');
    for (const row of rows) {
      sum += Number(row.cents);
      const key = `${side}/${row.id}`;
      expect(`${key} ${row.version}`).toBe(`${key} ${tally.changes.get(key) ?? 0}`);
    }
  }
  expect(sum).toBe(2 * rowsOfEach * cents);
}

function report(what: string, tally: Tally): void {
  const { committed, conflicts, rolledBack, longestMs, startedMs } = tally;
  const lasted = (performance.now() - startedMs) / 1000;
  const perSecond = Math.round(committed / lasted);
  const figures = {
    what,
    seconds: Math.round(lasted),
    committed,
    perSecond,
    conflicts,
    rolledBack,
  };
  const line = JSON.stringify({ ...figures, longestMs: Math.round(longestMs) });
  process.stdout.write(`${line}\n`);
}
