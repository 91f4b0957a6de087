/**
 * Writers who move money between few rows of two databases, with rollbacks among them, and what must
 * hold afterwards, looked at past Settle: no update is lost, nothing is written over what is not
 * decided, no lock is left. Which databases these are, `hot-databases.ts` hides.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { expect } from 'vitest';
import { type Settle, SettleError } from '../../client-sdk/index.ts';
import type { Provided } from '../support/databases.ts';
import {
  centsOfEach,
  type HotDatabase,
  lockTimeoutMs,
  rowsOfEach,
  startHotDatabase,
} from './hot-databases.ts';
import { startService } from './world.ts';

/** Two databases under one service. */
export interface HotWorld {
  readonly settle: Settle;
  readonly sides: readonly [HotDatabase, HotDatabase];
}

/** A row: its database and its id. */
type Place = readonly [side: 0 | 1, id: number];

/** One move between two rows. */
export interface Move {
  readonly from: Place;
  readonly to: Place;
  /** Ends with a rollback of what is committed locally by then. */
  readonly fails: boolean;
}

/** What was done, and how long the longest waits were. */
export interface Tally {
  committed: number;
  conflicts: number;
  rolledBack: number;
  /** Of one statement. */
  longestMs: number;
  /** Of one end: local commits, with the waits for the decisions of others, and the own decision. */
  longestEndMs: number;
  readonly startedMs: number;
  /** Committed changes by row: `side/id`. */
  readonly changes: Map<string, number>;
}

/** Runs as another service would: with no transaction around. */
const outside = AsyncLocalStorage.snapshot();

/** Empty, and its time begins. */
export function newTally(): Tally {
  const counts = { committed: 0, conflicts: 0, rolledBack: 0, longestMs: 0, longestEndMs: 0 };
  return { ...counts, startedMs: performance.now(), changes: new Map() };
}

/** A service of its own with one new database on each of the servers. */
export async function startHotWorld(
  url: string,
  [first, second]: readonly [Provided, Provided],
): Promise<HotWorld> {
  const settle = await startService(url, `hot-${crypto.randomUUID().slice(0, 8)}`);
  const one = await startHotDatabase(settle, first, 'one');
  const two = await startHotDatabase(settle, second, 'two');
  return { settle, sides: [one, two] };
}

/** One move between two random rows; again under a new gid for as long as somebody else has them. */
export async function moveMoney(world: HotWorld, tally: Tally): Promise<void> {
  const from = randomPlace();
  const to = randomPlace();
  if (from[0] === to[0] && from[1] === to[1]) return;
  const fails = Math.random() < 0.2;
  while (!(await attempt(world, tally, { from, to, fails })));
}

function randomPlace(): Place {
  return [Math.random() < 0.5 ? 0 : 1, 1 + Math.floor(Math.random() * rowsOfEach)];
}

class Planned extends Error {}

/** Answers whether it is over: false after a conflict. */
export async function attempt(world: HotWorld, tally: Tally, move: Move): Promise<boolean> {
  const { from, to, fails } = move;
  let endedMs = Number.POSITIVE_INFINITY;
  try {
    await world.settle.transaction({ timeout: '30s' }, async (tx) => {
      const moved = 1 + Math.floor(Math.random() * 5);
      const taken = () => change(world, tally, { place: from, by: -moved });
      // By another service, so that it is committed locally before it is taken back.
      if (fails) await joined(world, await tx.headers(), taken);
      else await taken();
      await change(world, tally, { place: to, by: moved });
      if (fails) throw new Planned('as planned');
      endedMs = performance.now();
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
  } finally {
    tally.longestEndMs = Math.max(tally.longestEndMs, performance.now() - endedMs);
  }
}

async function joined(
  { settle }: HotWorld,
  headers: Readonly<Record<string, string>>,
  work: () => Promise<void>,
): Promise<void> {
  await outside(() => settle.join(headers, work));
}

interface Change {
  readonly place: Place;
  readonly by: number;
}

/**
 * Reads under a lock and writes what it has computed: an update that is lost, or an image that is
 * not of the row that was updated, would be seen. As often in one statement, whose row may be free:
 * then the local transaction ends without another look.
 */
async function change(world: HotWorld, tally: Tally, { place, by }: Change): Promise<void> {
  const [side, id] = place;
  const database = world.sides[side];
  if (Math.random() < 0.5) {
    const added = await timed(tally, () => database.add(id, by));
    if (added !== 1) throw new Error(`row ${side}/${id} is gone`);
    return;
  }
  const { cents, version } = await timed(tally, () => database.take(id));
  const changed = { id, cents: cents + by, version: version + 1 };
  const count = await timed(tally, () => database.set(changed));
  if (count !== 1) throw new Error(`row ${side}/${id} changed under a lock`);
}

async function timed<T>(tally: Tally, work: () => Promise<T>): Promise<T> {
  const startedMs = performance.now();
  try {
    return await work();
  } finally {
    tally.longestMs = Math.max(tally.longestMs, performance.now() - startedMs);
  }
}

/**
 * What a busy machine adds to a wait. In PostgreSQL each new version of a row has a queue of its own,
 * and a wait for it its own time-out: of 16 clients on one row, at 16 commits a second, one waited
 * 12 s, in pieces of less than the time-out. A deadlock that nobody ends takes 30 s, the deadline.
 */
const busyMs = 20_000;

/** Waits until all are over; then each row has as many changes as were committed, and no lock. */
export async function expectWhole({ settle, sides }: HotWorld, tally: Tally): Promise<void> {
  for (;;) {
    const { transactions } = await settle.list({ outcome: 'open', limit: 500 });
    expect(transactions.filter(({ attention }) => attention !== null)).toEqual([]);
    if (transactions.length === 0) break;
  }
  let sum = 0;
  for (const [side, database] of sides.entries()) {
    expect(await database.undoRows()).toBe(0);
    for (const { id, cents, version } of await database.rows()) {
      sum += cents;
      const key = `${side}/${id}`;
      expect(`${key} ${version}`).toBe(`${key} ${tally.changes.get(key) ?? 0}`);
    }
  }
  expect(sum).toBe(2 * rowsOfEach * centsOfEach);
  expect(tally.longestMs).toBeLessThan(lockTimeoutMs + busyMs);
  // Of both databases one after the other.
  expect(tally.longestEndMs).toBeLessThan(2 * lockTimeoutMs + busyMs);
}

/** One line of figures. */
export function report(what: string, tally: Tally): void {
  const { committed, conflicts, rolledBack, longestMs, longestEndMs, startedMs } = tally;
  const seconds = (performance.now() - startedMs) / 1000;
  const line = JSON.stringify({
    ...{ what, seconds: Math.round(seconds), committed },
    ...{ perSecond: Math.round(committed / seconds), conflicts, rolledBack },
    ...{ longestMs: Math.round(longestMs), longestEndMs: Math.round(longestEndMs) },
  });
  process.stdout.write(`${line}\n`);
}
