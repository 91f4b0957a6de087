/**
 * How a participant says that a rollback has stopped at a dirty row: the text of its refusal, which the
 * log keeps and operators read. Made and recognised here alone, for both sides of the wire.
 */

/** The row, and what is wrong with it. */
export interface DirtyRowSaid {
  readonly table: string;
  /** A JSON list. */
  readonly key: string;
  /** As the end of a sentence: `it was changed by somebody else`. */
  readonly why: string;
}

const mark = 'AT_DIRTY_ROW';

/** `AT_DIRTY_ROW: TABLE KEY: why`. */
export function dirtyRowError({ table, key, why }: DirtyRowSaid): string {
  return `${mark}: ${table} ${key}: ${why}`;
}

/** Whether the error of a branch is that of a dirty row; whatever stands around it. */
export function isDirtyRowError(error: string): boolean {
  return error.includes(mark);
}

/** The row; null: the text was cut, or is another one. */
export function dirtyRowIn(error: string): Pick<DirtyRowSaid, 'table' | 'key'> | null {
  const [, table, key] = /AT_DIRTY_ROW: (\S+) (\[.*\]): /.exec(error) ?? [];
  return table === undefined || key === undefined || !isList(key) ? null : { table, key };
}

function isList(text: string): boolean {
  try {
    return Array.isArray(JSON.parse(text));
  } catch {
    return false;
  }
}
