/**
 * Load for one round: as many transactions at once as there are places (closed loop), or by a
 * timetable (open loop), which goes on however the transactions before fared. Counts as the
 * product's load.ts does, without a promise for each transaction: every one that was started is
 * counted, and its latency runs from the moment at which it should have started.
 */
import { createHistogram, type Histogram } from '../histogram.ts';
import type { RoundReport, WorkerSettings } from '../messages.ts';

/** Rounds, one after another. */
export interface Load {
  /** Starts a round; `over` hears its report once everything that was started has ended. */
  run(seconds: number, over: (report: RoundReport) => void): void;
  /** The transaction of this place has ended. */
  ended(place: number): void;
}

interface Round {
  readonly beganAtMs: number;
  readonly endsAtMs: number;
  /** Of an open loop: how many its timetable has. */
  readonly total: number;
  readonly histogram: Histogram;
  readonly clock: NodeJS.Timeout | null;
  readonly over: (report: RoundReport) => void;
  started: number;
  ended: number;
}

/** `start` begins a transaction on a place. */
export function createLoad(
  { inflight, ratePerSecond }: WorkerSettings,
  start: (place: number) => void,
): Load {
  const perMs = ratePerSecond === null ? null : ratePerSecond / 1_000;
  const free = Array.from({ length: inflight }, (_, place) => place);
  const dueAtMs = new Float64Array(inflight);
  let round: Round | null = null;

  function begin(open: Round, place: number, atMs: number): void {
    open.started += 1;
    dueAtMs[place] = atMs;
    start(place);
  }

  /** The n-th one is due n / rate after the beginning; whatever is due and has room is started. */
  function startDue(open: Round, rate: number): void {
    const due = Math.floor((performance.now() - open.beganAtMs) * rate) + 1;
    for (let place = free.pop(); place !== undefined; place = free.pop()) {
      if (open.started >= Math.min(due, open.total)) {
        free.push(place);
        return;
      }
      begin(open, place, open.beganAtMs + open.started / rate);
    }
  }

  function report({ histogram, beganAtMs, clock, over }: Round, nowMs: number): void {
    if (clock !== null) clearInterval(clock);
    round = null;
    over({
      transactions: histogram.count,
      refused: 0,
      failed: 0,
      firstError: null,
      seconds: (nowMs - beganAtMs) / 1_000,
      latencies: histogram.buckets(),
    });
  }

  return {
    run(seconds, over) {
      const beganAtMs = performance.now();
      const open: Round = {
        beganAtMs,
        endsAtMs: beganAtMs + seconds * 1_000,
        total: perMs === null ? 0 : Math.floor(seconds * 1_000 * perMs),
        histogram: createHistogram(),
        clock: perMs === null ? null : setInterval(() => startDue(open, perMs), 1),
        over,
        started: 0,
        ended: 0,
      };
      round = open;
      if (perMs !== null) startDue(open, perMs);
      else for (const place of free.splice(0)) begin(open, place, beganAtMs);
    },
    ended(place) {
      if (round === null) throw new Error('a transaction ended outside of a round');
      const nowMs = performance.now();
      round.ended += 1;
      round.histogram.add((nowMs - (dueAtMs[place] ?? nowMs)) * 1_000);
      if (perMs === null && nowMs < round.endsAtMs) return begin(round, place, nowMs);
      free.push(place);
      if (perMs !== null) startDue(round, perMs);
      const isLast = perMs === null ? free.length === inflight : round.ended === round.total;
      if (isLast) report(round, nowMs);
    },
  };
}
