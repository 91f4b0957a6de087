/**
 * One timer for the time limits of all requests of a client: hardly any of them ever passes, and a
 * timer for each would cost 0.3 µs to make and to clear. Guards: nobody is told before its time, and
 * everybody at most `slackMs` after it.
 */

/** Something whose time ends. */
export interface Limited {
  /** On the clock of `performance.now()`. */
  readonly endsAtMs: number;
}

/** The timer. */
export interface Deadlines {
  /** Makes sure that the timer goes off by this time. */
  watch(limited: Limited): void;
  /** No timer stays. */
  stop(): void;
}

/** How late a limit may be noticed, so that many close ones share a look at all that wait. */
const slackMs = 5;

/** Node's timers take no longer delay. */
const timerMsMax = 2_147_483_647;

/**
 * `expire` is told the time; it ends all whose time is over, and gives back when the next one of
 * the others ends (Infinity when there is none). The timer keeps no process alive: what waits for
 * answers has a connection, or a timer for the next one, that does.
 */
export function createDeadlines(expire: (nowMs: number) => number): Deadlines {
  let timer: NodeJS.Timeout | undefined;
  let firesAtMs = Number.POSITIVE_INFINITY;

  function arm(atMs: number, nowMs: number): void {
    clearTimeout(timer);
    firesAtMs = atMs;
    // Rounded up: Node may fire a timer a fraction of a millisecond early.
    const delayMs = Math.min(Math.ceil(atMs - nowMs) + 1, timerMsMax);
    timer = setTimeout(look, delayMs).unref();
  }

  function look(): void {
    const nowMs = performance.now();
    firesAtMs = Number.POSITIVE_INFINITY;
    const nextAtMs = expire(nowMs);
    if (nextAtMs < firesAtMs) arm(Math.max(nextAtMs, nowMs + slackMs), nowMs);
  }

  return {
    watch({ endsAtMs }) {
      if (endsAtMs < firesAtMs) arm(endsAtMs, performance.now());
    },
    stop() {
      clearTimeout(timer);
      firesAtMs = Number.POSITIVE_INFINITY;
    },
  };
}
