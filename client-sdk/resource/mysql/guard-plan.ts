/**
 * What `settle migrate --guard` has to run on MySQL and MariaDB. Reads the catalogue, changes
 * nothing; the texts of the guard are in `guard.ts`.
 */
import type { Session, TableName } from '../facts.ts';
import { type GuardPlan, type GuardWish, noSuchTable, notLocked } from '../guard.ts';
import { creation, isGuard, isNamedGuard, removal } from './guard.ts';
import { factsFrom, guardedBy } from './table-facts.ts';
import { readTable } from './table-query.ts';

/**
 * For a table as the catalogue spells it, by default in the session's own database. Safe to repeat:
 * what is there as it should be stays.
 */
export async function planGuardOnMysql(
  session: Session,
  { schema, name }: TableName,
  wish: GuardWish,
): Promise<GuardPlan> {
  const { rows } = await session.query('select database() as db');
  const row = await readTable(session, { schema: schema ?? String(rows[0]?.['db']), name });
  if (row === null) return noSuchTable;
  const { id, refusal } = factsFrom(row);
  const old = removal(row.schema, row.triggers);
  if (wish === 'unguard') return { kind: 'statements', table: id, statements: old };
  if (refusal !== null) return notLocked(refusal);
  const guarded = guardedBy(row);
  const named = row.triggers.filter(isNamedGuard);
  const isThere = named.length === 3 && named.every((trigger) => isGuard(trigger, guarded));
  const statements = isThere ? [] : [...old, ...creation(guarded)];
  return { kind: 'statements', table: id, statements };
}
