/**
 * What an operator asks about rows under automatic undo, and what is answered: by a participant to
 * the coordinator (questions), by the coordinator over HTTP (requests). None of it is part of phase
 * two: a question is never logged as an attempt and decides nothing by itself.
 */
import type { BranchId, EpochMs, Gid, Participant, Phase } from './words.ts';

/**
 * A row for people: the text of each column by its name, null for NULL. Bytes are `\x…`; a long
 * text is cut, and {@link InspectedRow.cut} names its column.
 */
export type ShownRow = Readonly<Record<string, string | null>>;

/**
 * How a row stands to its undo rows. `clean`: as its transaction left it, a rollback restores it.
 * `restored`: as it was before. `dirty`: neither, somebody else changed it. `locked`: its transaction
 * has locked it and changed nothing.
 */
export type RowState = 'clean' | 'restored' | 'dirty' | 'locked';

/**
 * What becomes of a row. `restore`: it becomes what it was before the transaction, whatever it is
 * now. `keep`: it stays as it is. `merge`: what the transaction has done is taken back, and what
 * somebody else has done stays, but for columns that are named otherwise.
 */
export type RowChoice = 'restore' | 'keep' | 'merge';

/** The place of a row: table and key as undo rows have them. */
export interface RowPlace {
  readonly table: string;
  readonly key: string;
}

/** A row with undo rows of one gid. */
export interface InspectedRow extends RowPlace {
  /** How often its transaction has changed or locked it. */
  readonly steps: number;
  readonly state: RowState;
  /** Of a dirty row: what is wrong with it. */
  readonly why: string | null;
  /** Of a dirty row: columns that are not as its transaction left them. */
  readonly differing: readonly string[];
  /** Digest of the row as it is now: given back with a choice, it proves which row was looked at. */
  readonly seen: string;
  /** Type of each column that the table has now. */
  readonly types: Readonly<Record<string, string>>;
  /** Before the oldest step; null: there was no row. */
  readonly before: ShownRow | null;
  /** After the newest step. */
  readonly after: ShownRow | null;
  /** As it is now. */
  readonly current: ShownRow | null;
  /** Columns of which a text was cut. */
  readonly cut: readonly string[];
  /** Columns that are not shown: the row is too wide for one answer. */
  readonly columnsLeftOut: number;
}

/** Asked of a participant: rows with undo rows of the call's gid, dirty ones first. */
export interface InspectQuestion {
  /** Rows to pass over. */
  readonly offset: number;
  readonly rowsMax: number;
  /** Of the answer as JSON, about. */
  readonly bytesMax: number;
}

/** One page of them. */
export interface InspectAnswer {
  readonly rows: readonly InspectedRow[];
  readonly rowsTotal: number;
  readonly dirtyTotal: number;
  /** Digest of all rows of the gid as they are now. */
  readonly seen: string;
  /** Null: there are no more. */
  readonly nextOffset: number | null;
}

/** What is to become of one row. */
export interface RowResolution extends RowPlace {
  readonly choice: RowChoice;
  /**
   * Of a merge. Columns that are not named stay as they are where somebody else has changed them, and
   * become what they were where nobody has.
   */
  readonly columns?: Readonly<Record<string, 'before' | 'current'>>;
  /** {@link InspectedRow.seen}. */
  readonly seen: string;
}

/** What is to become of dirty rows that are not named. */
export interface OtherResolution {
  readonly choice: Exclude<RowChoice, 'merge'>;
  /** {@link InspectAnswer.seen}. */
  readonly seen: string;
}

/** Asked of a participant: the rollback of the call's branch, with choices. */
export interface ResolveQuestion {
  readonly rows: readonly RowResolution[];
  readonly otherwise: OtherResolution | null;
  /** All of it is done and taken back. */
  readonly dryRun: boolean;
  /** Of the answer as JSON, about. */
  readonly bytesMax: number;
}

/** A row that was resolved, or restored on the way. */
export interface ResolvedRow extends RowPlace {
  /** Null: nobody chose for it, it was undone as by any rollback. */
  readonly choice: RowChoice | null;
  /** As it was found; null: it was not there. */
  readonly from: ShownRow | null;
  /** As it was read after all was written. */
  readonly to: ShownRow | null;
  /** Columns of which a text was cut. */
  readonly cut: readonly string[];
  readonly columnsLeftOut: number;
}

/** Codes with which a participant refuses to resolve: nothing is written then. */
export type ResolveRefusal =
  | 'AT_DIRTY_ROW'
  | 'ROW_CHANGED'
  | 'INVALID_REQUEST'
  | 'LOCK_CONFLICT'
  | 'NOTHING_TO_RESOLVE'
  | 'REFUSED';

/** What came of it. */
export type ResolveAnswer =
  | {
      readonly kind: 'resolved';
      /** As many as fit, those with a choice first. */
      readonly rows: readonly ResolvedRow[];
      readonly rowsTotal: number;
    }
  | { readonly kind: 'refused'; readonly code: ResolveRefusal; readonly detail: string };

/** Which locks come first. */
export type LockOrder = 'newest' | 'oldest';

/** Asked of a participant: who holds which rows. */
export interface LocksQuestion {
  readonly table?: string;
  readonly gid?: Gid;
  readonly order: LockOrder;
  readonly limit: number;
  /** {@link LocksPage.next} of the page before. */
  readonly after?: string;
}

/** A row that a global transaction holds. */
export interface HeldLock extends RowPlace {
  /** The columns of its primary key, for people; null when its table cannot be read any more. */
  readonly row: ShownRow | null;
  readonly gid: Gid;
  readonly branchId: BranchId;
  readonly createdAtMs: EpochMs;
}

/** One page of them. */
export interface LocksPage {
  readonly locks: readonly HeldLock[];
  readonly next: string | null;
}

/** A table of Settle in a participant's database, as the database itself knows it. */
export interface TableHealth {
  readonly table: 'settle_undo' | 'settle_barrier';
  /** False: it is not there, and nothing that needs it works. The rest is 0 then. */
  readonly isThere: boolean;
  /** Exact up to {@link rowsCountedMax}; beyond that it says that there are more. */
  readonly rows: number;
  /** With its indexes. */
  readonly bytes: number;
}

/** What a resource answers to the question `health`, which has no body. */
export interface HealthAnswer {
  readonly tables: readonly TableHealth[];
}

/** Rows of a table are counted up to here: more would cost more than the figure is worth. */
export const rowsCountedMax = 100_000;

/** `GET /v1/transactions/{gid}/undo`. */
export interface UndoRequest {
  readonly gid: Gid;
  /** Only the resource of this branch. */
  readonly branchId?: BranchId;
  /** Rows of each resource: 1..500, default 50. */
  readonly limit?: number;
  /** `nextCursor` of the page before; needs `branchId`. */
  readonly cursor?: string;
}

/** The undo rows of one resource, or why they could not be had. */
export interface UndoOfResource {
  readonly participant: Participant;
  /** Name of the resource; null for a participant over HTTP. */
  readonly resource: string | null;
  /** The branches of the gid that it has; unfinished ones are resolved together. */
  readonly branchIds: readonly BranchId[];
  readonly isFinished: boolean;
  /** Why it could not be asked; the fields below are empty then. */
  readonly error: { readonly code: string; readonly detail: string } | null;
  readonly rows: readonly InspectedRow[];
  readonly rowsTotal: number;
  readonly dirtyTotal: number;
  /** Digest of all its rows; null when it could not be asked. */
  readonly seen: string | null;
  readonly nextCursor: string | null;
}

/** Every at branch of the transaction, by resource. */
export interface UndoAnswer {
  readonly gid: Gid;
  readonly phase: Phase;
  readonly resources: readonly UndoOfResource[];
}

/** `POST /v1/transactions/{gid}/undo/resolve`. Names the branch, or the resource of one. */
export interface ResolveRequest {
  readonly gid: Gid;
  readonly branchId?: BranchId;
  readonly resource?: string;
  readonly rows?: readonly RowResolution[];
  readonly otherwise?: OtherResolution;
  readonly dryRun?: boolean;
  /** Why, for the record: 1..512 characters. */
  readonly reason: string;
}

/** The rows as they were found and as they are now; of a dry run: as they would be. */
export interface ResolvedAnswer {
  /** Its entry in the audit; null of a dry run. */
  readonly auditSeq: number | null;
  readonly gid: Gid;
  readonly branchIds: readonly BranchId[];
  readonly participant: Participant;
  readonly dryRun: boolean;
  readonly rows: readonly ResolvedRow[];
  readonly rowsTotal: number;
}

/** `GET /v1/resources/{service}/{resource}/locks`. */
export interface LocksRequest {
  readonly service: string;
  readonly resource: string;
  readonly table?: string;
  readonly gid?: Gid;
  readonly order?: LockOrder;
  /** 1..500, default 50. */
  readonly limit?: number;
  readonly cursor?: string;
}

/** One page of locks. */
export interface LocksAnswer {
  readonly service: string;
  readonly resource: string;
  readonly locks: readonly HeldLock[];
  readonly nextCursor: string | null;
}

/** What operators ask over HTTP only: bodies by verb, and what answers them. */
export interface OperatorRequests {
  readonly undo: { readonly body: UndoRequest; readonly answer: UndoAnswer };
  readonly resolve: { readonly body: ResolveRequest; readonly answer: ResolvedAnswer };
  readonly locks: { readonly body: LocksRequest; readonly answer: LocksAnswer };
}
