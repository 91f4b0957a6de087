/** A coordinator for tests of the edge: what a test does not give must not be called. */
import type { Coordinator } from '../../server/engine/coordinator.ts';

/** Every method throws, except those given. */
export function unusedCoordinator(used: Partial<Coordinator> = {}): Coordinator {
  const unused = (): never => {
    throw new Error('the test did not expect this request');
  };
  return {
    begin: unused,
    register: unused,
    tryBranch: unused,
    decide: unused,
    submit: unused,
    get: unused,
    list: unused,
    reportWaits: unused,
    undo: unused,
    resolve: unused,
    locks: unused,
    health: unused,
    openParticipants: unused,
    operate: unused,
    matching: unused,
    stats: unused,
    census: unused,
    owed: unused,
    pulse: unused,
    lockWaits: unused,
    reportedWaits: unused,
    openOnes: unused,
    watch: unused,
    verify: unused,
    ...used,
  };
}
