/**
 * Crash points: every effect of a process may be its last, before it, after it, or after it with the
 * reply lost. Each (effect, moment) that has been hit is counted, so that a run can prove its coverage.
 */
import type { Process, World } from './world.ts';

export type Moment = 'before' | 'after' | 'lostReply';

/** What may be the last thing that a process did. */
export interface CrashPoints {
  /** Draws whether the process dies here; if so it is dead when this returns true. */
  at(process: Process, boundary: string, kinds: readonly string[], moment: Moment): boolean;
  /** Hits by triple. */
  hits(): ReadonlyMap<string, number>;
  isOn: boolean;
}

/** Every triple that exists: boundary, kind, moment. */
export const allTriples: readonly string[] = [
  ...[
    'begun',
    'submitted',
    'registered',
    'decided:commit',
    'decided:rollback',
    'done',
    'attempted',
    'attention',
  ].map((kind) => `append/${kind}`),
  ...['try', 'confirm', 'cancel', 'run', 'undo'].map((kind) => `operation/${kind}`),
  ...['begin', 'register', 'try', 'decide', 'submit'].map((kind) => `request/${kind}`),
].flatMap((effect) => ['before', 'after', 'lostReply'].map((moment) => `${effect}/${moment}`));

/** `died` is told of each death, after it. */
export function createCrashPoints(
  world: World,
  rate: () => number,
  died: (process: Process) => void,
): CrashPoints {
  const hits = new Map<string, number>();
  const dice = world.dice('crash');
  const points: CrashPoints = {
    isOn: true,
    hits: () => hits,
    at(process, boundary, kinds, moment) {
      if (!points.isOn || !process.isAlive || !dice.chance(rate())) return false;
      for (const kind of new Set(kinds)) {
        const triple = `${boundary}/${kind}/${moment}`;
        hits.set(triple, (hits.get(triple) ?? 0) + 1);
      }
      world.note(`${process.name} crashes: ${boundary} ${[...new Set(kinds)].join(',')} ${moment}`);
      world.kill(process);
      died(process);
      return true;
    },
  };
  return points;
}
