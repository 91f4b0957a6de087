/**
 * What a run of random cases asks of a kind of database: statements answered alike whichever the
 * driver, what an error means, and everything that is looked at outside of Settle. The kinds are in
 * `postgres-database.ts` and `mysql-database.ts`.
 */
import type fc from 'fast-check';
import type { Settle } from '../../../client-sdk/index.ts';
import type { RandomStatement } from './pieces.ts';

/** What came back: a front and a plain copy must answer the same. */
export interface Outcome {
  readonly count: number | null;
  /** As texts, in an order that does not depend on the plan. */
  readonly rows: readonly string[];
}

/** A pool, or a connection of it. Throws what the driver throws. */
export interface Sender {
  send(statement: RandomStatement): Promise<Outcome>;
}

export interface RandomConnection extends Sender {
  release(): void;
}

export interface RandomPool extends Sender {
  connect(): Promise<RandomConnection>;
}

/** A database as it is outside of Settle. */
export interface RandomDatabase<Pair> extends RandomPool {
  /** No row in its tables, and its numbers from the start. */
  empty(pair: Pair): Promise<void>;
  /** Every row of both tables as texts that lose nothing, under fixed settings, in a fixed order. */
  contents(pair: Pair): Promise<readonly string[]>;
  /** Undo rows; `gid` null: of everybody. */
  undoRows(gid: string | null): Promise<number>;
}

/** An error that the database answered. */
export interface Failure {
  readonly code: string;
  /** `misfit`: a value that its column does not take. */
  readonly kind: 'unique' | 'foreignKey' | 'misfit' | 'other';
  /** Whether rows meet it in the order in which the plan has them: a copy may not. */
  readonly isUpToPlan: boolean;
}

export type Both<One> = readonly [One, One];

/** Two databases under Settle, and one plain copy of each. */
export interface RandomWorld<Pair> {
  readonly settle: Settle;
  readonly plain: Both<RandomDatabase<Pair>>;
  readonly fronts: Both<RandomPool>;
  /** A resource of its own: what it runs succeeds, and its local commit fails. */
  readonly late: RandomPool;
  readonly lateStatement: RandomStatement;
  readonly copies: Both<RandomDatabase<Pair>>;
  /** Null: it is no error of the database. */
  readonly failureOf: (error: unknown) => Failure | null;
  /** Whether a savepoint of the same name takes the place of the one before. */
  readonly savepointsReplace: boolean;
}

/** Tables and what can be done with them. */
export interface RandomKind<Pair> {
  /** `prefix` makes the tables' names unique in their database. */
  randomPair(prefix: string): fc.Arbitrary<Pair>;
  /** Run in this order, once in each database. */
  ddl(pair: Pair): readonly string[];
  sourceOf(pair: Pair): RandomSource;
}

/** Statements on a pair of tables. */
export interface RandomSource {
  /** Of the parent and of the child: one insert for each row, so that misfits are left out. */
  readonly startingRows: Both<fc.Arbitrary<RandomStatement>>;
  readonly statement: fc.Arbitrary<RandomStatement>;
}
