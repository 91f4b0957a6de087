/** Who holds which rows, as `settle_undo` of PostgreSQL says: read, never waited for. */
import type { LocksQuestion } from '../../protocol/index.ts';
import type { Session } from '../facts.ts';
import { type KnownTable, keyColumns } from '../lock-columns.ts';
import type { LockRow } from '../undo-store.ts';
import { lookUp } from './restore.ts';

/**
 * At most one lock more than the limit, by the order of undo_id: the newest first, or the oldest. By
 * the index of the gid or the primary key's prefix; without either all undo rows are read.
 */
export async function locksOf(
  session: Session,
  { table, gid, order, limit, after }: LocksQuestion,
): Promise<readonly LockRow[]> {
  const isNewest = order === 'newest';
  const { rows } = await session.query(
    `select undo_id::text as id, table_name, row_key, gid, branch_id, created_at_ms::text as at,
        (to_regclass(table_name) is not null)::int as is_there
      from settle_undo
      where step = 0 and ($1::text is null or table_name = $1) and ($2::text is null or gid = $2)
        and ($3::bigint is null or undo_id ${isNewest ? '<' : '>'} $3)
      order by settle_undo.undo_id ${isNewest ? 'desc' : 'asc'} limit $4`,
    [table ?? null, gid ?? null, after ?? null, limit + 1],
  );
  const locks = rows.map((row) => ({
    undoId: String(row['id']),
    table: String(row['table_name']),
    key: String(row['row_key']),
    gid: String(row['gid']),
    branchId: Number(row['branch_id']),
    createdAtMs: Number(row['at']),
  }));
  const tables = new Map<string, KnownTable>();
  // A statement on a table that is gone would end the local transaction.
  const there = rows.filter((row) => Number(row['is_there']) === 1);
  for (const id of new Set(there.map((row) => String(row['table_name'])))) {
    const { table: found } = await lookUp(session, id);
    if (found !== null) tables.set(id, { facts: found.facts, texts: new Map() });
  }
  return locks.map((lock) => ({ ...lock, columns: keyColumns(lock, tables.get(lock.table)) }));
}
