/** Everything that can happen to a transaction. Ids, times and terms arrive inside events. */
import type {
  Attention,
  BranchId,
  BranchSpec,
  Direction,
  EpochMs,
  Gid,
  Json,
  Operation,
  StepSpec,
  Traceparent,
} from '../../client-sdk/protocol/index.ts';

/** A human who acts, and why. */
export interface Operator {
  /** As he is known here, such as the name of his token. */
  readonly who: string;
  readonly reason: string;
}

/** One answered operation. `ongoing` never reaches the core: it decides nothing. */
export interface OperationResult {
  readonly branchId: BranchId;
  readonly operation: Exclude<Operation, 'try'>;
  readonly outcome: 'done' | 'refused' | 'unknown';
  /** Of `done`. */
  readonly result?: Json;
  /** Of `refused` and `unknown`. */
  readonly error?: string;
}

interface Beginning {
  readonly gid: Gid;
  readonly name: string;
  /** Hash of the request's content. */
  readonly content: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly timeoutMs: number | null;
  readonly traceparent?: Traceparent | undefined;
}

type Body =
  | (Beginning & { readonly kind: 'begin'; readonly branches: readonly BranchSpec[] })
  | (Beginning & {
      readonly kind: 'submit';
      readonly input: Json;
      readonly steps: readonly StepSpec[];
    })
  | {
      readonly kind: 'register';
      readonly request: string;
      readonly content: string;
      readonly branches: readonly BranchSpec[];
    }
  | {
      readonly kind: 'decide';
      readonly direction: Direction;
      readonly reason: string | null;
      /** Who asks; an initiator when absent. */
      readonly by?: 'operator';
    }
  | { readonly kind: 'deadline' }
  /**
   * A human has seen to what is owed, or answers for its never being done: it counts as done, and
   * nobody is asked any more. `owed`: one operation, which must be asked now; null: all that is owed.
   */
  | {
      readonly kind: 'settle';
      readonly owed: Pick<OperationResult, 'branchId' | 'operation'> | null;
      /** What a `run` is said to have given. */
      readonly result: Json;
      readonly operator: Operator;
    }
  /** Results that arrived together: at most one record for all of them. */
  | { readonly kind: 'results'; readonly results: readonly OperationResult[] }
  | {
      readonly kind: 'attention';
      readonly reason: Attention['reason'];
      readonly branchId: BranchId | null;
      readonly detail: string;
    };

/** One event, stamped with when and in whose term it happened. */
export type TxEvent = Body & {
  readonly atMs: EpochMs;
  /** Term of the coordinator that takes the event. */
  readonly epoch: number;
};
