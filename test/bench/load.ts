/**
 * One round of load from one process: starts transactions, in a closed loop or by a timetable, and
 * counts how they end. What a transaction is, it does not know. Invariant: every transaction that
 * was started is counted once, and its latency runs from when it should have started, so that a
 * slow moment is not left out because it held up the ones after it (coordinated omission).
 */
import { createHistogram } from './histogram.ts';
import type { LoadOptions, RoundReport } from './messages.ts';
import { createTenths } from './tenths.ts';

/** How a transaction ended. `wished`: as it was meant to, a planned rollback included. */
export type Ending = 'wished' | 'refused' | { readonly error: string; readonly isUnknown: boolean };

/** Runs one transaction to its end; numbers count up from 0 over all rounds. Never rejects. */
export type Attempt = (number: number) => Promise<Ending>;

/** Runs rounds one after another. */
export interface Load {
  /** Starts transactions for so long, then waits for the last one's end. */
  round(seconds: number, options?: LoadOptions): Promise<RoundReport>;
}

/** Load made of this attempt; `usual` is what a round without options gets. */
export function createLoad(attempt: Attempt, usual: LoadOptions): Load {
  let started = 0;
  return {
    async round(seconds, { inflight, ratePerSecond, patienceMs } = usual) {
      const tally = createTally();
      const endsAtMs = tally.startedAtMs + seconds * 1_000;
      const one = async (dueAtMs: number): Promise<void> => {
        tally.count(await attempt(started++), dueAtMs);
      };
      if (ratePerSecond === null) await closedLoop(one, inflight, endsAtMs);
      else {
        const perMs = ratePerSecond / 1_000;
        const giveUp = () => tally.giveUp();
        await openLoop(one, {
          inflight,
          perMs,
          seconds,
          patienceMs: patienceMs ?? Infinity,
          giveUp,
        });
      }
      return tally.report();
    },
  };
}

type One = (dueAtMs: number) => Promise<void>;

async function closedLoop(one: One, inflight: number, endsAtMs: number): Promise<void> {
  const lane = async (): Promise<void> => {
    for (let nowMs = performance.now(); nowMs < endsAtMs; nowMs = performance.now()) {
      await one(nowMs);
    }
  };
  await Promise.all(Array.from({ length: inflight }, lane));
}

interface Timetable {
  readonly inflight: number;
  readonly perMs: number;
  readonly seconds: number;
  readonly patienceMs: number;
  /** Told of each one that is never started. */
  readonly giveUp: () => void;
}

/** The n-th one is due n / rate after the beginning; whatever is due and has room is started. */
function openLoop(one: One, timetable: Timetable): Promise<void> {
  const { inflight, perMs, seconds, patienceMs, giveUp } = timetable;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const beganAtMs = performance.now();
  const total = Math.floor(seconds * 1_000 * perMs);
  let started = 0;
  let ended = 0;

  function startDue(): void {
    const nowMs = performance.now();
    const due = Math.min(total, Math.floor((nowMs - beganAtMs) * perMs) + 1);
    while (started < due) {
      const dueAtMs = beganAtMs + started / perMs;
      if (started - ended < inflight) one(dueAtMs).then(oneEnded, reject);
      else if (nowMs - dueAtMs > patienceMs) {
        ended += 1;
        giveUp();
      } else return;
      started += 1;
    }
    if (ended === total) resolve();
  }
  function oneEnded(): void {
    ended += 1;
    startDue();
  }
  const clock = setInterval(startDue, 1);
  startDue();
  return promise.finally(() => clearInterval(clock));
}

interface Tally {
  readonly startedAtMs: number;
  count(ending: Ending, dueAtMs: number): void;
  giveUp(): void;
  report(): RoundReport;
}

function createTally(): Tally {
  const histogram = createHistogram();
  const startedAtMs = performance.now();
  let lastCountAtMs = startedAtMs;
  let refused = 0;
  let failed = 0;
  let givenUp = 0;
  let unknown = 0;
  const wished = createTenths();
  let firstError: string | null = null;
  return {
    startedAtMs,
    count(ending, dueAtMs) {
      lastCountAtMs = performance.now();
      if (ending === 'wished') {
        histogram.add((lastCountAtMs - dueAtMs) * 1_000);
        wished.add(lastCountAtMs - startedAtMs);
      } else if (ending === 'refused') {
        refused += 1;
      } else {
        failed += 1;
        if (ending.isUnknown) unknown += 1;
        firstError ??= ending.error;
      }
    },
    giveUp() {
      refused += 1;
      givenUp += 1;
    },
    report: () => ({
      transactions: histogram.count,
      refused,
      givenUp,
      unknown,
      wishedPerTenth: wished.counts(),
      failed,
      firstError,
      seconds: (lastCountAtMs - startedAtMs) / 1_000,
      latencies: histogram.buckets(),
    }),
  };
}
