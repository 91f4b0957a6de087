/**
 * Spans of one local transaction of a resource: what it does besides the user's own statements, which
 * is where it may wait (for a connection, for global locks, for the disk). Without a tracer there are none.
 */
import type { BranchId, Gid, Tracer } from '../protocol/index.ts';
import { inSpan } from '../spans.ts';

/**
 * `begin`: a connection of the pool, and a local transaction on it. `commit`: the local commit as a
 * branch, with the undo rows, which are the global locks. `prepare`: those by themselves, where
 * somebody was in the way or the database cannot do both at once. `commitAlone`: without the coordinator,
 * because no other database takes part. `rollback`: taken back before its commit.
 */
export type LocalStep = 'begin' | 'prepare' | 'commit' | 'commitAlone' | 'rollback';

/** Makes the spans of one local transaction. */
export class LocalSpans {
  readonly #tracer: Tracer;
  readonly #gid: Gid;
  readonly #resource: string;

  constructor(tracer: Tracer, gid: Gid, resource: string) {
    this.#tracer = tracer;
    this.#gid = gid;
    this.#resource = resource;
  }

  /** Does the step as a span. `branchId` null: it is no branch, or not yet. */
  step<T>(step: LocalStep, branchId: BranchId | null, work: () => Promise<T>): Promise<T> {
    const attributes = {
      'settle.gid': this.#gid,
      'settle.resource': this.#resource,
      ...(branchId === null ? {} : { 'settle.branch_id': branchId }),
    };
    const name = `settle.local ${step}`;
    return inSpan(this.#tracer, { name, kind: 'internal', attributes }, work);
  }
}
