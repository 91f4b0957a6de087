/**
 * How undo rows go in where others may be in the way, whatever the database: all of the given steps, or
 * none. Steps that other branches of the same gid have left take one more round, behind those.
 */
import type { Gid } from '../protocol/index.ts';
import { type NumberedStep, numbered, rowIdentity, type Step } from './image.ts';
import type { Holder } from './undo-store.ts';

/** Who has undo rows on a row, and how many. */
export interface Occupant extends Holder {
  readonly steps: number;
}

/** What a round is made of, for one branch and its steps. */
export interface Rounds {
  /** Inserts what is in nobody's way; whether that was all of them. */
  insertAll(steps: readonly NumberedStep[]): Promise<boolean>;
  /** Deletes what this branch has inserted. */
  deleteOwn(): Promise<void>;
  /** Of the rows of the steps. They are locked by us, so nobody comes any more. */
  occupants(): Promise<readonly Occupant[]>;
}

const roundsMax = 8;

/** As `UndoStore.insert`, for the gid `own`. */
export async function insertInRounds(
  own: Gid,
  steps: readonly Step[],
  { insertAll, deleteOwn, occupants }: Rounds,
): Promise<readonly Holder[]> {
  if (steps.length === 0) return [];
  let taken: ReadonlyMap<string, number> = new Map();
  for (let round = 0; round < roundsMax; round += 1) {
    if (await insertAll(numbered(steps, taken))) return [];
    // A later step of ours may stand behind the first one of another gid: out with all of them.
    await deleteOwn();
    const found = await occupants();
    const others = found.filter(({ gid }) => gid !== own);
    if (others.length > 0) return others.map(({ gid, table, key }) => ({ gid, table, key }));
    taken = new Map(found.map((row) => [rowIdentity(row), row.steps]));
  }
  throw new Error('undo rows were in the way of others, and gone again, time after time');
}
