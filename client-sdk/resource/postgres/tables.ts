/** The tables of Settle in a PostgreSQL database: whether they are there, and how large. */
import { rowsCountedMax, type TableHealth } from '../../protocol/index.ts';
import type { Session } from '../facts.ts';

/** By the search path, as every other statement finds them. A table that is missing is not asked again. */
export async function postgresTables(session: Session): Promise<readonly TableHealth[]> {
  const found: TableHealth[] = [];
  for (const table of ['settle_undo', 'settle_barrier'] as const) {
    found.push(await healthOf(session, table));
  }
  return found;
}

async function healthOf(session: Session, table: TableHealth['table']): Promise<TableHealth> {
  const sized = await session.query(
    'select pg_total_relation_size(to_regclass($1::text))::text as bytes',
    [table],
  );
  const bytes = sized.rows[0]?.['bytes'] ?? null;
  if (bytes === null) return { table, isThere: false, rows: 0, bytes: 0 };
  const counted = await session.query(
    `select count(*)::int as rows from (select 1 from ${table} limit ${rowsCountedMax + 1}) as counted`,
  );
  return {
    table,
    isThere: true,
    rows: Number(counted.rows[0]?.['rows']),
    bytes: Number(bytes),
  };
}
