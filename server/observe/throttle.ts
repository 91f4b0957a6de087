/** Keeps a fault that repeats a thousand times a second from filling the operator's log. */
import type { Clock } from '../runtime/clock.ts';

const intervalMs = 1_000;

/**
 * Calls `write` at once for the first detail, then at most once a second with the newest one and
 * the number of those left out since.
 */
export function throttled(
  clock: Clock,
  write: (detail: string, leftOut: number) => void,
): (detail: string) => void {
  let lastMs = Number.NEGATIVE_INFINITY;
  let leftOut = 0;
  return (detail) => {
    const nowMs = clock.nowMs();
    // A clock that was set back must not silence us.
    if (nowMs >= lastMs && nowMs - lastMs < intervalMs) {
      leftOut += 1;
      return;
    }
    write(detail, leftOut);
    lastMs = nowMs;
    leftOut = 0;
  };
}
