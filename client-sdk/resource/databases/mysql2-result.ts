/**
 * How results of mysql2 are read and cleaned of the columns that a rewritten statement carries: rows
 * as objects, as lists (`rowsAsArray`) and by table (`nestTables`). Our columns are of no table.
 */
import type { ResultShape } from '../database.ts';

/** What `query` and `execute` answer: rows or a header, and the columns of rows. */
export type Mysql2Result = [unknown, unknown];

type Row = Readonly<Record<string, unknown>>;

/** For calls with this value of `nestTables`. */
export function resultShape(nestTables: unknown): ResultShape<Mysql2Result> {
  // With a text the driver puts it between table and column: `account_id`, and `_settle_before`.
  const prefix = typeof nestTables === 'string' ? nestTables : '';
  return {
    rowsOf([rows, fields]) {
      if (!Array.isArray(rows)) return [];
      const names = namesOf(fields);
      return rows.map((row: unknown) => plainRow(row, names, prefix));
    },
    without([rows, fields], columns, keepsRows) {
      if (!Array.isArray(rows)) return [rows, fields];
      if (!keepsRows) return [[], []];
      const kept = namesOf(fields).filter((name) => !columns.includes(name)).length;
      const left = Array.isArray(fields)
        ? fields.filter((field: unknown) => !columns.includes(nameOf(field)))
        : fields;
      const hidden = columns.map((column) => `${prefix}${column}`);
      return [rows.map((row: unknown) => cleaned(row, hidden, kept)), left];
    },
  };
}

function namesOf(fields: unknown): readonly string[] {
  return Array.isArray(fields) ? fields.map(nameOf) : [];
}

function nameOf(field: unknown): string {
  if (typeof field !== 'object' || field === null || !('name' in field)) return '';
  return String(field.name);
}

/** Our columns by their own names, whatever form the row has. */
function plainRow(row: unknown, names: readonly string[], prefix: string): Row {
  if (Array.isArray(row)) return Object.fromEntries(names.map((name, i) => [name, row[i]]));
  if (typeof row !== 'object' || row === null) return {};
  // Parse boundary: by table, those of no table are under the empty name.
  const record = row as Row;
  const ofNoTable = record[''];
  if (typeof ofNoTable === 'object' && ofNoTable !== null) return ofNoTable as Row;
  if (prefix === '') return record;
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [
      name.startsWith(prefix) ? name.slice(prefix.length) : name,
      value,
    ]),
  );
}

/** Of a list the last ones are ours. */
function cleaned(row: unknown, hidden: readonly string[], kept: number): unknown {
  if (Array.isArray(row)) return row.slice(0, kept);
  if (typeof row !== 'object' || row === null) return row;
  for (const column of hidden) Reflect.deleteProperty(row, column);
  if ('' in row && typeof row[''] === 'object' && row[''] !== null) {
    for (const column of hidden) Reflect.deleteProperty(row[''], column);
    if (Object.keys(row['']).length === 0) Reflect.deleteProperty(row, '');
  }
  return row;
}
