/**
 * The killer: kill -9 of coordinator, participants and initiators in turn, spread over the run.
 * Invariant: every kill hits work in flight. For that the transfers are released in slices: a kill
 * comes in the middle of one, and only then the next slice is released.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../runtime/random.ts';
import { banks, tellers } from './workload.ts';

/** Name of the coordinator among the children. */
export const coordinatorName = 'coordinator';

/** One kill. */
export interface Kill {
  readonly target: string;
  /** It comes once so many transfers have been answered. */
  readonly atAnswered: number;
  /** Up to here transfers may be started before it. */
  readonly released: number;
  /** So long the target stays dead. */
  readonly deadMs: number;
}

/** What the killer needs of the demo. */
export interface Victims {
  /** Resolves when so many transfers have been answered. */
  answered(count: number): Promise<void>;
  release(released: number): void;
  kill(kill: Kill): Promise<void>;
  restart(target: string): void;
}

/** Each target once in this order, then again. */
const targets = [
  coordinatorName,
  banks[0],
  tellers[0],
  coordinatorName,
  banks[1],
  tellers[1],
  coordinatorName,
  banks[2],
  tellers[0],
];
/** One round over the targets, and one kill more for so many transfers beyond the first thousand. */
const transfersPerKill = 1_000;
const deadMsMax = 400;

/** The kills of a run, in order. */
export function planKills(transfers: number, random: Random): readonly Kill[] {
  const extra = Math.max(0, Math.floor(transfers / transfersPerKill) - 1);
  const count = targets.length + extra;
  const slice = transfers / (count + 1);
  return Array.from({ length: count }, (_, number) => ({
    target: targets[number % targets.length] ?? coordinatorName,
    atAnswered: Math.floor(slice * (number + 0.5)),
    released: Math.ceil(slice * (number + 1)),
    deadMs: Math.floor(random.next() * deadMsMax),
  }));
}

/** Carries the plan out, then releases all transfers. Does not wait until a target is ready again. */
export async function runNemesis(
  kills: readonly Kill[],
  transfers: number,
  victims: Victims,
): Promise<void> {
  for (const kill of kills) {
    victims.release(kill.released);
    await victims.answered(kill.atAnswered);
    await victims.kill(kill);
    await pause(kill.deadMs, undefined, { ref: false });
    victims.restart(kill.target);
  }
  victims.release(transfers);
}
