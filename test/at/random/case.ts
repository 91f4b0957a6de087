/**
 * One random global transaction over two databases: rows to start with, work of services that
 * join, work of the initiator, and how it ends. Nothing here runs; see `run.ts`.
 */
import fc from 'fast-check';
import type { RandomSource } from './database.ts';
import type { RandomStatement } from './pieces.ts';

/** Which of the two databases. */
export type Side = 0 | 1;

/** Inside of `begin … end`. */
export type BlockItem =
  | { readonly kind: 'statement'; readonly statement: RandomStatement }
  | {
      readonly kind: 'savepoint' | 'release' | 'rollbackTo';
      readonly name: 'one' | 'two';
    };

export type Action =
  | { readonly kind: 'statement'; readonly side: Side; readonly statement: RandomStatement }
  | {
      readonly kind: 'block';
      readonly side: Side;
      readonly items: readonly BlockItem[];
      readonly end: 'commit' | 'rollback' | 'release';
    };

/**
 * `throw`: the initiator's callback throws, after others have committed locally. `late`: one of the
 * local commits fails while the others go through. `deadline`: the coordinator rolls back.
 */
export type Ending = 'commit' | 'throw' | 'late' | 'deadline';

export interface RandomCase {
  readonly rows: readonly (readonly RandomStatement[])[];
  /** Each commits locally, one after the other. */
  readonly joined: readonly (readonly Action[])[];
  readonly own: readonly Action[];
  readonly ending: Ending;
  /** Goes on after an error of the database: it is doomed all the same. */
  readonly isStubborn: boolean;
}

/** Cases of these statements. */
export function randomCase({ startingRows, statement }: RandomSource): fc.Arbitrary<RandomCase> {
  const start = fc
    .tuple(
      fc.array(startingRows[0], { maxLength: 5, size: 'max' }),
      fc.array(startingRows[1], { maxLength: 5, size: 'max' }),
    )
    .map(([parents, children]) => [...parents, ...children]);
  const side = fc.constantFrom<Side>(0, 1);
  const item = fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('statement' as const), statement }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom('savepoint', 'savepoint', 'release', 'rollbackTo' as const),
        name: fc.constantFrom('one', 'two' as const),
      }),
    },
  );
  const action = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('statement' as const), side, statement }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('block' as const),
        side,
        items: fc.array(item, { minLength: 1, maxLength: 6, size: 'max' }),
        end: fc.constantFrom('commit', 'commit', 'rollback', 'release' as const),
      }),
    },
  );
  const work = fc.array(action, { minLength: 1, maxLength: 5, size: 'max' });
  return fc.record({
    rows: fc.tuple(start, start),
    joined: fc.array(work, { maxLength: 2, size: 'max' }),
    own: work,
    ending: fc.oneof(
      { weight: 4, arbitrary: fc.constant<Ending>('throw') },
      { weight: 2, arbitrary: fc.constant<Ending>('late') },
      { weight: 1, arbitrary: fc.constant<Ending>('deadline') },
      { weight: 4, arbitrary: fc.constant<Ending>('commit') },
    ),
    isStubborn: fc.boolean(),
  });
}
