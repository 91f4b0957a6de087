/**
 * What an operator wants of the rows of a gid, and whether that can be followed. Pure. Invariants: a
 * choice counts only for the row that was looked at, told by a digest in which rows that differ in
 * any column differ; columns that the database computes are never written.
 */
import { createHash } from 'node:crypto';
import type { OtherResolution, RowResolution } from '../protocol/index.ts';
import type { Column, TableFacts } from './facts.ts';
import { type Image, rowIdentity, type Step } from './image.ts';
import { misfit, type PlannedRow, type PlannedRows, type PlannedTable } from './planned-row.ts';
import type { NotResolved } from './undo-store.ts';

/** Choices for the rows of one gid. */
export interface Choices {
  /** By {@link rowIdentity}. */
  readonly rows: ReadonlyMap<string, RowResolution>;
  /** For dirty rows that are not among them. */
  readonly otherwise: OtherResolution | null;
}

/** What becomes of a row. */
export type Choice = Pick<RowResolution, 'choice' | 'columns'>;

/** Those of a rollback that nobody has anything to do with. */
export const noChoices: Choices = { rows: new Map(), otherwise: null };

/** Null when a row is named twice. */
export function choicesOf(
  rows: readonly RowResolution[],
  otherwise: OtherResolution | null,
): Choices | null {
  const chosen = new Map(rows.map((row) => [rowIdentity(row), row]));
  return chosen.size === rows.length ? { rows: chosen, otherwise } : null;
}

/** Of a row as it is; null: it is not there. */
export function digestOf(image: Image | null): string {
  const text = image === null ? 'no row' : JSON.stringify(Object.entries(image));
  return createHash('sha256').update(text).digest('hex');
}

/** Of rows by their identity, whatever their order. */
export function digestOfAll(rows: ReadonlyMap<string, { readonly found: Image | null }>): string {
  const sorted = [...rows].map(([identity, { found }]) => `${digestOf(found)} ${identity}`).sort();
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex');
}

/** Where a choice takes a row at one of its steps. */
export function resolved<Table extends PlannedTable>(
  { table, image }: PlannedRow<Table>,
  { before }: Pick<Step, 'before'>,
  { choice, columns = {} }: Choice,
): Image | null {
  switch (choice) {
    case 'restore':
      return before;
    case 'keep':
      return image;
    case 'merge':
      // A row that was deleted and came again on the way has no columns to take there.
      if (table === null || image === null || before === null) return image;
      return merged(table.facts, { image, before }, columns);
    default:
      return choice satisfies never;
  }
}

/**
 * A merge in full: of the columns that nobody has named, those where nobody else has been become what
 * they were, as in any rollback. Told by what the newest step has left, and once for all steps: an
 * older one may have left, by chance, what the other has written. `after` null: then there is nothing
 * to compare, and only what is named is taken.
 */
export function mergedInFull(
  facts: Pick<TableFacts, 'columns' | 'key'>,
  { found, after }: { readonly found: Image | null; readonly after: Image | null },
  choice: Choice,
): Choice {
  if (choice.choice !== 'merge' || found === null || after === null) return choice;
  const inKey = new Set(facts.key.map(({ name }) => name));
  const own = facts.columns
    .filter(({ name, isGenerated }) => !isGenerated && !inKey.has(name))
    .filter(({ name }) => Object.hasOwn(after, name) && found[name] === after[name]);
  const undone = own.map(({ name }) => [name, 'before'] as const);
  return { ...choice, columns: { ...Object.fromEntries(undone), ...choice.columns } };
}

/** Without the columns that the database computes, for they change with the others. */
function merged(
  { columns, key }: Pick<TableFacts, 'columns' | 'key'>,
  { image, before }: { readonly image: Image; readonly before: Image },
  sources: MergedColumns,
): Image {
  const isTaken = (name: string): boolean =>
    Object.hasOwn(sources, name) && sources[name] === 'before' && image[name] !== before[name];
  if (!columns.some(({ name }) => isTaken(name))) return image;
  const inKey = new Set(key.map(({ name }) => name));
  const computed = new Set(
    columns
      .filter(({ name, isGenerated }) => isGenerated && !inKey.has(name))
      .map((one) => one.name),
  );
  const kept = Object.entries(image).filter(([name]) => !computed.has(name));
  return Object.fromEntries(
    kept.map(([name, text]) => [name, isTaken(name) ? (before[name] ?? null) : text]),
  );
}

type MergedColumns = Readonly<Record<string, 'before' | 'current'>>;

/**
 * Choices for rows without undo rows, for rows that are others by now, and choices that no row can
 * be taken to, in this order; null: all can be followed.
 */
export function objectionTo<Table extends PlannedTable>(
  { rows: chosen, otherwise }: Choices,
  steps: ReadonlyMap<string, readonly Step[]>,
  rows: PlannedRows<Table>,
): NotResolved | null {
  const changed: string[] = [];
  for (const [identity, { table, key, seen }] of chosen) {
    const row = rows.get(identity);
    if (row === undefined) {
      return { kind: 'unfit', why: `${table} ${key} has no undo row of this transaction` };
    }
    if (seen !== digestOf(row.found)) changed.push(`${table} ${key}`);
  }
  if (otherwise !== null && otherwise.seen !== digestOfAll(rows)) {
    changed.push('one of the rows of this transaction');
  }
  if (changed.length > 0) return { kind: 'changed', rows: changed };
  for (const [identity, choice] of chosen) {
    const row = rows.get(identity);
    const why = row === undefined ? null : unfitness(row, steps.get(identity) ?? [], choice);
    if (why !== null) return { kind: 'unfit', why: `${choice.table} ${choice.key}: ${why}` };
  }
  return null;
}

/** Why a row cannot be taken where the choice says; null: it can. */
export function unfitness<Table extends PlannedTable>(
  { table, why, found, original }: PlannedRow<Table>,
  steps: readonly Step[],
  { choice, columns = {} }: Choice,
): string | null {
  if (choice === 'keep') return null;
  if (table === null) return `${why}; it can only be kept`;
  const unlike = steps.map((step) => misfit(table, step)).find((each) => each !== null);
  if (unlike !== undefined) return `${unlike}; it can only be kept`;
  if (choice === 'restore') return null;
  if (original === null) return 'it was not there before, so there is nothing to merge';
  if (found === null) return 'it is not there now, so there is nothing to merge';
  return columnsObjection(table.facts.columns, columns);
}

function columnsObjection(known: readonly Column[], columns: MergedColumns): string | null {
  for (const [name, source] of Object.entries(columns)) {
    const column = known.find((each) => each.name === name);
    if (column === undefined) return `its table has no column ${name}`;
    if (column.isGenerated && source === 'before') return `the database computes ${name}`;
  }
  return null;
}
