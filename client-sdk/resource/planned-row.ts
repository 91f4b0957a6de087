/**
 * The rows that the undo rows of a gid are about, as they are in the database by now: looked up table
 * by table, through the keys that their images have. Guards: a row is found under the key of its
 * undo rows or not at all, and a table that has changed since is told from the one that was.
 */
import type { TableFacts } from './facts.ts';
import { type Image, rowIdentity, type Step } from './image.ts';
import { isWeight, rowKey, weightOf } from './row-key.ts';

/** A table as it is now; the databases know more of it. */
export interface PlannedTable {
  readonly facts: TableFacts;
}

/** What became of a table; null: it cannot be restored to, and `why` says it. */
export interface LookedUp<Table extends PlannedTable> {
  readonly table: Table | null;
  readonly why: string;
}

/** A data row on its way back. */
export interface PlannedRow<Table extends PlannedTable> extends LookedUp<Table> {
  /** As it is in the database. */
  readonly found: Image | null;
  /** As it was before the first step. */
  readonly original: Image | null;
  /** As it will be after what is planned so far. */
  image: Image | null;
}

/** How a database is looked at. */
export interface RowSource<Table extends PlannedTable> {
  /** The table as it is, and as it stays until the local transaction ends. */
  lookUp(id: string): Promise<LookedUp<Table>>;
  /** The rows with the keys of these images, by key; locked when any are to be written. */
  currentRows(table: Table, images: readonly Image[]): Promise<ReadonlyMap<string, Image>>;
}

/** Rows by {@link rowIdentity}. */
export type PlannedRows<Table extends PlannedTable> = ReadonlyMap<string, PlannedRow<Table>>;

/** All rows that the steps are about, looked up table by table, as they are. */
export async function lookUpRows<Table extends PlannedTable>(
  source: RowSource<Table>,
  undo: readonly Step[],
): Promise<PlannedRows<Table>> {
  const rows = new Map<string, PlannedRow<Table>>();
  for (const [table, steps] of Map.groupBy(undo, (step) => step.table)) {
    const known = await source.lookUp(table);
    const fitting = known.table === null ? [] : steps.filter(hasKeyOf(known.table));
    const wanted = new Map(fitting.reverse().map((step) => [step.key, step.after ?? step.before]));
    const images = [...wanted.values()].filter((image) => image !== null);
    const found =
      known.table === null || images.length === 0
        ? new Map<string, Image>()
        : await source.currentRows(known.table, images);
    // From the newest to the oldest: the last one to say what the original was is the oldest.
    for (const step of steps) {
      const image = found.get(step.key) ?? null;
      rows.set(rowIdentity(step), { ...known, found: image, image, original: step.before });
    }
  }
  return rows;
}

/** A key that is another one by now is found out when the step's turn comes. */
function hasKeyOf({ facts }: PlannedTable): (step: Step) => boolean {
  return (step) => {
    const image = step.after ?? step.before;
    const names = [...facts.key.map(({ name }) => name), ...weightsOf(facts)];
    if (image === null || !names.every((name) => Object.hasOwn(image, name))) return false;
    return rowKey(facts, image) === step.key;
  };
}

/** How the table differs from that which the images are of; null: not at all. */
export function misfit({ facts }: PlannedTable, step: Step): string | null {
  const weights = weightsOf(facts);
  const columns = facts.columns.map(({ name }) => name);
  for (const image of [step.before, step.after]) {
    if (image === null) continue;
    const added = columns.find((name) => !Object.hasOwn(image, name));
    if (added !== undefined) return `its table has got a column ${added} since`;
    const others = Object.keys(image).filter((name) => !columns.includes(name));
    const dropped = others.find((name) => !isWeight(name));
    if (dropped !== undefined) return `its table has no column ${dropped} any more`;
    const isSameKey =
      weights.every((name) => others.includes(name)) && rowKey(facts, image) === step.key;
    if (!isSameKey) return 'its table has got another primary key since';
    if (others.length > weights.length) return 'its key is compared in another way since';
  }
  return null;
}

function weightsOf({ key }: TableFacts): readonly string[] {
  return key.filter(({ form }) => form === 'weight').map(({ name }) => weightOf(name));
}
