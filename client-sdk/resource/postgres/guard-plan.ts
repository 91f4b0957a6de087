/**
 * What `settle migrate --guard` has to run on PostgreSQL. Reads the catalogue, changes nothing; the
 * texts of the guard are in `guard.ts`.
 */
import type { Session, TableName } from '../facts.ts';
import { type GuardPlan, type GuardWish, noSuchTable, notLocked } from '../guard.ts';
import { creation, isGuard, isNamedGuard, removal } from './guard.ts';
import { factsFrom } from './table-facts.ts';
import { readTable } from './table-query.ts';

/** For a table as the catalogue spells it. Safe to repeat: what is there as it should be stays. */
export async function planGuardOnPostgres(
  session: Session,
  table: TableName,
  wish: GuardWish,
): Promise<GuardPlan> {
  const row = await readTable(session, table);
  if (row === null) return noSuchTable;
  const { id, undoSchema } = row;
  const old = removal(id, row.triggers);
  if (wish === 'unguard') return { kind: 'statements', table: id, statements: old };
  const { refusal, key } = factsFrom(row);
  if (refusal !== null) return notLocked(refusal);
  const guarded = { id, key, undoSchema };
  const named = row.triggers.filter(isNamedGuard);
  const isThere = named.length === 2 && named.every((trigger) => isGuard(trigger, guarded));
  const statements = isThere ? [] : [...old, ...creation(guarded)];
  return { kind: 'statements', table: id, statements };
}
