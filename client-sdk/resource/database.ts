/**
 * The user's database as a resource needs it: connections to hold on to, and the user's statements
 * in a form that can be run with another text. Built from what the user gave by `databases/`.
 */
import type { Session } from './facts.ts';

/** Where a resource gets its connections from. */
export interface ResourceDatabase<Native> {
  /** One connection, for nobody else until it is released. Throws what the driver throws. */
  acquire(): Promise<HeldConnection<Native>>;
}

/** A connection that is held. */
export interface HeldConnection<Native> extends Session {
  /** As the driver gives it: the user's statements run on it. */
  readonly native: Native;
  /** The same object for the same connection of the database, whoever holds it. */
  readonly physical: object;
  /**
   * Begins with this text; `begin` may be sent no sooner than with the next statement, and then that
   * one throws what is wrong with it.
   */
  begin(text: string): Promise<void>;
  /**
   * Sends what was held back so far; to be awaited before {@link native} is given a statement. Not there
   * where nothing is held back, or where the native connection sends it by itself. Throws as `begin`.
   */
  ready?(): Promise<void>;
  /** Gives it back; with an error it is thrown away, for nobody knows its state. Safe to repeat. */
  release(error?: Error): void;
}

/** One statement of the user. `Result` is what his driver answers. */
export interface UserStatement<Native, Result> {
  readonly text: string;
  /** Bound values, from 1 in the text of PostgreSQL. */
  readonly parameters: readonly unknown[];
  /** Runs this text with these parameters the way the user asked for his. */
  perform(connection: Native, text: string, parameters: readonly unknown[]): Promise<Result>;
  readonly results: ResultShape<Result>;
}

/** How results of a driver are read and cleaned. */
export interface ResultShape<Result> {
  rowsOf(result: Result): readonly Readonly<Record<string, unknown>>[];
  /** The result as if those columns had never been in it; with `keepsRows` false, without rows. */
  without(result: Result, columns: readonly string[], keepsRows: boolean): Result;
}
