/**
 * Records of the log. What is written today must replay in ten years: fields are only ever added,
 * and an unknown kind stops that gid alone (attention `unreadable`).
 */
import type {
  Attention,
  BranchId,
  BranchKind,
  Cause,
  Direction,
  EpochMs,
  Gid,
  Json,
  Operation,
  Participant,
  Traceparent,
} from '../../client-sdk/protocol/index.ts';

/** A branch as it was registered; its payload is written here once and never again. */
export interface BranchRecord {
  readonly branchId: BranchId;
  readonly kind: BranchKind;
  readonly participant: Participant;
  readonly payload: Json;
}

/** A step as it was submitted. */
export interface StepRecord {
  readonly branchId: BranchId;
  readonly name: string;
  readonly participant: Participant;
  readonly after: readonly BranchId[];
  readonly isPivot: boolean;
  readonly attemptsMax: number;
}

interface Beginning {
  readonly gid: Gid;
  readonly name: string;
  readonly content: string;
  readonly epoch: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly deadlineAtMs: EpochMs | null;
  /** Decides nothing: later calls, in later terms too, belong to the trace of the begin. */
  readonly traceparent?: Traceparent | undefined;
  readonly atMs: EpochMs;
}

/** One record: what became so, and when. */
export type LogRecord =
  | (Beginning & { readonly kind: 'begun'; readonly branches: readonly BranchRecord[] })
  | (Beginning & {
      readonly kind: 'submitted';
      readonly input: Json;
      readonly steps: readonly StepRecord[];
    })
  | {
      readonly kind: 'registered';
      readonly request: string;
      readonly content: string;
      readonly branches: readonly BranchRecord[];
      readonly atMs: EpochMs;
    }
  /** The decision. `undo`: in a saga that rolls back, the steps to undo, in order. */
  | {
      readonly kind: 'decided';
      readonly direction: Direction;
      readonly cause: Cause;
      readonly undo?: readonly BranchId[];
      readonly atMs: EpochMs;
    }
  /** Operations that were answered `done`. The last one owed also finishes the transaction. */
  | {
      readonly kind: 'done';
      readonly done: readonly DoneOperation[];
      /** Nobody was asked: this human says so. */
      readonly operator?: { readonly who: string; readonly reason: string };
      readonly atMs: EpochMs;
    }
  /** A forward attempt of a saga step ended unknown. */
  | {
      readonly kind: 'attempted';
      readonly branchId: BranchId;
      readonly error: string;
      readonly atMs: EpochMs;
    }
  | { readonly kind: 'attention'; readonly attention: Attention; readonly atMs: EpochMs };

/** An operation that a participant answered `done`. */
export interface DoneOperation {
  readonly branchId: BranchId;
  readonly operation: Exclude<Operation, 'try'>;
  /** Kept for `run` only. */
  readonly result?: Json;
}
