/**
 * What a seed draws: the size of the world, the load, and the rate of every fault, each of which may
 * be zero. Limits are drawn low on purpose, so that rare paths are common.
 */
import { allEffects } from './crash.ts';
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
  /** Another row has landed in the slot before. */
  readonly appendConflict: number;
  readonly readFail: number;
  readonly readStall: number;
  readonly crash: number;
  /** Forward operations are refused for a business reason. */
  readonly participantRefuses: number;
  /** Confirm, cancel and undo are refused, which they never should be. */
  readonly participantRefusesLate: number;
  readonly participantFails: number;
  readonly participantOngoing: number;
  readonly participantSlow: number;
  /** A participant that dies stays away for long. */
  readonly participantGone: number;
  /** The initiator dies at a request. */
  readonly abandon: number;
  /** A node's clock runs too fast or too slow. */
  readonly clockDrift: number;
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
  /** How many tries the initiator makes itself, past the coordinator. */
  readonly directTryShare: number;
  /** How many branches of a transaction are of kind at. */
  readonly atShare: number;
  /** How many requests go to any node; the others go to the one whose term runs. Looks go anywhere. */
  readonly strayShare: number;
  /** A second node takes over at once, and the first, which has nothing to do, does not notice. */
  readonly isFirstStale: boolean;
  readonly timeoutMs: number;
  readonly callTimeoutMs: number;
  readonly retryInitialMs: number;
  readonly retryCapMs: number;
  readonly attentionAfterAttempts: number;
  readonly attentionAfterMs: number;
  readonly openTransactionsMax: number;
  readonly pendingRowsMax: number;
  readonly recoveryPerSecond: number;
  /** How long reads of the log take at most. */
  readonly readMsMax: number;
  /** The effect at which processes die most, and how often. */
  readonly crashFavourite: string;
  readonly crashFavouriteRate: number;
  /** One bank stays away when all else heals: who has no business with it must not notice. */
  readonly isOneBankGone: boolean;
  readonly faults: FaultRates;
}

/** What of a seed is wished otherwise. */
export interface SwarmWish {
  readonly transactions?: number;
  /** Fault classes that are off; no other draw moves. */
  readonly off?: ReadonlySet<FaultClass>;
}

/** Drawn twice as often, or processes would hardly die there: little comes so far in a wild world. */
const rareEffects = ['append/attempted', 'append/decided:commit', 'operation/commit'];

/** Draws the world of a seed. */
export function drawSwarm(seed: number, dice: Dice, wish: SwarmWish = {}): Swarm {
  const drawn = drawRates(dice);
  const faults = Object.fromEntries(
    Object.entries(drawn).map(([name, value]) => [
      name,
      wish.off?.has(name as FaultClass) ? 0 : value,
    ]),
  ) as unknown as FaultRates;
  const transactions = dice.between(5, 45);
  return {
    seed,
    transactions: wish.transactions ?? transactions,
    chaosMs: dice.between(2_000, 15_000),
    participants: dice.between(1, 4),
    coordinators: dice.between(1, 3),
    accountsPerBank: dice.between(1, 5),
    sagaShare: dice.next(),
    directTryShare: dice.pick([0, 0.3, 1]),
    atShare: dice.pick([0, 0.5, 1]),
    strayShare: dice.pick([0.05, 0.3, 1]),
    isFirstStale: dice.chance(0.3),
    timeoutMs: dice.pick([200, 1_000, 5_000, 30_000]),
    callTimeoutMs: dice.pick([100, 500, 2_000]),
    retryInitialMs: dice.pick([5, 50, 100]),
    retryCapMs: dice.pick([100, 1_000, 3_000]),
    attentionAfterAttempts: dice.pick([1, 3, 10]),
    attentionAfterMs: dice.pick([1_000, 300_000]),
    openTransactionsMax: dice.pick([2, 10, 1_000]),
    pendingRowsMax: dice.pick([2, 20, 1_000]),
    recoveryPerSecond: dice.pick([20, 200, 5_000]),
    readMsMax: dice.pick([3, 50, 500]),
    crashFavourite: dice.pick([...allEffects, ...rareEffects]),
    crashFavouriteRate: faults.crash === 0 ? 0 : dice.next() * 0.5,
    isOneBankGone: dice.chance(0.3),
    faults,
  };
}

/** Most seeds are mild, so that transactions get far; some are wild. */
function drawRates(dice: Dice): FaultRates {
  const intensity = dice.pick([0.1, 0.4, 1]);
  const rate = (max: number) => (dice.chance(0.4) ? 0 : dice.next() * max * intensity);
  return {
    messageLoss: rate(0.3),
    messageDuplicate: rate(0.3),
    messageSlow: rate(0.3),
    appendFailBefore: rate(0.3),
    appendFailAfter: rate(0.3),
    appendLandLater: rate(0.2),
    appendStall: rate(0.02),
    appendConflict: rate(0.05),
    readFail: rate(0.2),
    readStall: rate(0.05),
    crash: rate(0.02),
    participantRefuses: rate(0.3),
    participantRefusesLate: rate(0.3),
    participantFails: rate(0.3),
    participantOngoing: rate(0.2),
    participantSlow: rate(0.1),
    participantGone: rate(0.5),
    abandon: rate(0.1),
    clockDrift: rate(1),
    killPerSecond: rate(0.5),
    pausePerSecond: rate(0.3),
    cutPerSecond: rate(0.5),
    clockStepPerSecond: rate(0.1),
    takeOverPerSecond: rate(0.5),
  };
}
