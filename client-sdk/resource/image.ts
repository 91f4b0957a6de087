/**
 * Rows as undo keeps them. Every column is the text of the database's own output for its type,
 * taken under settings that do not depend on the session, and goes back through the type's own
 * input: what is not read here cannot be misread here. Pure; how images are taken and written back
 * belongs to the databases.
 */

/** A row: the text of each column by its name, null for NULL. Columns in the order of the table. */
export type Image = Readonly<Record<string, string | null>>;

/** One row changed once. Insert: no `before`. Delete: no `after`. A lock only: both, and equal. */
export interface Step {
  /** {@link TableFacts.id} of its table. */
  readonly table: string;
  /** {@link rowKey} of the row. */
  readonly key: string;
  readonly before: Image | null;
  readonly after: Image | null;
}

/** Whether two images say the same, column by column. */
export function sameImage(one: Image, other: Image): boolean {
  const names = Object.keys(one);
  if (names.length !== Object.keys(other).length) return false;
  return names.every((name) => Object.hasOwn(other, name) && one[name] === other[name]);
}

/** One text for each data row: no table's name has a NUL in it. */
export function rowIdentity({ table, key }: Pick<Step, 'table' | 'key'>): string {
  return `${table}\0${key}`;
}

/** A step with its place among the undo rows. */
export interface NumberedStep extends Step {
  /** From 0, of its row. */
  readonly number: number;
  /** From 1, of its branch. */
  readonly position: number;
}

/** Each step under the next number of its row. `taken`: steps that stand before these, by row. */
export function numbered(
  steps: readonly Step[],
  taken: ReadonlyMap<string, number>,
): readonly NumberedStep[] {
  const next = new Map(taken);
  return steps.map((step, index) => {
    const number = next.get(rowIdentity(step)) ?? 0;
    next.set(rowIdentity(step), number + 1);
    return { ...step, number, position: index + 1 };
  });
}
