/**
 * The port to `settle_undo` and to the rows that it can restore, for one dialect. Invariants: a row
 * key stands under step 0 for one gid at most, and that is the global lock; nothing is restored over
 * a row that is not as the undo row says it was left.
 */
import type { BranchId, EpochMs, Gid, LocksQuestion, RowChoice } from '../protocol/index.ts';
import type { Choices } from './choices.ts';
import type { Column, Session } from './facts.ts';
import type { Image, Step } from './image.ts';
import type { PlannedRows, PlannedTable } from './planned-row.ts';

/** An undo row of another gid where one of ours should go. */
export interface Holder {
  readonly gid: Gid;
  readonly table: string;
  readonly key: string;
}

/** A row that is not as it was left: an operator resolves it. */
export interface DirtyRow {
  readonly table: string;
  readonly key: string;
  readonly before: Image | null;
  readonly after: Image | null;
  /** As it is now; null: it is not there. */
  readonly current: Image | null;
  /** What is wrong with it, as the end of a sentence: `it was changed by somebody else`. */
  readonly why: string;
}

/** Dirty rows, the first of them by itself. */
export interface DirtyRows {
  readonly kind: 'dirty';
  readonly row: DirtyRow;
  readonly others: readonly DirtyRow[];
}

/** How far a rollback came. */
export type Restored =
  /** All of the gid's undo rows are applied and gone. */
  | { readonly kind: 'restored'; readonly rows: number }
  /** Nothing may be written: the caller rolls its local transaction back. */
  | DirtyRows;

/** Why nothing may be written: the caller rolls its local transaction back. */
export type NotResolved =
  | DirtyRows
  /** Rows that are not as they were seen, for people. */
  | { readonly kind: 'changed'; readonly rows: readonly string[] }
  /** A choice that cannot be followed. */
  | { readonly kind: 'unfit'; readonly why: string };

/** A row after a rollback with choices. */
export interface WrittenRow {
  readonly table: string;
  readonly key: string;
  /** Of its table; none: it is gone. */
  readonly columns: readonly Column[];
  readonly choice: RowChoice | null;
  readonly from: Image | null;
  readonly to: Image | null;
}

/** How far a rollback with choices came. */
export type Resolved =
  | { readonly kind: 'resolved'; readonly rows: readonly WrittenRow[] }
  | NotResolved;

/** The undo rows of a gid, newest first, and the rows that they are about. */
export interface LookedAt {
  readonly undo: readonly Step[];
  readonly rows: PlannedRows<PlannedTable>;
}

/** The undo row that is a row's lock. */
export interface LockRow extends Holder {
  readonly undoId: string;
  readonly branchId: BranchId;
  readonly createdAtMs: EpochMs;
  /** The columns of its key, with their types; empty: its table is gone, or its key is another one. */
  readonly columns: readonly (Pick<Column, 'name' | 'type'> & { readonly text: string })[];
}

/** Undo rows of one database. Each function runs in the local transaction that is open on the session. */
export interface UndoStore {
  /**
   * Inserts the steps in their order, each under the next step number of its row. Waits, inside the
   * database, for local transactions in flight that hold the same rows. Answers the rows of other
   * gids that are in the way: then none of ours is there, and all are to be given again once those
   * are gone. A branch has one local transaction, so its id never comes twice.
   */
  insert(
    session: Session,
    branch: { readonly gid: Gid; readonly branchId: BranchId },
    steps: readonly Step[],
  ): Promise<readonly Holder[]>;
  /** Rows of other gids on these keys. */
  holders(
    session: Session,
    gid: Gid,
    rows: readonly Pick<Step, 'table' | 'key'>[],
  ): Promise<readonly Holder[]>;
  /**
   * The same look, and the commit when nobody is in the way. Answers who is: then the local transaction
   * stands as it was. Any error leaves open what became of it.
   */
  commitUnlessHeld(
    session: Session,
    gid: Gid,
    rows: readonly Pick<Step, 'table' | 'key'>[],
  ): Promise<readonly Holder[]>;
  /** Deletes the undo rows of gids that are decided to commit. Idempotent. */
  clear(session: Session, gids: readonly Gid[]): Promise<void>;
  /** Writes the before images of the gid's undo rows back, newest first, and deletes them. */
  restore(session: Session, gid: Gid): Promise<Restored>;
  /** As {@link UndoStore.restore}, with choices for rows that were looked at. */
  resolve(session: Session, gid: Gid, choices: Choices): Promise<Resolved>;
  /** In a local transaction that reads and has one view of all: nothing is locked. */
  look(session: Session, gid: Gid): Promise<LookedAt>;
  /** As {@link UndoStore.look}: at most one more than the limit, in their order. */
  locks(session: Session, question: LocksQuestion): Promise<readonly LockRow[]>;
  /** A text of an image as people read it, by the {@link Column.type}. */
  readable(type: string, text: string): string;
}
