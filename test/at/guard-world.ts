/** What the tests of guards do on every kind of database, without a resource. */
import { expect } from 'vitest';
import type { Session, TableFacts } from '../../client-sdk/resource/facts.ts';
import type { GuardPlan, GuardWish } from '../../client-sdk/resource/guard.ts';
import type { Image } from '../../client-sdk/resource/image.ts';
import { rowKey } from '../../client-sdk/resource/row-key.ts';

/** What differs between them. */
export interface GuardedKind {
  factsOf(session: Session, table: string): Promise<TableFacts>;
  /** Makes the table guarded, or not. */
  guard(session: Session, table: string, wish?: GuardWish): Promise<GuardPlan>;
  /** Leaves an undo row for it. */
  lock(session: Session, table: string, key: string): Promise<void>;
  /** Takes all undo rows away. */
  readonly unlock: string;
  /** Reads the image of a row of `t`. */
  readonly imageExpression: (facts: TableFacts) => string;
  readonly imageOf: (facts: TableFacts, text: string) => Image;
  /** What another program may have set. */
  readonly oddSettings: readonly string[];
  /** Whether a guard threw it, because of the undo row that stands. */
  readonly isRefusal: (error: Error) => boolean;
}

/** The steps of tests. */
export function guardWorld(kind: GuardedKind) {
  const { factsOf, guard, lock, unlock, imageExpression, imageOf, oddSettings, isRefusal } = kind;

  /** The guard of `t` is told to be made again, and that mends it. */
  async function expectStranger(session: Session): Promise<void> {
    const what = expect.stringContaining('run settle migrate --guard again');
    expect((await factsOf(session, 't')).hazards[0]).toMatchObject({ what });
    await guard(session, 't');
    expect(await factsOf(session, 't')).toMatchObject({ isGuarded: true, hazards: [] });
  }

  /** Locks each row in turn by the key of its image; answers which were refused that should not be. */
  async function lockedAndFree(session: Session, other: Session, table: string) {
    const facts = await factsOf(session, table);
    for (const setting of oddSettings) await other.query(setting);
    const { rows } = await session.query(
      `select t.v, ${imageExpression(facts)} as image from ${facts.id} t order by t.v`,
    );
    const wrong: string[] = [];
    for (const { v: locked, image } of rows) {
      const key = rowKey(facts, imageOf(facts, String(image)));
      await lock(session, facts.id, key);
      for (const { v } of rows) {
        const error = await errorOf(other.query(`update ${facts.id} set v = v where v = ${v}`));
        const isRefused = error !== null && isRefusal(error);
        if (isRefused !== (v === locked) || (error !== null && !isRefused)) {
          wrong.push(`${key} ${v} ${error?.message}`);
        }
      }
      await session.query(unlock);
    }
    return rows.length === 0 ? ['no rows'] : wrong;
  }

  return { expectStranger, lockedAndFree };
}

async function errorOf(work: Promise<unknown>): Promise<Error | null> {
  try {
    await work;
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
