/**
 * The state of one global transaction, as `apply` builds it from its records. Plain frozen-by-type
 * data: nothing but `apply` makes a new state.
 */
import type {
  Attention,
  BranchId,
  BranchKind,
  Cause,
  EpochMs,
  Gid,
  Json,
  Participant,
  Phase,
  Traceparent,
} from '../../client-sdk/protocol/index.ts';

interface Common {
  readonly gid: Gid;
  readonly name: string;
  /** Hash of what began it; another content under the same gid is a CONFLICT. */
  readonly content: string;
  /** Term of the coordinator that began it: a later term may not know of calls whose records were lost. */
  readonly epoch: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly phase: Phase;
  readonly cause: Cause | null;
  readonly attention: Attention | null;
  readonly startedAtMs: EpochMs;
  readonly deadlineAtMs: EpochMs | null;
  readonly decidedAtMs: EpochMs | null;
  readonly finishedAtMs: EpochMs | null;
  /** Where it began in the initiator's trace. */
  readonly traceparent?: Traceparent | undefined;
}

/** A branch of mode `transaction`. */
export interface Branch {
  readonly branchId: BranchId;
  readonly kind: BranchKind;
  readonly participant: Participant;
  readonly payload: Json;
  /** Which register request brought it; null for those of the begin. */
  readonly request: string | null;
  /** Phase two has been done for it. */
  readonly isFinished: boolean;
}

/** Mode `transaction`: the initiator decides. */
export interface TwoPhase extends Common {
  readonly mode: 'transaction';
  readonly branches: readonly Branch[];
  /** Content hash by register request, to tell a repeat from a conflict. */
  readonly requests: Readonly<Record<string, string>>;
}

/** A step of a saga. `pending` means waiting or asked: which of the two follows from `after`. */
export interface SagaStep {
  readonly branchId: BranchId;
  readonly name: string;
  readonly participant: Participant;
  readonly after: readonly BranchId[];
  readonly isPivot: boolean;
  readonly attemptsMax: number;
  /** Forward attempts that ended unknown; the count decides, so it is in the log. */
  readonly attempts: number;
  readonly lastError: string | null;
  readonly state: 'pending' | 'done' | 'undone';
  /** Result of the run once done. */
  readonly result: Json;
}

/** Mode `saga`: the steps decide. */
export interface Saga extends Common {
  readonly mode: 'saga';
  readonly input: Json;
  readonly steps: readonly SagaStep[];
  /** Steps in the order in which they were done. */
  readonly completed: readonly BranchId[];
  /** After a rollback decision: the steps to undo, in order. */
  readonly undo: readonly BranchId[];
}

/** The state of a global transaction in either mode. */
export type Transaction = TwoPhase | Saga;
