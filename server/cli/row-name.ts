/**
 * How people name a row on the command line: table and key, the table with its schema or without,
 * the key as undo rows have it (`["1","a"]`) or its values with commas (`1,a`).
 */

/** A row as somebody names it. */
export interface RowName {
  readonly table: string;
  readonly key: string;
}

/** Whether the place, as undo rows have it, is the one that is named. */
export function isRow(place: RowName, named: RowName): boolean {
  return isTable(place.table, named.table) && isKey(place.key, named.key);
}

/** `TABLE KEY` in one text; null: it is none. */
export function rowNameIn(text: string): RowName | null {
  const [, table, key] = /^\s*(\S+)\s+(.*\S)\s*$/.exec(text) ?? [];
  return table === undefined || key === undefined ? null : { table, key };
}

function isTable(table: string, named: string): boolean {
  const plain = (text: string) => text.replaceAll(/["`]/g, '');
  return plain(table) === plain(named) || plain(table).endsWith(`.${plain(named)}`);
}

function isKey(key: string, named: string): boolean {
  return key === named || valuesOf(key) === named;
}

function valuesOf(key: string): string | null {
  try {
    const values: unknown = JSON.parse(key);
    return Array.isArray(values) ? values.join(',') : null;
  } catch {
    return null;
  }
}
