/** The tables of Settle in a MySQL or MariaDB database: whether they are there, and how large. */
import { rowsCountedMax, type TableHealth } from '../../protocol/index.ts';
import type { Session } from '../facts.ts';
import { textLiteral } from './literals.ts';

/** In the current database, as every other statement finds them. The bytes are InnoDB's estimate. */
export async function mysqlTables(session: Session): Promise<readonly TableHealth[]> {
  const found: TableHealth[] = [];
  for (const table of ['settle_undo', 'settle_barrier'] as const) {
    found.push(await healthOf(session, table));
  }
  return found;
}

async function healthOf(session: Session, table: TableHealth['table']): Promise<TableHealth> {
  const sized = await session.query(
    `select coalesce(data_length, 0) + coalesce(index_length, 0) as bytes
     from information_schema.tables
     where table_schema = database() and table_name = ${textLiteral(table)}`,
  );
  const [row] = sized.rows;
  if (row === undefined) return { table, isThere: false, rows: 0, bytes: 0 };
  const counted = await session.query(
    `select count(*) as \`rows\` from (select 1 from ${table} limit ${rowsCountedMax + 1}) as counted`,
  );
  return {
    table,
    isThere: true,
    rows: Number(counted.rows[0]?.['rows']),
    bytes: Number(row['bytes']),
  };
}
