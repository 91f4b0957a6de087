/**
 * Crash points: every effect of a process may be its last, before it, after it, or after it with the
 * reply lost. Each (effect, moment) that has been hit is counted, so that a run can prove its coverage.
 */
import type { Faults } from './faults.ts';
import type { Swarm } from './swarm.ts';
import type { Process, World } from './world.ts';

/** When, seen from the effect. */
export type Moment = 'before' | 'after' | 'lostReply';

const requests = ['begin', 'register', 'try', 'decide', 'submit'];

/** Boundaries at which processes die, and what happens there. */
const kindsByBoundary: Readonly<Record<string, readonly string[]>> = {
  /** A coordinator writes records. */
  append: [
    'begun',
    'submitted',
    'registered',
    'decided:commit',
    'decided:rollback',
    'done',
    'attempted',
    'attention',
  ],
  /** A participant performs an operation. */
  operation: ['try', 'confirm', 'cancel', 'run', 'undo', 'prepare', 'commit', 'rollback'],
  /** A coordinator takes and answers a request. */
  request: requests,
  /** An initiator makes a request. */
  initiator: requests,
};

/** Every effect that exists: boundary and kind. */
export const allEffects: readonly string[] = Object.entries(kindsByBoundary).flatMap(
  ([boundary, kinds]) => kinds.map((kind) => `${boundary}/${kind}`),
);

/** Every triple that exists: boundary, kind, moment. */
export const allTriples: readonly string[] = allEffects.flatMap((effect) =>
  ['before', 'after', 'lostReply'].map((moment) => `${effect}/${moment}`),
);

/** An effect that is about to happen or has happened; a batch of appends has several kinds. */
export interface CrashSite {
  readonly boundary: 'append' | 'operation' | 'request' | 'initiator';
  readonly kinds: readonly string[];
  /** The gid that it is about (of a batch: the first). */
  readonly gid: string;
}

/** What may be the last thing that a process did. */
export interface CrashPoints {
  /** Draws whether the process dies here; if so it is dead when this returns true. */
  at(process: Process, site: CrashSite, moment: Moment): boolean;
  /** Hits by triple. */
  hits(): ReadonlyMap<string, number>;
}

/** What crash points need. */
export interface CrashParts {
  readonly world: World;
  readonly swarm: Swarm;
  readonly faults: Faults;
  /** Told of each death, after it. */
  readonly died: (process: Process) => void;
}

/** Crash points by the rates of the seed, more often at the effect that the seed favours. */
export function createCrashPoints(parts: CrashParts): CrashPoints {
  const { world, swarm, faults, died } = parts;
  const hits = new Map<string, number>();
  const slash = swarm.crashFavourite.indexOf('/');
  const favourite = {
    boundary: swarm.crashFavourite.slice(0, slash),
    kind: swarm.crashFavourite.slice(slash + 1),
  };
  return {
    hits: () => hits,
    at(process, { boundary, kinds, gid }, moment) {
      if (!process.isAlive) return false;
      const isFavourite = favourite.boundary === boundary && kinds.includes(favourite.kind);
      const kind = boundary === 'initiator' ? 'abandon' : 'crash';
      const rate = faults.rates()[kind] + (isFavourite ? swarm.crashFavouriteRate : 0);
      const where = `${process.name} dies at ${boundary} of ${kinds[0]}, ${moment}`;
      if (faults.strikes(kind, gid, where, rate) === null) return false;
      for (const each of new Set(kinds)) {
        const triple = `${boundary}/${each}/${moment}`;
        hits.set(triple, (hits.get(triple) ?? 0) + 1);
      }
      world.kill(process);
      died(process);
      return true;
    },
  };
}
