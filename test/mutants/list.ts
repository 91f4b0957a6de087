/** All mutants, in the order in which they are tried. */

import { callMutants } from './call-mutants.ts';
import { coreMutants } from './core-mutants.ts';
import { deadlockMutants } from './deadlock-mutants.ts';
import { guardMutants } from './guard-mutants.ts';
import { kindMutants } from './kind-mutants.ts';
import { logMutants } from './log-mutants.ts';
import { mailboxMutants } from './mailbox-mutants.ts';
import type { Mutant } from './mutant.ts';
import { mysqlMutants } from './mysql-mutants.ts';
import { participantMutants } from './participant-mutants.ts';
import { resourceMutants } from './resource-mutants.ts';
import { termMutants } from './term-mutants.ts';

/** The list; names are unique. */
export const mutants: readonly Mutant[] = [
  ...coreMutants,
  ...kindMutants,
  ...mailboxMutants,
  ...callMutants,
  ...termMutants,
  ...logMutants,
  ...participantMutants,
  ...resourceMutants,
  ...mysqlMutants,
  ...deadlockMutants,
  ...guardMutants,
];
