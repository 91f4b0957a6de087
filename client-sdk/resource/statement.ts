/**
 * What a statement of the user is, and the port to those who can tell. The analysis says what the
 * text says; whether it may run also depends on the tables (`facts.ts`). Fails closed: a text that is
 * not understood whole is refused with AT_UNSUPPORTED_SQL, its shape, and how to write it instead.
 */
import type { FunctionName, TableFacts, TableName } from './facts.ts';

/** A text of SQL, understood. */
export type Analysis = ReadStatement | ControlStatement | SessionStatement | WriteStatement;

/** Changes and locks nothing, as long as its functions don't. */
export interface ReadStatement {
  readonly kind: 'read';
  readonly functions: readonly FunctionName[];
}

/** Begins, ends or divides a transaction. */
export interface ControlStatement {
  readonly kind: 'control';
  readonly verb: 'begin' | 'commit' | 'rollback' | 'savepoint' | 'release' | 'rollbackTo';
  /** Of the savepoint. */
  readonly name: string | null;
}

/** `set`, `show`, `explain` without `analyze`: of this session alone. */
export interface SessionStatement {
  readonly kind: 'session';
}

/** Changes rows of one table, or locks rows (`select … for update`). */
export interface WriteStatement {
  readonly kind: 'write';
  /** `upsert`: an insert that may update rows that are there, or replace them. */
  readonly change: 'insert' | 'update' | 'delete' | 'upsert' | 'lock';
  /** One for every change; a lock may have several (joins), each locked. */
  readonly tables: readonly TableName[];
  /** Columns that `update`, or the update of an upsert, sets. */
  readonly columnsSet: readonly string[];
  readonly functions: readonly FunctionName[];
}

/**
 * Names of the columns that a rewritten statement carries besides those of the user. `inserted`: of
 * an upsert, whether the row is new. `held`: whether anybody has undo rows on the row, see
 * {@link Rewritten.keyParameters}.
 */
export const imageColumns = {
  before: 'settle_before',
  after: 'settle_after',
  inserted: 'settle_inserted',
  held: 'settle_held',
} as const;

/** The statement with images: what runs in place of the user's. */
export interface Rewritten {
  /**
   * Takes the same parameters, and behind them one more where {@link keyParameters} are. Its rows carry `settle_before` and `settle_after` (for a lock on several
   * tables: `settle_before`, `settle_before_2`, …), each the image of a row as the database writes it,
   * or null.
   */
  readonly text: string;
  /**
   * For upserts, run first in the same local transaction: locks the rows that are there already and
   * answers their images as `settle_before`. `parameters`: which of the user's it takes, from 1.
   */
  readonly before: { readonly text: string; readonly parameters: readonly number[] } | null;
  /** Whether the user's own text gives rows; if not, all rows are taken off. */
  readonly givesRows: boolean;
  /**
   * Of an update or a delete whose condition names one row by its primary key: which of the user's
   * parameters, from 1, are said to be that key, in its order. The text takes the key of the row as its
   * last parameter then, and looks for undo rows on it; with null it does not look. Null: it is none, or
   * not so plain.
   */
  readonly keyParameters: readonly number[] | null;
}

/** One SQL dialect. Both functions remember what they found by text. */
export interface SqlAnalyzer {
  /** Throws AT_UNSUPPORTED_SQL. */
  analyze(text: string): Promise<Analysis>;
  /**
   * The text with images of the tables' rows. `facts` in the order of `WriteStatement.tables`, each
   * with a primary key. Throws AT_UNSUPPORTED_SQL for shapes that have no images.
   */
  rewrite(text: string, facts: readonly TableFacts[]): Promise<Rewritten>;
}
