/**
 * The port to `settle_undo` and to the rows that it can restore, for one dialect. Invariants: a row
 * key stands under step 0 for one gid at most, and that is the global lock; nothing is restored over
 * a row that is not as the undo row says it was left.
 */
import type { BranchId, Gid } from '../protocol/index.ts';
import type { Session } from './facts.ts';
import type { Image, Step } from './image.ts';

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

/** How far a rollback came. */
export type Restored =
  /** All of the gid's undo rows are applied and gone. */
  | { readonly kind: 'restored'; readonly rows: number }
  /** Nothing may be written: the caller rolls its local transaction back. */
  | { readonly kind: 'dirty'; readonly row: DirtyRow };

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
}
