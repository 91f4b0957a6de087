/** Who holds which rows, as `settle_undo` of MySQL says: read, never waited for. */
import type { LocksQuestion } from '../../protocol/index.ts';
import type { Session, TableFacts } from '../facts.ts';
import { type KnownTable, keyColumns } from '../lock-columns.ts';
import type { LockRow } from '../undo-store.ts';
import { textLiteral, wholeLiteral } from './literals.ts';
import { lookUp } from './restore.ts';

/**
 * At most one lock more than the limit, by the order of undo_id: the newest first, or the oldest. By
 * the key of undo_id or of the gid, or the part of the primary key that is the table.
 */
export async function locksOf(
  session: Session,
  { table, gid, order, limit, after }: LocksQuestion,
): Promise<readonly LockRow[]> {
  const isNewest = order === 'newest';
  // Below that there is only what guards collide with.
  const conditions = ['step = 0', 'undo_id > 0'];
  if (table !== undefined) conditions.push(`table_name = ${textLiteral(table)}`);
  if (gid !== undefined) conditions.push(`gid = ${textLiteral(gid)}`);
  // Only digits come here: past what a number of JavaScript holds exactly.
  if (after !== undefined) conditions.push(`undo_id ${isNewest ? '<' : '>'} ${BigInt(after)}`);
  const { rows } = await session.query(
    `select cast(undo_id as char) as id, table_name as t, row_key as k, gid as g, branch_id as b,
        cast(created_at_ms as char) as c
      from settle_undo where ${conditions.join(' and ')}
      order by undo_id ${isNewest ? 'desc' : 'asc'} limit ${wholeLiteral(limit + 1)}`,
  );
  const locks = rows.map((row) => ({
    undoId: String(row['id']),
    table: String(row['t']),
    key: String(row['k']),
    gid: String(row['g']),
    branchId: Number(row['b']),
    createdAtMs: Number(row['c']),
  }));
  const tables = new Map<string, KnownTable>();
  for (const [id, own] of Map.groupBy(locks, (lock) => lock.table)) {
    const { table: found } = await lookUp(session, id);
    if (found === null) continue;
    const ids = own.map(({ undoId }) => undoId);
    tables.set(id, { facts: found.facts, texts: await weighedTexts(session, found.facts, ids) });
  }
  return locks.map((lock) => ({ ...lock, columns: keyColumns(lock, tables.get(lock.table)) }));
}

/**
 * The texts of columns that are locked by their weight: those stand in the images only. By undo row
 * and column.
 */
async function weighedTexts(
  session: Session,
  { key }: TableFacts,
  ids: readonly string[],
): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
  const names = key.filter(({ form }) => form === 'weight').map(({ name }) => name);
  if (names.length === 0) return new Map();
  const texts = names.map((name, index) => {
    const path = textLiteral(`$.${JSON.stringify(name)}`);
    return `json_unquote(json_extract(ifnull(before_image, after_image), ${path})) as w${index}`;
  });
  const { rows } = await session.query(
    `select cast(undo_id as char) as id, ${texts.join(', ')} from settle_undo
      where undo_id in (${ids.map((id) => String(BigInt(id))).join(', ')})`,
  );
  return new Map(
    rows.map((row) => [
      String(row['id']),
      new Map(names.map((name, index) => [name, String(row[`w${index}`])])),
    ]),
  );
}
