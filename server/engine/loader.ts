/**
 * Reads transactions back: one by one when somebody asks, all open ones at start (recovery), paced so
 * that participants are not flooded by what they are owed.
 */
import type { Gid } from '../../client-sdk/protocol/index.ts';
import { backoffMs } from '../core/backoff.ts';
import type { LogRow, TransactionLog } from '../log/log.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { type Replayed, replay } from './codec.ts';
import { engineLimits } from './limits.ts';

/** What the loader needs. */
export interface LoaderPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: TransactionLog;
  readonly isStopped: () => boolean;
  /** Epoch of this coordinator's term. */
  readonly epoch: () => number;
  /**
   * A row of a later term was seen: this term is over. What such a row belongs to must not be taken
   * up, for a later term relies on nobody else asking the steps of the sagas that it has begun.
   */
  readonly sawLaterTerm: () => void;
}

/** What was read of a gid, or that the log could not be read. */
export type Loaded = (replayed: Replayed | 'unavailable') => void;

/** Reads transactions back. */
export interface Loader {
  /** Reads one gid; those asked in one tick share one read. `isVital`: repeats until it succeeds. */
  load(gid: Gid, isVital: boolean, loaded: Loaded): void;
  /** Pages through the open gids, so many a second. */
  recover(perSecond: number, recovery: Recovery): void;
}

/** Who takes up what recovery reads. */
export interface Recovery {
  /** A page is about to be read: what ends from now on may still be seen open in it. */
  readonly started: () => void;
  /** Each open gid, once. */
  readonly found: (gid: Gid, replayed: Replayed) => void;
  /** All pages have been read. */
  readonly finished: () => void;
}

interface Wish {
  readonly gid: Gid;
  readonly isVital: boolean;
  readonly loaded: Loaded;
  attempts: number;
}

/** A loader over the log. */
export function createLoader(ports: LoaderPorts): Loader {
  const { clock, random, log } = ports;
  let wishes: Wish[] = [];

  function add(wish: Wish): void {
    wishes.push(wish);
    if (wishes.length === 1) clock.soon(readAll);
  }

  function readAll(): void {
    const all = wishes;
    wishes = [];
    for (let from = 0; from < all.length; from += engineLimits.readGidsMax) {
      read(all.slice(from, from + engineLimits.readGidsMax));
    }
  }

  function read(batch: readonly Wish[]): void {
    log.read([...new Set(batch.map((wish) => wish.gid))]).then(
      (rows) => {
        if (isOver(rows)) return;
        const byGid = grouped(rows);
        for (const wish of batch) wish.loaded(replay(byGid.get(wish.gid) ?? []));
      },
      () => {
        for (const wish of batch) failed(wish);
      },
    );
  }

  function isOver(rows: readonly LogRow[]): boolean {
    const isLater = rows.some((row) => row.epoch > ports.epoch());
    if (isLater && !ports.isStopped()) ports.sawLaterTerm();
    return isLater;
  }

  function failed(wish: Wish): void {
    if (!wish.isVital) {
      wish.loaded('unavailable');
      return;
    }
    wish.attempts += 1;
    clock.after(backoffMs(wish.attempts, engineLimits.logRetry, random.next()), () => {
      if (!ports.isStopped()) add(wish);
    });
  }

  function recover(perSecond: number, { started, found, finished }: Recovery): void {
    const pageSize = Math.min(engineLimits.readGidsMax, Math.max(1, Math.ceil(perSecond / 20)));
    let attempts = 0;
    // A timetable, so that the time that reading takes does not slow it down further.
    let dueMs = clock.monotonicMs();
    const page = async (afterGid: Gid): Promise<void> => {
      if (ports.isStopped()) return;
      started();
      const gids = await log.openGids(afterGid, pageSize);
      const rows = gids.length === 0 ? [] : await log.read(gids);
      if (ports.isStopped() || isOver(rows)) return;
      const byGid = grouped(rows);
      for (const gid of gids) found(gid, replay(byGid.get(gid) ?? []));
      attempts = 0;
      const last = gids.at(-1);
      if (last === undefined || gids.length < pageSize) finished();
      else {
        dueMs = Math.max(dueMs + (gids.length / perSecond) * 1000, clock.monotonicMs());
        clock.after(dueMs - clock.monotonicMs(), () => run(last));
      }
    };
    const run = (afterGid: Gid): void => {
      page(afterGid).catch(() => {
        attempts += 1;
        const delayMs = backoffMs(attempts, engineLimits.logRetry, random.next());
        clock.after(delayMs, () => run(afterGid));
      });
    };
    run('');
  }

  return {
    load: (gid, isVital, loaded) => add({ gid, isVital, loaded, attempts: 0 }),
    recover,
  };
}

function grouped(rows: readonly LogRow[]): Map<Gid, LogRow[]> {
  const byGid = new Map<Gid, LogRow[]>();
  for (const row of rows) {
    const own = byGid.get(row.gid);
    if (own === undefined) byGid.set(row.gid, [row]);
    else own.push(row);
  }
  return byGid;
}
