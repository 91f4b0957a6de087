/**
 * Which functions may change rows unseen. Of the user's own only those that are declared
 * `deterministic` and to read at most are taken for harmless: what they declare alone is not checked
 * by the server. Locks by name, sequences and messages to other sessions are not meant: they are
 * outside of transactions anyway.
 */
import type { FunctionName, Session } from '../facts.ts';
import { isBuiltIn } from './built-in-functions.ts';
import { textLiteral } from './literals.ts';
import { partsOf } from './names.ts';

/**
 * Those of the functions that may write: stored ones, unless they declare otherwise, and what is not
 * known at all, such as functions of libraries. No query when all of them are the server's own.
 */
export async function writersAmong(
  session: Session,
  database: string | null,
  functions: readonly FunctionName[],
): Promise<readonly FunctionName[]> {
  const asked = functions.flatMap((name) => {
    const parts = partsOf(name);
    const own = (parts.at(-1) ?? '').toLowerCase();
    if (parts.length === 1 && isBuiltIn(own)) return [];
    return { name, schema: parts.at(-2) ?? database, own };
  });
  if (asked.length === 0) return [];
  const harmless = await harmlessAmong(session, asked);
  return asked
    .filter(({ schema, own }) => !harmless.has(`${schema}.${own}`))
    .map(({ name }) => name);
}

interface Asked {
  readonly schema: string | null;
  readonly own: string;
}

/** Names of routines know no case; those of databases may. */
async function harmlessAmong(
  session: Session,
  asked: readonly Asked[],
): Promise<ReadonlySet<string>> {
  const conditions = asked.map(
    ({ schema, own }) =>
      `(routine_schema = ${textLiteral(schema ?? '')} and routine_name = ${textLiteral(own)})`,
  );
  const { rows } = await session.query(
    `select routine_schema as db, lower(routine_name) as name from information_schema.routines
      where routine_type = 'FUNCTION' and is_deterministic = 'YES'
        and sql_data_access in ('NO SQL', 'CONTAINS SQL', 'READS SQL DATA')
        and (${conditions.join(' or ')})`,
  );
  return new Set(rows.map((row) => `${String(row['db'])}.${String(row['name'])}`));
}
