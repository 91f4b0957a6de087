/**
 * The words that SDK, coordinator, logs and console share. One word, one meaning; see docs/concepts.md.
 * This folder imports nothing, so that both sides (and a browser) can use it.
 */

/** Global transaction id: 1..64 of `[A-Za-z0-9._-]`, chosen by the initiator; UUIDv7 text by default. */
export type Gid = string;

/** Number of a branch (in a saga: of a step) in its gid: 1..256, given by the coordinator in order. */
export type BranchId = number;

/** Milliseconds since 1970-01-01 UTC. */
export type EpochMs = number;

/** Any JSON value. Never `undefined`: a missing result is `null`. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** How a global transaction runs: the initiator decides (`transaction`), or the steps do (`saga`). */
export type Mode = 'transaction' | 'saga';

/**
 * What kind of branch takes part in mode `transaction`; kinds mix under one gid. `tcc`: a method of
 * the business with try, confirm and cancel. `at`: one local transaction of one participant's
 * database, whose phase one is its local commit (nobody is asked for it), whose phase two is commit
 * or rollback.
 */
export type BranchKind = 'tcc' | 'at';

/**
 * ```
 * active ──► committing  ──► committed
 *    └─────► rollingBack ──► rolledBack
 * ```
 * Leaving `active` is the decision; it never changes. A saga without a pivot goes from `active` to
 * `committed` at once: its last step is its decision.
 */
export type Phase = 'active' | 'committing' | 'committed' | 'rollingBack' | 'rolledBack';

/** The two things that a decision can say. */
export type Direction = 'commit' | 'rollback';

/** What a participant is asked to do, by the kind of branch: tcc; step of a saga; at. */
export type Operation =
  | 'try'
  | 'confirm'
  | 'cancel'
  | 'run'
  | 'undo'
  /** Take the undo rows of the gid away: what was committed locally stays. */
  | 'commit'
  /** Write the rows back as they were before, and see to it that a late local commit fails. */
  | 'rollback';

/**
 * What a resource may be asked besides: how its rows stand, to resolve dirty ones, who holds rows,
 * whether it has its tables. Bodies and answers are in `undo.ts`.
 */
export type ResourceQuestion = 'inspect' | 'resolve' | 'locks' | 'health';

/**
 * What one process is asked about itself: whether it is there, and whose connections these are.
 * Bodies and answers are in `instance.ts`.
 */
export type InstanceQuestion = 'ping' | 'holders';

/** What is asked of no transaction's share: nothing comes of it. */
export type Question = ResourceQuestion | InstanceQuestion;

/** Who answers for a branch: a method of a service (any live instance), or an HTTP address. */
export type Participant =
  /** A method offered over the channel by any live instance of the service. */
  | { readonly service: string; readonly method: string }
  /** `POST {url}/{operation}`; the origin must be in the coordinator's allow-list. */
  | { readonly url: string };

/** Why the decision was taken. `detail` is for people, at most 512 characters. */
export interface Cause {
  readonly kind: 'initiator' | 'deadline' | 'refused' | 'attempts' | 'completed' | 'operator';
  readonly detail?: string;
  /** The branch that caused it, for `refused` and `attempts`. */
  readonly branchId?: BranchId;
}

/** A human is needed; a flag beside the phase, never a phase. Retries go on all the same. */
export interface Attention {
  readonly reason: 'retries' | 'refused' | 'unreadable';
  readonly branchId: BranchId | null;
  readonly detail: string;
  readonly atMs: EpochMs;
}
