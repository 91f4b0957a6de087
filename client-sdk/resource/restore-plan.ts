/**
 * What a rollback writes: from the undo rows of a gid, newest first, the data rows as they are, and
 * an operator's choices, to the changes in their order, or to the rows that stand against it. The
 * statements belong to the databases. Invariant: a change is planned only from what its step left to
 * what it found, or because somebody chose so who has seen the row as it is.
 *
 * A row may have several steps; they follow each other, so after undoing step n it is as step n-1
 * left it. Newest first over all tables passes the states that the statements passed; a row with a
 * choice passes them, too, step by step.
 */
import type { Gid } from '../protocol/index.ts';
import {
  type Choice,
  type Choices,
  mergedInFull,
  noChoices,
  objectionTo,
  resolved,
  unfitness,
} from './choices.ts';
import type { Session } from './facts.ts';
import { type Image, rowIdentity, type Step, sameImage } from './image.ts';
import {
  misfit,
  type PlannedRow,
  type PlannedRows,
  type PlannedTable,
  type RowSource,
} from './planned-row.ts';
import type {
  DirtyRow,
  NotResolved,
  Resolved,
  Restored,
  UndoStore,
  WrittenRow,
} from './undo-store.ts';

/** One row from what it is to what it was. Never both null. */
export interface RowChange<Table extends PlannedTable> {
  readonly table: Table;
  readonly step: Step;
  readonly from: Image | null;
  /** Of a merge it lacks the columns that the database computes: nobody knows yet how they read. */
  readonly to: Image | null;
}

/** The changes in their order, or what is in the way. */
export type Plan<Table extends PlannedTable> =
  | {
      readonly kind: 'changes';
      readonly changes: readonly RowChange<Table>[];
      /** By row: those that were named, and dirty ones under the choice for all others. */
      readonly chosen: ReadonlyMap<string, Choice>;
    }
  | NotResolved;

/**
 * Plans all steps, newest first, and leaves in each row how it will be. A row that is already as it
 * was before (somebody put it back, a row that was inserted is gone) is left; a row that was only
 * locked is not looked at. What was chosen for a row holds whatever its state.
 */
export function planned<Table extends PlannedTable>(
  undo: readonly Step[],
  rows: PlannedRows<Table>,
  choices: Choices,
): Plan<Table> {
  const steps = Map.groupBy(undo, rowIdentity);
  const objection = objectionTo(choices, steps, rows);
  if (objection !== null) return objection;
  const { otherwise } = choices;
  const chosen = new Map<string, Choice>(
    [...choices.rows].map(([identity, choice]) => [
      identity,
      inFull(rowOf(rows, identity), steps.get(identity) ?? [], choice),
    ]),
  );
  const dirty: DirtyRow[] = [];
  for (const [identity, own] of steps) {
    if (chosen.has(identity)) continue;
    const row = rowOf(rows, identity);
    const found = dirtiness(row, own);
    if (found === null) continue;
    if (otherwise === null || unfitness(row, own, otherwise) !== null) dirty.push(found);
    else chosen.set(identity, otherwise);
  }
  const [first, ...others] = dirty;
  if (first !== undefined) return { kind: 'dirty', row: first, others };
  return { kind: 'changes', changes: changesOf(undo, rows, chosen), chosen };
}

function inFull<Table extends PlannedTable>(
  { table, found }: PlannedRow<Table>,
  steps: readonly Step[],
  choice: Choice,
): Choice {
  const newest = steps.find((step) => !isLockOnly(step));
  if (table === null || newest === undefined) return choice;
  return mergedInFull(table.facts, { found, after: newest.after }, choice);
}

function changesOf<Table extends PlannedTable>(
  undo: readonly Step[],
  rows: PlannedRows<Table>,
  chosen: ReadonlyMap<string, Choice>,
): readonly RowChange<Table>[] {
  const changes: RowChange<Table>[] = [];
  for (const step of undo) {
    const row = rowOf(rows, rowIdentity(step));
    const choice = chosen.get(rowIdentity(step));
    const to = choice === undefined ? undone(row, step).to : resolved(row, step, choice);
    const { table, image: from } = row;
    row.image = to;
    if (table !== null && !isSame(from, to)) changes.push({ table, step, from, to });
  }
  return changes;
}

function rowOf<Table extends PlannedTable>(
  rows: PlannedRows<Table>,
  identity: string,
): PlannedRow<Table> {
  const row = rows.get(identity);
  if (row === undefined) throw new Error(`no row was looked up for ${identity}`);
  return row;
}

/** Where the row is after the step is undone; `why`: it stands against that, and stays. */
interface Undone {
  readonly to: Image | null;
  readonly why: string | null;
}

function undone<Table extends PlannedTable>(row: PlannedRow<Table>, step: Step): Undone {
  const { table, found, original, image } = row;
  const { before, after } = step;
  if (isLockOnly(step)) return { to: image, why: null };
  const unlike = table === null ? row.why : misfit(table, step);
  if (unlike !== null) return { to: image, why: unlike };
  if (isSame(image, after)) return { to: before, why: null };
  if (isSame(image, before) || isSame(image, original)) return { to: image, why: null };
  if (found === null) return { to: image, why: 'somebody else deleted it' };
  const what = after === null ? 'inserted it again' : 'changed it';
  return { to: image, why: `somebody else ${what}` };
}

/** Whether the step has changed nothing. */
export function isLockOnly({ before, after }: Step): boolean {
  return before !== null && after !== null && sameImage(before, after);
}

/** What stands against undoing these steps of one row, newest first; null: nothing. */
export function dirtiness<Table extends PlannedTable>(
  row: PlannedRow<Table>,
  steps: readonly Step[],
): DirtyRow | null {
  let { image } = row;
  for (const step of steps) {
    const { to, why } = undone({ ...row, image }, step);
    if (why !== null) return dirtyRow(step, row.found, why);
    image = to;
  }
  return null;
}

/** All rows as they were found and as they are now that all is written. */
export async function writtenRows<Table extends PlannedTable>(
  source: RowSource<Table>,
  undo: readonly Step[],
  {
    rows,
    chosen,
  }: { readonly rows: PlannedRows<Table>; readonly chosen: ReadonlyMap<string, Choice> },
): Promise<readonly WrittenRow[]> {
  const written: WrittenRow[] = [];
  for (const [identity, [step]] of Map.groupBy(undo, rowIdentity)) {
    const { table, found, image } = rowOf(rows, identity);
    if (step === undefined) continue;
    const choice = chosen.get(identity)?.choice ?? null;
    // What the database has computed is not in the plan.
    const isRead = choice === 'merge' && table !== null && found !== null;
    const to = isRead ? (await source.currentRows(table, [found])).get(step.key) : image;
    const columns = table?.facts.columns ?? [];
    written.push({
      table: step.table,
      key: step.key,
      columns,
      choice,
      from: found,
      to: to ?? null,
    });
  }
  return written;
}

function isSame(one: Image | null, other: Image | null): boolean {
  return one === null || other === null ? one === other : sameImage(one, other);
}

/** What became of the steps of a gid, and how many there were. */
export interface ResolvedSteps {
  readonly resolved: Resolved;
  readonly steps: number;
}

/**
 * What a store does with the undo rows of a gid, from its one way to write rows back. `resolveSteps`
 * may throw what the driver throws, such as a unique key that another row has taken meanwhile:
 * nothing is decided then, and it is asked again.
 */
export function restoring(
  resolveSteps: (session: Session, gid: Gid, choices: Choices) => Promise<ResolvedSteps>,
): Pick<UndoStore, 'restore' | 'resolve'> {
  return {
    async restore(session, gid) {
      const { resolved, steps } = await resolveSteps(session, gid, noChoices);
      return asRestored(resolved, steps);
    },
    async resolve(session, gid, choices) {
      return (await resolveSteps(session, gid, choices)).resolved;
    },
  };
}

/** Of a rollback without choices. Throws a plain Error for what only a choice can bring about. */
function asRestored(resolved: Resolved, steps: number): Restored {
  switch (resolved.kind) {
    case 'resolved':
      return { kind: 'restored', rows: steps };
    case 'dirty':
      return resolved;
    case 'changed':
    case 'unfit':
      throw new Error(`nobody chose, and yet a choice is ${resolved.kind}`);
    default:
      return resolved satisfies never;
  }
}

/** The row as an operator is shown it. */
export function dirtyRow(
  { table, key, before, after }: Step,
  current: Image | null,
  why: string,
): DirtyRow {
  return { table, key, before, after, current, why };
}
