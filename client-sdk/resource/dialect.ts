/**
 * What differs between the databases of resources, in one place each (`postgres/`, …). The rules of
 * local transactions are in `local-transaction.ts`, those of phase two in `phase-two.ts`.
 */
import type { BranchId, DatabaseConnection, Gid, TableHealth } from '../protocol/index.ts';
import type { UserStatement } from './database.ts';
import type { Catalog, Session, TableFacts } from './facts.ts';
import type { Step } from './image.ts';
import type { Analysis, WriteStatement } from './statement.ts';
import type { UndoStore } from './undo-store.ts';

/** A branch, as the barrier's rows know it. */
export interface BranchKey {
  readonly gid: Gid;
  readonly branchId: BranchId;
}

/** One kind of database. */
export interface Dialect {
  /** What a text is; remembered by text. Throws AT_UNSUPPORTED_SQL. */
  analyze(text: string): Promise<Analysis>;
  /** Runs a statement that changes or locks rows, and tells what it did to each of them. */
  write<Native, Result>(job: WriteJob<Native, Result>): Promise<Written<Result>>;
  readonly catalog: Catalog;
  readonly undo: UndoStore;
  readonly statements: DialectStatements;
  readonly barrier: BranchBarrier;
  /** Null: this kind of database has no way to do it. */
  readonly commitAtOnce: CommitAtOnce | null;
  readonly waits: DialectWaits;
  /** Both tables of Settle, in a local transaction that reads. One that is missing is no error. */
  tables(session: Session): Promise<readonly TableHealth[]>;
  /** Whether the database ended a wait for a lock, by its time or to break a deadlock. */
  isLockTimeout(error: unknown): boolean;
}

/**
 * Undo rows, barrier row and commit in one round trip, for steps on rows that are known to be free
 * ({@link Written.isFree}). False: the connection has no way to do it, and nothing has happened. Throws
 * as {@link BranchBarrier.commitPhaseOne}, with the same meaning.
 */
export type CommitAtOnce = (
  session: Session,
  branch: BranchKey,
  steps: readonly Step[],
) => Promise<boolean>;

/** A write of the user that may run: its tables are known and nothing of them speaks against it. */
export interface WriteJob<Native, Result> {
  readonly write: WriteStatement;
  /** In the order of its tables. */
  readonly facts: readonly TableFacts[];
  readonly statement: UserStatement<Native, Result>;
  /** For statements of our own, in the same local transaction. */
  readonly session: Session;
  /** Runs this text the way the user asked for his. */
  readonly perform: (text: string, parameters: readonly unknown[]) => Promise<Result>;
}

/** What came of it. */
export interface Written<Result> {
  /** As if it had been the user's text. */
  readonly result: Result;
  /** Every row that it changed or locked, in the order in which that can be undone backwards. */
  readonly steps: readonly Step[];
  /**
   * Nobody has undo rows on these rows, seen by a statement that ran when they were locked by this local
   * transaction alone. So it stays until that ends: undo rows of others go in before they let go of a row.
   * Left out: nobody has looked.
   */
  readonly isFree?: boolean;
}

/** Texts without parameters. */
export interface DialectStatements {
  /** Begins at READ COMMITTED; a wait for a lock ends with an error after this time. */
  begin(lockTimeoutMs: number): string;
  /** Texts one after another: begins what only reads, and sees one state of the database all along. */
  beginLook(lockTimeoutMs: number): readonly string[];
  savepoint(name: string): string;
  rollbackTo(name: string): string;
  release(name: string): string;
  /**
   * Tells guards that this local transaction is ours. To be said again in the next one, and after
   * going back to a savepoint.
   */
  readonly passGuards: string;
}

/** A statement that waits: on which connection, and its text. */
export interface AskedWait {
  readonly id: number;
  readonly text: string;
}

/** Who waits for whom in the database. Each throws what the driver throws, for want of a privilege, too. */
export interface DialectWaits {
  /** The connection that is asked; its database has a name that is the same from everywhere. */
  self(session: Session): Promise<DatabaseConnection>;
  /** Whom those statements wait for, by connections. One that runs something else is left out. */
  blockers(
    session: Session,
    waits: readonly AskedWait[],
  ): Promise<ReadonlyMap<number, readonly number[]>>;
  /** Ends this statement. The next one of the same connection may be hit in its place. */
  cancel(session: Session, wait: AskedWait): Promise<void>;
}

/** What became of phase one of a branch, in its own database. */
export type PhaseOne = 'committed' | 'blocked';

/** The barrier rows of a branch of kind `at`: `prepare` for phase one, `rollback` for phase two. */
export interface BranchBarrier {
  /**
   * Writes the row of phase one and commits, in one round trip. Throws when the row is taken (a
   * rollback came first) or the transaction had failed: then nothing is committed. Any other error
   * leaves the outcome unknown until {@link block} tells.
   */
  commitPhaseOne(session: Session, branch: BranchKey): Promise<void>;
  /** Commits a local transaction that is no branch. Throws when it had failed. */
  commit(session: Session): Promise<void>;
  /**
   * In a local transaction of its own, which it does not end: takes the row of phase one, so that it
   * can never commit any more. `committed`: too late, it has. Waits for one in flight.
   */
  block(session: Session, branch: BranchKey): Promise<PhaseOne>;
  /** Writes the row of the rollback. False when it is there already: it has been done. */
  markRolledBack(session: Session, branch: BranchKey): Promise<boolean>;
}
