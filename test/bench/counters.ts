/**
 * What the coordinator itself counts, read from /metrics before and after a round. Invariant: a
 * reading is taken when nothing is open any more, so that all the work of a round is in it.
 */
import { setTimeout as pause } from 'node:timers/promises';

/** Counters since the coordinator's start, all modes together. */
export interface Counters {
  readonly begun: number;
  readonly finished: number;
  /** Commits that somebody on an initiator's path waited for. */
  readonly durableWaits: number;
  readonly commits: number;
  readonly rows: number;
}

const quietMsMax = 15_000;
const pollMs = 20;

/**
 * The counters once every transaction has finished and every row is written, or after 15 s. `held`:
 * so many are open and are meant to be.
 */
export async function quietCounters(url: string, held = 0): Promise<Counters> {
  const endsAtMs = performance.now() + quietMsMax;
  for (;;) {
    const text = await metricsText(url);
    const isQuiet =
      sumOf(text, 'settle_open_transactions') <= held &&
      sumOf(text, 'settle_log_pending_rows') === 0;
    if (isQuiet || performance.now() > endsAtMs) return countersIn(text);
    await pause(pollMs);
  }
}

/** What the coordinator counts, in the exposition format. Throws when it does not answer. */
export async function metricsText(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}

/** Counters of one text in the exposition format. */
export function countersIn(text: string): Counters {
  return {
    begun: sumOf(text, 'settle_transactions_begun_total'),
    finished: sumOf(text, 'settle_transactions_finished_total'),
    durableWaits: sumOf(text, 'settle_durable_waits_total'),
    commits: sumOf(text, 'settle_log_commits_total'),
    rows: sumOf(text, 'settle_log_rows_total'),
  };
}

/** The sum of one metric over all its labels; 0 when it is not there. */
export function sumOf(text: string, name: string): number {
  let sum = 0;
  for (const line of text.split('\n')) {
    const isSample = line.startsWith(`${name} `) || line.startsWith(`${name}{`);
    if (isSample) sum += Number(line.slice(line.lastIndexOf(' ') + 1));
  }
  return sum;
}
