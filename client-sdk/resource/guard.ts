/**
 * Guards: triggers that refuse changes of rows which an undo row locks, by writers that do not come
 * through Settle. What both kinds of databases share; the triggers are in `postgres/guard.ts` and
 * `mysql/guard.ts`. Invariants: a guard computes the same text as `rowKey`, so that it looks where
 * the lock is; and it lets nobody pass for longer than one local transaction of Settle's.
 */
import { createHash } from 'node:crypto';

/** What is asked for a table: that its rows are guarded, or that they are not. */
export type GuardWish = 'guard' | 'unguard';

/** What there is to do for it. */
export type GuardPlan =
  /** In this order, each once; none: it is so already. `table` as the catalogue spells it. */
  | { readonly kind: 'statements'; readonly table: string; readonly statements: readonly string[] }
  /** `why` ends a sentence that begins with the table, `hint` says what to do. */
  | { readonly kind: 'refused'; readonly why: string; readonly hint: string };

/** What a trigger of our names is called when it is not as this version makes it. */
export function strangerNamed(trigger: string): string {
  return `trigger ${trigger} (not as this version makes it: run settle migrate --guard again)`;
}

/** A part for names that are unique in a database; names of tables may be too long for that. */
export function digestOf(table: string): string {
  return createHash('sha256').update(table).digest('hex').slice(0, 16);
}

/** The table is not there. */
export const noSuchTable: GuardPlan = {
  kind: 'refused',
  why: 'is not there',
  hint: 'Name it as the catalogue spells it; the guard of a table goes when the table is dropped.',
};

/** Settle itself refuses to change the table, for this reason. */
export function notLocked(refusal: string): GuardPlan {
  const hint = 'Settle changes no rows of such a table, so there is nothing to keep out.';
  return { kind: 'refused', why: `has no guard: ${refusal}`, hint };
}
