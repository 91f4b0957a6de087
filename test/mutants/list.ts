/** All mutants, in the order in which they are tried. */

import { coreMutants } from './core-mutants.ts';
import { coordinatorMutants } from './engine-mutants.ts';
import { logMutants } from './log-mutants.ts';
import type { Mutant } from './mutant.ts';
import { participantMutants } from './participant-mutants.ts';

/** The list; names are unique. */
export const mutants: readonly Mutant[] = [
  ...coreMutants,
  ...coordinatorMutants,
  ...logMutants,
  ...participantMutants,
];
