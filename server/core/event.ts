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
} from '../../client-sdk/protocol/index.ts';

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
  | { readonly kind: 'decide'; readonly direction: Direction; readonly reason: string | null }
  | { readonly kind: 'deadline' }
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
