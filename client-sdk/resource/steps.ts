/**
 * From the rows of a rewritten statement to steps, and which statements are refused for what their
 * tables are. Pure. Guards: what the images say is checked, whatever the text seemed to say.
 */
import type { SettleError } from '../errors.ts';
import type { Hazard, TableFacts } from './facts.ts';
import type { Image, Step } from './image.ts';
import { unsupported } from './refusal.ts';
import { rowKey } from './row-key.ts';
import { imageColumns, type WriteStatement } from './statement.ts';

type Row = Readonly<Record<string, unknown>>;

/** What the rows of a statement are read with. */
export interface StepSource {
  readonly write: WriteStatement;
  /** In the order of its tables. */
  readonly facts: readonly TableFacts[];
  /** Of an upsert: rows that it found, by their keys. */
  readonly there: ReadonlyMap<string, Image>;
  readonly image: (facts: TableFacts, text: string) => Image;
}

/**
 * The steps of one statement, in the order of its rows. Throws AT_UNSUPPORTED_SQL when a key was
 * changed; another error when images are missing. The statement has run by then.
 */
export function stepsOf(source: StepSource, rows: readonly Row[]): readonly Step[] {
  const steps: Step[] = [];
  for (const row of rows) {
    source.facts.forEach((facts, index) => {
      steps.push(stepOf(source, facts, row, index === 0 ? '' : `_${index + 1}`));
    });
  }
  return steps;
}

function stepOf({ write, image, there }: StepSource, facts: TableFacts, row: Row, suffix: string) {
  const imageIn = (column: string): Image | null => {
    const text = row[`${column}${suffix}`];
    return typeof text === 'string' ? image(facts, text) : null;
  };
  const given = imageIn(imageColumns.before);
  const after = write.change === 'lock' ? given : imageIn(imageColumns.after);
  const known = after ?? given;
  if (known === null) throw new Error('a row came without an image');
  const key = rowKey(facts, known);
  const before = write.change === 'upsert' ? upserted(row, there.get(key)) : given;
  const expectsBefore = write.change === 'update' || write.change === 'delete';
  if ((expectsBefore && before === null) || (before !== null && rowKey(facts, before) !== key)) {
    throw keyChange(facts);
  }
  return { table: facts.id, key, before, after };
}

/** The refusal of an update that moves a row to another key. */
export function keyChange({ id }: TableFacts): SettleError {
  return unsupported(
    `an update that changes the primary key of ${id}`,
    'delete the row and insert another one',
  );
}

/** A row that was there must have been seen before: others insert between two statements. */
function upserted(row: Row, there: Image | undefined): Image | null {
  const isInserted = row[imageColumns.inserted] === true;
  if (isInserted && there !== undefined) throw new Error('a locked row was inserted again');
  if (isInserted) return null;
  if (there !== undefined) return there;
  throw unsupported(
    'an upsert met a row that another transaction has just inserted',
    'run the whole transaction again',
  );
}

/** The columns that a rewritten statement on that many tables carries besides the user's. */
export function ownColumns(tables: number): readonly string[] {
  const { before, after, inserted, held } = imageColumns;
  const more = Array.from({ length: tables - 1 }, (_, i) => `${before}_${i + 2}`);
  return [before, after, inserted, held, ...more];
}

/** Throws AT_UNSUPPORTED_SQL when rows that this statement does not name may change with it. */
export function refuseHazards(write: WriteStatement, facts: TableFacts): void {
  if (facts.refusal !== null) {
    throw unsupported(`${facts.id}: ${facts.refusal}`, 'change it in a TCC method or a saga step');
  }
  if (write.change === 'lock') return;
  const hazard = facts.hazards.find((one) => isMet(one, write));
  if (hazard === undefined) return;
  throw unsupported(
    `${hazard.what} on ${facts.id}, whose effect cannot be undone for certain`,
    'drop it and do what it does in a statement, or use a TCC method or a saga step',
  );
}

function isMet({ on, columns }: Hazard, { change, columnsSet }: WriteStatement): boolean {
  const does = change === 'upsert' ? ['insert', 'update'] : [change];
  return does.some((verb) => {
    if (!on.some((one) => one === verb)) return false;
    if (verb !== 'update' || columns === null) return true;
    return columns.some((column) => columnsSet.includes(column));
  });
}
