/**
 * What the world owes a transaction, as data. The runtime performs it, again and again until it is
 * answered.
 */
import type { BranchId, Json, Operation, Participant } from '../../client-sdk/protocol/index.ts';

/** One obligation: an operation that a participant is to be asked until it answers. */
export interface Effect {
  /** Unique in its gid; the same key is the same obligation, however often it is asked. */
  readonly key: string;
  readonly branchId: BranchId;
  readonly operation: Exclude<Operation, 'try'>;
  readonly participant: Participant;
  /** tcc: payload of the branch; at: null; saga: input of the saga. */
  readonly payload: Json;
  readonly results?: Readonly<Record<string, Json>>;
  readonly result?: Json;
}

/** Key of the effect that an operation belongs to, and of the effect that a result answers. */
export function keyOf(operation: Pick<Effect, 'branchId' | 'operation'>): string {
  return `${operation.branchId}:${operation.operation}`;
}
