/**
 * Progress while the demo runs, on stderr: one live line on a terminal, a line now and then
 * elsewhere. Results are not shown here.
 */
import type { Tally } from './messages.ts';

/** Shows progress until it is ended. */
export interface Progress {
  /** A line that stays, above the live one. */
  say(line: string): void;
  /** No more lines; the live one is wiped. */
  end(): void;
}

/** Where progress goes; `process.stderr` is one. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const barWidth = 24;
const liveMs = 100;
const plainMs = 5_000;
const wipe = '\r\u001b[2K';

/** Starts to show `total()` of `transfers`. */
export function showProgress(
  stream: ProgressStream,
  transfers: number,
  total: () => Tally,
): Progress {
  const isLive = stream.isTTY === true;
  const startedAt = performance.now();
  let seconds = 0;
  const line = (): string => {
    const tally = total();
    // The rate stands still once all are answered; then only the abandoned ones are waited for.
    if (tally.answered < transfers) seconds = (performance.now() - startedAt) / 1_000;
    return progressLine(tally, transfers, seconds, isLive);
  };
  const timer = setInterval(
    () => {
      if (isLive) stream.write(`${wipe}${line().slice(0, (stream.columns ?? 80) - 1)}`);
      else stream.write(`${line()}\n`);
    },
    isLive ? liveMs : plainMs,
  );
  return {
    say(text) {
      stream.write(isLive ? `${wipe}${text}\n` : `${text}\n`);
    },
    end() {
      clearInterval(timer);
      if (isLive) stream.write(wipe);
    },
  };
}

/** Such as `[######------] 500/1000  480 committed  15 rolled back  5 abandoned  812/s`. */
export function progressLine(
  tally: Tally,
  transfers: number,
  seconds: number,
  hasBar: boolean,
): string {
  const { answered, committed, rolledBack, abandoned } = tally;
  const full = Math.floor((answered / transfers) * barWidth);
  const bar = hasBar ? `[${'#'.repeat(full)}${'-'.repeat(barWidth - full)}] ` : '';
  const rate = seconds > 0 ? Math.round(answered / seconds) : 0;
  const counts = `${committed} committed  ${rolledBack} rolled back  ${abandoned} abandoned`;
  return `${bar}${answered}/${transfers}  ${counts}  ${rate}/s`;
}
