/**
 * Which functions may change rows unseen. The user's own say so themselves (`volatile`, the
 * default); of those that come with PostgreSQL the few that write, or that run SQL given as text,
 * are listed. Sequences and advisory locks are outside of transactions anyway and not meant.
 */
import type { FunctionName, Session } from '../facts.ts';
import { isUsersVolatile } from './table-query.ts';

/** Built in, and volatile in the sense that counts. */
const builtInWriters: readonly string[] = [
  // Large objects are rows of a table of the system.
  ...['lo_create', 'lo_creat', 'lo_unlink', 'lo_import', 'lo_export', 'lo_put', 'lo_from_bytea'],
  ...['lo_open', 'lowrite', 'lo_truncate', 'lo_truncate64'],
  // Run a text that nobody here has read.
  ...['query_to_xml', 'query_to_xmlschema', 'query_to_xml_and_xmlschema', 'cursor_to_xml'],
  ...['cursor_to_xmlschema', 'ts_stat', 'ts_rewrite'],
  // Write to the catalogue.
  ...['pg_import_system_collations', 'pg_extension_config_dump', 'pg_nextoid'],
];

const query = `select asked.place::int as place
  from unnest($1::text[], $2::text[]) with ordinality as asked (schema, name, place)
  where exists (
    select from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where p.proname = asked.name and case when asked.schema = ''
        then n.nspname = any (current_schemas(true)) else n.nspname = asked.schema end
      and (${isUsersVolatile}
        or p.oid < 16384 and p.proname = any ($3::text[])
        or p.oid >= 16384 and exists (
          select from pg_catalog.pg_aggregate g join pg_catalog.pg_proc part
            on part.oid in (g.aggtransfn, g.aggfinalfn, g.aggcombinefn,
              g.aggmtransfn, g.aggmfinalfn)
          where g.aggfnoid = p.oid and part.oid >= 16384 and part.provolatile = 'v')))
  order by asked.place`;

/**
 * Those of the functions of which one of that name, in its schema or on the search path, may write.
 * One query; names that nobody has are left to the database's own error.
 */
export async function writersAmong(
  session: Session,
  functions: readonly FunctionName[],
): Promise<readonly FunctionName[]> {
  const names = functions.map(partsOf);
  const { rows } = await session.query(query, [
    names.map((parts) => parts.at(-2) ?? ''),
    names.map((parts) => parts.at(-1) ?? ''),
    builtInWriters,
  ]);
  return rows.flatMap((row) => functions[Number(row['place']) - 1] ?? []);
}

/** `shop."Settle"` → `shop`, `Settle`. Names come in the spelling of the catalogue, or quoted. */
export function partsOf(name: string): readonly string[] {
  const parts = name.match(/"(?:[^"]|"")*"|[^.]+/g) ?? [];
  return parts.map((part) =>
    part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part,
  );
}
