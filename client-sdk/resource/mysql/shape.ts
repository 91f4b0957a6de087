/**
 * What a statement that writes is made of: who it changes and the parts that other statements are
 * made from. Types only; `change-shape.ts`, `insert-shape.ts` and `lock-shape.ts` find them.
 */
import type { TableName } from '../facts.ts';
import type { Clauses, Piece } from './pieces.ts';

/** A statement that writes. */
export type Shape = ChangeShape | InsertShape | LockShape;

/** A table as a statement names it. */
export interface Target {
  readonly table: TableName;
  /** Its alias, or its name: how expressions name it. */
  readonly reference: string;
}

/** An update or delete of one table, perhaps through a join. */
export interface ChangeShape extends Clauses<'set' | 'where' | 'order' | 'limit' | 'returning'> {
  readonly kind: 'change';
  readonly verb: 'update' | 'delete';
  /** The verb and words such as `ignore`. */
  readonly head: Piece;
  readonly target: Target;
  /** The table with its alias, or the join. */
  readonly sources: Piece;
  readonly isJoin: boolean;
  readonly columnsSet: readonly string[];
}

/** An insert or replace. */
export interface InsertShape {
  readonly kind: 'insert';
  readonly way: 'insert' | 'ignore' | 'update' | 'replace';
  readonly target: Target;
  /** Null: all columns of the table, in its order. */
  readonly columns: readonly string[] | null;
  /** Null: rows of a select. One value for each column. */
  readonly rows: readonly (readonly Piece[])[] | null;
  /** Everything before `on duplicate key update`. */
  readonly start: Piece;
  /** Behind `on duplicate key update`. */
  readonly update: Piece | null;
  readonly columnsSet: readonly string[];
  readonly returning: Piece | null;
}

/** A select that locks rows. */
export interface LockShape {
  readonly kind: 'lock';
  /** Those that it locks. */
  readonly targets: readonly Target[];
  /** What it selects, with the verb. */
  readonly list: Piece;
  /** From `from` to before the lock. */
  readonly rest: Piece;
  /** `for update`, `lock in share mode nowait`, … */
  readonly lock: Piece;
  readonly hasLimit: boolean;
  /** One row of its result is one row of its tables: nothing in it could be an aggregate. */
  readonly isPlain: boolean;
}
