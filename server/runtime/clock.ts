/** Time and timers as a port: production uses the system's, the simulator its own. */
import type { EpochMs } from '../../client-sdk/protocol/index.ts';

/** Where time comes from. */
export interface Clock {
  /** Wall clock. May jump; only deadlines and timestamps use it. */
  nowMs(): EpochMs;
  /** Never goes back and never jumps; only differences mean anything. For waits and retries. */
  monotonicMs(): number;
  /** Calls back once, no earlier than `delayMs` from now. Returns a function that cancels it (safe to repeat). */
  after(delayMs: number, callback: () => void): () => void;
  /** Calls back after the events that are ready now have been taken (end of the tick). */
  soon(callback: () => void): void;
}

/** The system's clock. Timers don't keep the process alive by themselves. */
export function systemClock(): Clock {
  return {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    after(delayMs, callback) {
      // Node fires at once beyond 2^31-1 ms; the engine's heap re-arms, so a cap is enough.
      const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), 2_147_483_647));
      timer.unref();
      return () => clearTimeout(timer);
    },
    soon: (callback) => void setImmediate(callback),
  };
}
