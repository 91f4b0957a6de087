/**
 * What a rollback writes: from the undo rows of a gid, newest first, and the data rows as they are,
 * to the changes in their order, or to the row that stands against it. The statements belong to the
 * databases. Invariant: a change is planned only from what its step left to what it found.
 *
 * A row may have several steps; they follow each other, so after undoing step n it is as step n-1
 * left it. Newest first over all tables passes the states that the statements passed.
 */
import type { TableFacts } from './facts.ts';
import { type Image, rowIdentity, type Step, sameImage } from './image.ts';
import { isWeight, rowKey, weightOf } from './row-key.ts';
import type { DirtyRow } from './undo-store.ts';

/** A table as it is now; the databases know more of it. */
export interface PlannedTable {
  readonly facts: TableFacts;
}

/** One row from what it is to what it was. Never both null. */
export interface RowChange<Table extends PlannedTable> {
  readonly table: Table;
  readonly step: Step;
  readonly from: Image | null;
  readonly to: Image | null;
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
  /** Locks the rows with the keys of these images and answers them by key; others are not there. */
  currentRows(table: Table, images: readonly Image[]): Promise<ReadonlyMap<string, Image>>;
}

/** Rows by {@link rowIdentity}. */
export type PlannedRows<Table extends PlannedTable> = ReadonlyMap<string, PlannedRow<Table>>;

/** Locks all rows that the steps are about, table by table, and answers them as they are. */
export async function lockRows<Table extends PlannedTable>(
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

/** The changes in their order, or the step that is in the way and why. */
export type Plan<Table extends PlannedTable> =
  | { readonly kind: 'changes'; readonly changes: readonly RowChange<Table>[] }
  | { readonly kind: 'dirty'; readonly row: DirtyRow };

/**
 * Plans all steps, newest first. A row that is already as it was before (somebody put it back, a row
 * that was inserted is gone) is left; a row that was only locked is not looked at.
 */
export function planned<Table extends PlannedTable>(
  undo: readonly Step[],
  rows: PlannedRows<Table>,
): Plan<Table> {
  const changes: RowChange<Table>[] = [];
  for (const step of undo) {
    const row = rows.get(rowIdentity(step));
    if (row === undefined) throw new Error(`no row was looked up for ${step.table} ${step.key}`);
    const why = planStep(row, step, changes);
    if (why !== null) return { kind: 'dirty', row: dirtyRow(step, row.found, why) };
  }
  return { kind: 'changes', changes };
}

/** Answers what is against it. */
function planStep<Table extends PlannedTable>(
  row: PlannedRow<Table>,
  step: Step,
  changes: RowChange<Table>[],
): string | null {
  const { before, after } = step;
  if (before !== null && after !== null && sameImage(before, after)) return null;
  if (row.table === null) return row.why;
  const why = misfit(row.table, step);
  if (why !== null) return why;
  if (isSame(row.image, after)) {
    changes.push({ table: row.table, step, from: after, to: before });
    row.image = before;
    return null;
  }
  if (isSame(row.image, before) || isSame(row.image, row.original)) return null;
  if (row.found === null) return 'somebody else deleted it';
  return after === null ? 'somebody else inserted it again' : 'somebody else changed it';
}

function isSame(one: Image | null, other: Image | null): boolean {
  return one === null || other === null ? one === other : sameImage(one, other);
}

/** How the table differs from that which the images are of; null: not at all. */
function misfit({ facts }: PlannedTable, step: Step): string | null {
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

/** The row as an operator is shown it. */
export function dirtyRow(
  { table, key, before, after }: Step,
  current: Image | null,
  why: string,
): DirtyRow {
  return { table, key, before, after, current, why };
}
