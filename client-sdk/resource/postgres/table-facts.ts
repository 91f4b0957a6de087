/**
 * Judges a table: whether rows of it can be undone for certain, and which statements change rows
 * that they do not name. Pure. What is not on a list is refused. Invariant: what a statement may do
 * here, its undo may do, too; so a trigger on insert stands against delete as well.
 */
import type { Column, Hazard, KeyColumn, TableFacts } from '../facts.ts';
import { strangerNamed } from '../guard.ts';
import { isGuard, isNamedGuard } from './guard.ts';
import type { CascadeRow, FunctionRow, KeyRow, TableRow, TriggerRow } from './table-query.ts';

/** What the catalogue says of a table, as a resource needs it. */
export function factsFrom(row: TableRow): TableFacts {
  const refusal = refusalOf(row);
  return {
    id: row.id,
    columns: row.columns.map(columnOf),
    key: keyOf(row),
    isGuarded: row.triggers.some((trigger) => isGuardOf(row, trigger)),
    hazards: [
      ...row.triggers.flatMap((trigger) => hazardsOfTrigger(trigger, row)),
      ...row.cascades.flatMap((cascade) => hazardsOfCascade(cascade, row)),
      ...row.functions.map(hazardOfFunction),
      ...hazardsOfColumns(row),
    ],
    refusal,
  };
}

function keyOf(row: TableRow): readonly KeyColumn[] {
  return row.key.map((column) => ({ name: column.name, form: formOf(column, row) ?? 'text' }));
}

function isGuardOf(row: TableRow, trigger: TriggerRow): boolean {
  // Compared only when the name says so: the text of a guard is long.
  if (!isNamedGuard(trigger)) return false;
  return isGuard(trigger, { id: row.id, key: keyOf(row), undoSchema: row.undoSchema });
}

function columnOf({ name, type, isGenerated, isAlwaysIdentity }: Column): Column {
  return { name, type, isGenerated, isAlwaysIdentity };
}

const kinds: Readonly<Record<string, string>> = {
  v: 'it is a view',
  m: 'it is a materialized view',
  f: 'it is a foreign table',
  p: 'it is a partitioned table',
  S: 'it is a sequence',
};

/** In a fixed order: the first that holds is told. */
function refusalOf(row: TableRow): string | null {
  if (row.kind !== 'r') return kinds[row.kind] ?? 'it is no table';
  if (/^(pg_|information_schema$)/.test(row.schema)) {
    // Sessions that are gone take their temporary tables with them, and the undo comes on another.
    return row.persistence === 't'
      ? 'it is a temporary table'
      : 'it belongs to the database itself';
  }
  if (row.name.startsWith('settle_')) return 'names that begin with settle_ are for our own tables';
  if (row.isPartition) return 'it is a partition';
  if (row.isInherited) return 'it inherits from another table, or another one from it';
  if (row.hasRowSecurity) return 'row security hides rows of it from this role';
  const [rule] = row.rules;
  if (rule !== undefined) return `it has the rule ${rule}`;
  // Its texts are bytes of no known encoding; as text of JavaScript some would be lost.
  if (row.encoding === 'SQL_ASCII') return 'the database has the encoding SQL_ASCII';
  // Which one a session means, its search path says.
  if (row.undoTables > 1)
    return 'the database has several tables settle_undo: locks would not meet';
  return refusalOfKey(row);
}

function refusalOfKey(row: TableRow): string | null {
  if (row.key.length === 0) return 'it has no primary key';
  if (!row.isKeyImmediate) return 'its primary key is deferrable';
  for (const column of row.key) {
    if (!column.isDeterministic) {
      return `its key column ${column.name} has a nondeterministic collation`;
    }
    if (formOf(column, row) === null) {
      const what = `its key column ${column.name} has type ${column.type}`;
      return `${what}, in which equal values may differ as text`;
    }
  }
  return null;
}

/**
 * Types of which two values are equal exactly when their output is (bpchar: when it has a length).
 * Not here, because values that differ as text may be equal: real, double precision (-0), interval
 * (24:00 and 1 day), jsonb (1 and 1.0), arrays, ranges and composites of such. Not here either:
 * what shows names of other objects (regclass and its like), and types that no one keys by.
 */
const textual: ReadonlySet<string> = new Set([
  ...['int2', 'int4', 'int8', 'oid', 'bool', 'uuid', 'bytea', 'money', 'pg_lsn', 'xid8'],
  ...['text', 'varchar', 'name', 'char', 'bit', 'varbit', 'macaddr', 'macaddr8', 'inet', 'cidr'],
  ...['date', 'time', 'timestamp', 'timestamptz'],
]);

function formOf(key: KeyRow, { hasPlainCases }: TableRow): KeyColumn['form'] | null {
  if (key.isEnum) return 'text';
  if (!key.isBuiltIn) return key.base === 'citext' && hasPlainCases ? 'lower' : null;
  if (textual.has(key.base)) return 'text';
  if (key.base === 'bpchar') return key.hasLength ? 'text' : null;
  return key.base === 'numeric' ? 'number' : null;
}

const triggerBits = { insert: 4, delete: 8, update: 16 } as const;

function hazardsOfTrigger(trigger: TriggerRow, row: TableRow): readonly Hazard[] {
  if (isGuardOf(row, trigger)) return [];
  const { name, type, columns } = trigger;
  const what = isNamedGuard(trigger) ? strangerNamed(name) : `trigger ${name}`;
  const hazards: Hazard[] = [];
  if ((type & (triggerBits.insert | triggerBits.delete)) !== 0) {
    hazards.push({ what, on: ['insert', 'delete'], columns: null });
  }
  if ((type & triggerBits.update) !== 0) {
    hazards.push({ what, on: ['update'], columns: settable(columns, row) });
  }
  return hazards;
}

/** Null for no columns, and when one of them is set by setting others: then any update counts. */
function settable(columns: readonly string[], row: TableRow): readonly string[] | null {
  const generated = row.columns.filter((column) => column.isGenerated).map(({ name }) => name);
  const isAny = columns.length === 0 || columns.some((name) => generated.includes(name));
  return isAny ? null : columns;
}

const actions: Readonly<Record<string, string>> = {
  c: 'cascade',
  n: 'set null',
  d: 'set default',
};

/** How a foreign key is shown, when it changes rows on deletes of this table; otherwise null. */
export function deleteAction({ name, onDelete }: CascadeRow): string | null {
  const action = actions[onDelete];
  return action === undefined ? null : `foreign key ${name} (on delete ${action})`;
}

// An insert is no hazard though its undo deletes: rows that refer to the new one by then are looked
// for before it is deleted.
function hazardsOfCascade(cascade: CascadeRow, row: TableRow): readonly Hazard[] {
  const hazards: Hazard[] = [];
  const what = deleteAction(cascade);
  if (what !== null) hazards.push({ what, on: ['delete'], columns: null });
  const action = actions[cascade.onUpdate];
  if (action !== undefined) {
    const own = cascade.columns.map((column) => column.own);
    hazards.push({
      what: `foreign key ${cascade.name} (on update ${action})`,
      on: ['update'],
      columns: settable(own, row),
    });
  }
  return hazards;
}

/**
 * What an undo would set off that was not there for its statement; null: nothing. `columns`: those
 * that an update sets. Foreign keys that act on deletes are not meant: the delete looks for itself.
 */
export function hazardOfUndo(
  row: TableRow,
  verb: Hazard['on'][number],
  columns: readonly string[],
): string | null {
  const cascades = verb === 'delete' ? [] : row.cascades;
  const hazards = [
    ...row.triggers.flatMap((trigger) => hazardsOfTrigger(trigger, row)),
    ...cascades.flatMap((cascade) => hazardsOfCascade(cascade, row)),
  ];
  const met = hazards.find((hazard) => {
    if (!hazard.on.includes(verb)) return false;
    return hazard.columns === null || hazard.columns.some((column) => columns.includes(column));
  });
  return met?.what ?? null;
}

function hazardOfFunction({ name, column }: FunctionRow): Hazard {
  if (column === null) {
    return {
      what: `${name}() in a check or a domain`,
      on: ['insert', 'update', 'delete'],
      columns: null,
    };
  }
  return {
    what: `default of ${column} with ${name}()`,
    on: ['insert', 'update'],
    columns: [column],
  };
}

function hazardsOfColumns(row: TableRow): readonly Hazard[] {
  const hazards: Hazard[] = [];
  for (const { name, hasXml, isAlwaysIdentity } of row.columns) {
    // `<?xml … encoding=…?>` is kept in the table and left out of every output.
    if (hasXml) {
      const what = `xml in ${name}, whose declaration cannot be read back,`;
      hazards.push({ what, on: ['delete'], columns: null });
      hazards.push({ what, on: ['update'], columns: [name] });
    }
    if (isAlwaysIdentity) {
      const what = `${name}, generated always as identity,`;
      hazards.push({ what, on: ['update'], columns: [name] });
    }
  }
  return hazards;
}
