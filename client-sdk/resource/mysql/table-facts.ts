/**
 * Judges a table of MySQL or MariaDB: whether rows of it can be undone for certain, and which
 * statements change rows that they do not name. Pure. What is not on a list is refused. Invariant:
 * what a statement may do here, its undo may do, too; so a trigger on insert stands against delete.
 */
import type { Column, Hazard, KeyColumn, TableFacts } from '../facts.ts';
import { strangerNamed } from '../guard.ts';
import { type GuardedTable, isGuard, isNamedGuard } from './guard.ts';
import { comparisonOf, readingOf } from './image-columns.ts';
import { quoted } from './names.ts';
import type { ColumnRow, KeyRow, ReferenceRow, TableRow, TriggerRow } from './table-query.ts';

/** What the catalogue says of a table, as a resource needs it. */
export function factsFrom(row: TableRow): TableFacts {
  const { id, columns, key } = guardedBy(row);
  const refusal = refusalOf(row);
  // Without these no guard can be made, and so none is one.
  const guards = refusal === null ? row.triggers.filter((each) => isGuardOf(row, each)) : [];
  return {
    ...{ id, columns, key },
    isGuarded: guards.length > 0,
    hazards: [
      ...row.triggers.filter((each) => !guards.includes(each)).map(hazardOfTrigger),
      ...row.references.flatMap((each) => hazardsOfReference(each, row)),
    ],
    refusal,
  };
}

/** The table as a guard sees it. */
export function guardedBy(row: TableRow): GuardedTable {
  return {
    id: `${quoted(row.schema)}.${quoted(row.name)}`,
    schema: row.schema,
    // A virtual column is no part of the row: it is computed when it is read.
    columns: row.columns.filter((column) => !isVirtual(column)).map(columnOf),
    key: row.key.map((key) => ({ name: key.name, form: formOf(key, row) ?? 'text' })),
    undoSchema: row.undoSchema,
  };
}

/** Compared only when the name says so: the text of a guard is long. */
function isGuardOf(row: TableRow, trigger: TriggerRow): boolean {
  return isNamedGuard(trigger) && isGuard(trigger, guardedBy(row));
}

function columnOf({ name, type, extra }: ColumnRow): Column {
  return { name, type, isGenerated: /\bSTORED GENERATED\b/i.test(extra), isAlwaysIdentity: false };
}

function isVirtual({ extra }: ColumnRow): boolean {
  return /\bVIRTUAL GENERATED\b/i.test(extra);
}

const kinds: Readonly<Record<string, string>> = {
  VIEW: 'it is a view',
  'SYSTEM VIEW': 'it belongs to the database itself',
  'SYSTEM VERSIONED': 'it is system versioned, so an undo would be a version, too',
  SEQUENCE: 'it is a sequence',
};

const ownSchemas: ReadonlySet<string> = new Set([
  ...['mysql', 'information_schema', 'performance_schema', 'sys'],
]);

/** In a fixed order: the first that holds is told. Partitions are one table to every statement. */
function refusalOf(row: TableRow): string | null {
  if (row.kind !== 'BASE TABLE') return kinds[row.kind] ?? 'it is no table';
  if (ownSchemas.has(row.schema.toLowerCase())) return 'it belongs to the database itself';
  if (row.name.startsWith('settle_')) return 'names that begin with settle_ are for our own tables';
  if (row.engine.toLowerCase() !== 'innodb') return `its engine ${row.engine} is not InnoDB`;
  if (!row.seesTriggers) {
    return `this user may not see its triggers (grant trigger on ${quoted(row.schema)}.*)`;
  }
  const unknown = row.columns.find((column) => !isVirtual(column) && isUnknown(column));
  if (unknown !== undefined) {
    return `its column ${unknown.name} has type ${unknown.type}, which has no images`;
  }
  return refusalOfKey(row);
}

function isUnknown({ type }: ColumnRow): boolean {
  return readingOf(type) === null;
}

function refusalOfKey(row: TableRow): string | null {
  if (row.key.length === 0) return 'it has no primary key';
  for (const key of row.key) {
    if (key.isPrefix) return `its key takes only the first letters of ${key.name}`;
    if (formOf(key, row) === null) {
      const type = row.columns.find(({ name }) => name === key.name)?.type ?? 'unknown';
      return `its key column ${key.name} has type ${type}, in which equal values may differ as text`;
    }
  }
  return null;
}

function formOf({ name }: KeyRow, { columns }: TableRow): KeyColumn['form'] | null {
  const column = columns.find((each) => each.name === name);
  const reading = column === undefined || isVirtual(column) ? null : readingOf(column.type);
  switch (reading?.kind) {
    case 'number':
    case 'bits':
    case 'bytes':
    case 'choice':
    case 'instant':
    case 'printed':
      return 'text';
    case 'letters': {
      const comparison = comparisonOf(reading.collation);
      if (comparison === null) return null;
      // In its indexes MariaDB compares a char by such a collation with the padding, elsewhere
      // without it: `a` and `a\u0001` are equal and are two rows.
      if (reading.isPadded && comparison === 'exact' && /_nopad_/.test(reading.collation))
        return null;
      return comparison === 'bytes' ? 'text' : 'weight';
    }
    // 0 and -0 are equal; json cannot be a key.
    case 'double':
    case 'json':
    case undefined:
      return null;
    default:
      return reading satisfies never;
  }
}

/** Of MySQL a trigger fires on any update, whatever columns it sets. */
function hazardOfTrigger({ name, event }: TriggerRow): Hazard {
  const what = isNamedGuard({ name }) ? strangerNamed(name) : `trigger ${name}`;
  if (event.toUpperCase() === 'UPDATE') return { what, on: ['update'], columns: null };
  return { what, on: ['insert', 'delete'], columns: null };
}

const quiet: ReadonlySet<string> = new Set(['RESTRICT', 'NO ACTION']);

/** How a foreign key is shown, when it changes rows on deletes of this table; otherwise null. */
export function deleteAction({ name, onDelete }: ReferenceRow): string | null {
  if (quiet.has(onDelete.toUpperCase())) return null;
  return `foreign key ${name} (on delete ${onDelete.toLowerCase()})`;
}

// An insert is no hazard though its undo deletes: rows that refer to the new one by then are looked
// for before it is deleted. No trigger of the other table tells: cascades of InnoDB fire none.
function hazardsOfReference(reference: ReferenceRow, row: TableRow): readonly Hazard[] {
  const hazards: Hazard[] = [];
  const what = deleteAction(reference);
  if (what !== null) hazards.push({ what, on: ['delete'], columns: null });
  if (!quiet.has(reference.onUpdate.toUpperCase())) {
    hazards.push({
      what: `foreign key ${reference.name} (on update ${reference.onUpdate.toLowerCase()})`,
      on: ['update'],
      columns: settable(reference, row),
    });
  }
  return hazards;
}

/** Null when one of the columns is computed from others: then any update counts. */
function settable({ columns }: ReferenceRow, row: TableRow): readonly string[] | null {
  const own = columns.map((column) => column.own);
  const isAnyComputed = row.columns.some(
    ({ name, extra }) => own.includes(name) && /GENERATED/i.test(extra),
  );
  return isAnyComputed ? null : own;
}

/**
 * What an undo would set off that its statement did not, for it was not there yet: null for nothing.
 * `columns`: those that an update sets.
 */
export function hazardOfUndo(
  row: TableRow,
  verb: Hazard['on'][number],
  columns: readonly string[],
): string | null {
  const met = factsFrom(row).hazards.find((hazard) => {
    if (!hazard.on.includes(verb)) return false;
    return hazard.columns === null || hazard.columns.some((column) => columns.includes(column));
  });
  return met?.what ?? null;
}

/** Columns that the database sets itself in an update that does not: an undo has to say them. */
export function touchedByUpdate(row: TableRow): readonly string[] {
  return row.columns.filter(({ extra }) => /\bon update\b/i.test(extra)).map(({ name }) => name);
}
