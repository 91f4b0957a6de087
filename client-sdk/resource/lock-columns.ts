/** The key of a lock as columns of its table, for people. Pure. */
import type { TableFacts } from './facts.ts';
import type { LockRow } from './undo-store.ts';

/** A table that locks are in. */
export interface KnownTable {
  readonly facts: TableFacts;
  /** Texts that the key does not tell, by undo row and column. */
  readonly texts: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** Empty when the key is not one of this table as it is now, or nothing is known of the table. */
export function keyColumns(
  { undoId, key }: Pick<LockRow, 'undoId' | 'key'>,
  known: KnownTable | undefined,
): LockRow['columns'] {
  // A parse boundary: only `rowKey` makes keys.
  const texts = JSON.parse(key) as readonly string[];
  if (known === undefined || known.facts.key.length !== texts.length) return [];
  const { facts, texts: others } = known;
  return facts.key.map(({ name }, index) => ({
    name,
    type: facts.columns.find((column) => column.name === name)?.type ?? '',
    text: others.get(undoId)?.get(name) ?? texts[index] ?? '',
  }));
}
