/**
 * How many calls a participant got, tenth of a second by tenth of a second: whether it is flooded
 * shows in the tenths, not in the mean. Costs one look at the clock per call.
 */

/** Counts calls. */
export interface CallCount {
  /** Now. */
  add(): void;
  /** What was counted since the last time, from the first call to the last one; then starts anew. */
  take(): readonly number[];
}

const tenthMs = 100;

/** Nothing counted yet. */
export function createCallCount(nowMs: () => number = () => performance.now()): CallCount {
  let perTenth: number[] = [];
  let beganAtMs = 0;
  return {
    add() {
      if (perTenth.length === 0) beganAtMs = nowMs();
      const index = Math.floor((nowMs() - beganAtMs) / tenthMs);
      while (perTenth.length <= index) perTenth.push(0);
      perTenth[index] = (perTenth[index] ?? 0) + 1;
    },
    take() {
      const taken = perTenth;
      perTenth = [];
      return taken;
    },
  };
}
