/**
 * Looks through the transactions in memory: all that are open, and those that have ended so lately
 * that the log may not know yet. A bounded number of them in one turn of the event loop, so that
 * 200,000 do not hold up the others' calls. What the conditions are is in conditions.ts.
 */
import type { Transaction } from '../core/transaction.ts';
import { byPlace, type Order, type Page, type Place, placeOf } from '../log/log.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Fits } from './conditions.ts';
import { engineLimits } from './limits.ts';
import type { Mailbox } from './mailbox.ts';
import { isDoubtful, shownTx } from './shown.ts';

/** A transaction in memory that fits. */
export interface Found extends Place {
  readonly tx: Transaction;
  readonly mailbox: Mailbox;
}

/** What was found. */
export interface Scan {
  /** The first `limit` of them after `before`. */
  readonly page: Page<Found>;
  /** All that fit, wherever they stand. */
  readonly total: number;
  /** True: one of them was being read anew, and is not in the page. */
  readonly isDoubtful: boolean;
}

/** What to look for. */
export interface ScanWish {
  readonly fits: Fits;
  readonly order: Order;
  readonly limit: number;
  readonly before?: Place | undefined;
}

/** Where to look. */
export interface ScanPorts {
  readonly clock: Clock;
  /** Of this moment; what comes later is not looked at. */
  readonly mailboxes: readonly Mailbox[];
}

/** Calls `done` once: in this call when there are few, else some turns later. */
export function scanOpen(ports: ScanPorts, wish: ScanWish, done: (scan: Scan) => void): void {
  const { clock, mailboxes } = ports;
  const sieve = createSieve(wish);
  let [at, total, doubtful] = [0, 0, 0];
  const turn = (): void => {
    const end = Math.min(mailboxes.length, at + engineLimits.scannedPerTurn);
    for (; at < end; at += 1) {
      const mailbox = mailboxes[at];
      if (mailbox === undefined) break;
      if (isDoubtful(mailbox)) doubtful += 1;
      const tx = mailbox.state === 'ready' ? shownTx(mailbox) : null;
      if (tx === null || !wish.fits(tx, mailbox.calls.values())) continue;
      total += 1;
      sieve.take({ startedAtMs: tx.startedAtMs, gid: tx.gid, tx, mailbox });
    }
    if (at < mailboxes.length) clock.soon(turn);
    else done({ page: sieve.page(), total, isDoubtful: doubtful > 0 });
  };
  turn();
}

/** Keeps the first ones without sorting all: when four times as many are there, the rest goes. */
function createSieve({ order, limit, before }: ScanWish) {
  const compare = byPlace(order);
  const sizeMax = Math.max(1_000, 4 * (limit + 1));
  let kept: Found[] = [];
  let worst: Found | undefined;
  const shake = (): void => {
    kept = kept.sort(compare).slice(0, limit + 1);
    worst = kept.length > limit ? kept.at(-1) : undefined;
  };
  return {
    take(found: Found): void {
      if (before !== undefined && compare(before, found) >= 0) return;
      if (worst !== undefined && compare(worst, found) < 0) return;
      kept.push(found);
      if (kept.length >= sizeMax) shake();
    },
    page(): Page<Found> {
      shake();
      const rows = kept.slice(0, limit);
      const last = kept.length > limit ? rows.at(-1) : undefined;
      return { rows, next: last === undefined ? null : placeOf(last) };
    },
  };
}
