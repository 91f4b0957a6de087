/**
 * What a seed draws: the size of the world, the load, and the rate of every fault, each of which may
 * be zero. Limits are drawn low on purpose, so that rare paths are common.
 */
import type { Dice } from './world.ts';

/** Probability per message, append or step; 0 switches the fault off. */
export interface FaultRates {
  readonly messageLoss: number;
  readonly messageDuplicate: number;
  readonly messageSlow: number;
  readonly appendFailBefore: number;
  readonly appendFailAfter: number;
  readonly appendLandLater: number;
  readonly appendStall: number;
  readonly readFail: number;
  readonly crash: number;
  readonly participantRefuses: number;
  readonly participantOngoing: number;
  readonly participantSlow: number;
  readonly abandon: number;
  /** Per second of the chaos phase. */
  readonly killPerSecond: number;
  readonly pausePerSecond: number;
  readonly cutPerSecond: number;
  readonly clockStepPerSecond: number;
  readonly takeOverPerSecond: number;
}

/** The name of a fault class, for switching it off while shrinking. */
export type FaultClass = keyof FaultRates;

/** Everything that a seed decides. */
export interface Swarm {
  readonly seed: number;
  readonly transactions: number;
  readonly chaosMs: number;
  readonly participants: number;
  readonly coordinators: number;
  readonly accountsPerBank: number;
  readonly sagaShare: number;
  readonly timeoutMs: number;
  readonly callTimeoutMs: number;
  readonly retryInitialMs: number;
  readonly retryCapMs: number;
  readonly openTransactionsMax: number;
  readonly pendingRowsMax: number;
  readonly recoveryPerSecond: number;
  readonly faults: FaultRates;
}

/** Draws the world of a seed. `off` switches fault classes off without moving any other draw. */
export function drawSwarm(
  seed: number,
  dice: Dice,
  wish: { readonly transactions?: number; readonly off?: ReadonlySet<FaultClass> } = {},
): Swarm {
  const rate = (max: number) => (dice.chance(0.4) ? 0 : dice.next() * max);
  const drawn: FaultRates = {
    messageLoss: rate(0.3),
    messageDuplicate: rate(0.3),
    messageSlow: rate(0.3),
    appendFailBefore: rate(0.3),
    appendFailAfter: rate(0.3),
    appendLandLater: rate(0.2),
    appendStall: rate(0.02),
    readFail: rate(0.2),
    crash: rate(0.02),
    participantRefuses: rate(0.3),
    participantOngoing: rate(0.2),
    participantSlow: rate(0.1),
    abandon: rate(0.2),
    killPerSecond: rate(0.5),
    pausePerSecond: rate(0.3),
    cutPerSecond: rate(0.5),
    clockStepPerSecond: rate(0.1),
    takeOverPerSecond: rate(0.2),
  };
  const faults = Object.fromEntries(
    Object.entries(drawn).map(([name, value]) => [
      name,
      wish.off?.has(name as FaultClass) ? 0 : value,
    ]),
  ) as unknown as FaultRates;
  const transactions = dice.between(5, 40);
  return {
    seed,
    transactions: wish.transactions ?? transactions,
    chaosMs: dice.between(2_000, 15_000),
    participants: dice.between(1, 4),
    coordinators: dice.between(1, 3),
    accountsPerBank: dice.between(1, 5),
    sagaShare: dice.next(),
    timeoutMs: dice.pick([200, 1_000, 5_000, 30_000]),
    callTimeoutMs: dice.pick([100, 500, 2_000]),
    retryInitialMs: dice.pick([5, 50, 100]),
    retryCapMs: dice.pick([100, 1_000, 3_000]),
    openTransactionsMax: dice.pick([2, 10, 1_000]),
    pendingRowsMax: dice.pick([2, 20, 1_000]),
    recoveryPerSecond: dice.pick([20, 200, 5_000]),
    faults,
  };
}
