/**
 * What MySQL's information_schema says of one table, in one query. Nothing is judged here; that is
 * for `table-facts.ts`. It shows what the session's user may see, so its grants are read as well:
 * who may not see triggers must not conclude that there are none.
 */
import type { Session } from '../facts.ts';
import { textLiteral } from './literals.ts';
import { quoted } from './names.ts';

/** A column, in the order of the table. */
export interface ColumnRow {
  readonly name: string;
  /** As the table was created, and the character set and collation of letters. */
  readonly type: string;
  /** `auto_increment`, `STORED GENERATED`, `on update current_timestamp()`, … */
  readonly extra: string;
}

/** A column of the primary key. `isPrefix`: only so many letters of it. */
export interface KeyRow {
  readonly name: string;
  readonly isPrefix: boolean;
}

/** A trigger; `event`: `INSERT`, `UPDATE` or `DELETE`. */
export interface TriggerRow {
  readonly name: string;
  readonly event: string;
  /** `BEFORE` or `AFTER`. */
  readonly timing: string;
  /** What it does and under which sql_mode; read of guards only, by their names. */
  readonly body: string;
  readonly sqlMode: string;
}

/** A foreign key of another table, or of this one, that refers to this table. */
export interface ReferenceRow {
  readonly name: string;
  /** The table that refers: database and name, quoted. */
  readonly table: string;
  readonly onDelete: string;
  readonly onUpdate: string;
  readonly columns: readonly { readonly own: string; readonly theirs: string }[];
}

/** One table, or what has the name of one. */
export interface TableRow {
  readonly schema: string;
  readonly name: string;
  /** `BASE TABLE`, `VIEW`, … */
  readonly kind: string;
  readonly engine: string;
  readonly columns: readonly ColumnRow[];
  readonly key: readonly KeyRow[];
  readonly triggers: readonly TriggerRow[];
  readonly references: readonly ReferenceRow[];
  readonly seesTriggers: boolean;
  /** The session's own database: where its settle_undo is. */
  readonly undoSchema: string;
}

/** A table's full name, in the spelling of the catalogue. */
export interface FullName {
  readonly schema: string;
  readonly name: string;
}

/** What stands under this name; null: nothing does. Two queries. */
export async function readTable(session: Session, table: FullName): Promise<TableRow | null> {
  const { rows } = await session.query(queryFor(table));
  const parts = rows.map(partOf);
  const head = parts.find(({ kind }) => kind === 'table');
  if (head === undefined) return null;
  const grants = await session.query('show grants');
  return {
    schema: head.a,
    name: head.b,
    kind: head.c,
    engine: head.d,
    columns: ofKind(parts, 'column').map(({ a, b, c }) => ({ name: a, type: b, extra: c })),
    key: ofKind(parts, 'key').map(({ a, b }) => ({ name: a, isPrefix: b !== '' })),
    triggers: ofKind(parts, 'trigger').map(triggerIn),
    references: referencesIn(ofKind(parts, 'reference')),
    seesTriggers: seesTriggers(
      grants.rows.map((row) => String(Object.values(row)[0])),
      table,
    ),
    undoSchema: head.e,
  };
}

function triggerIn({ a, b, c, d, e }: Part): TriggerRow {
  return { name: a, event: b, timing: c, body: d, sqlMode: e };
}

/** A row of the query: what `a` to `g` are depends on its kind. */
interface Part {
  readonly kind: string;
  readonly place: number;
  readonly a: string;
  readonly b: string;
  readonly c: string;
  readonly d: string;
  readonly e: string;
  readonly f: string;
}

function partOf(row: Readonly<Record<string, unknown>>): Part {
  const text = (name: string): string => String(row[name] ?? '');
  const letters = { a: text('a'), b: text('b'), c: text('c'), d: text('d') };
  return {
    kind: text('kind'),
    place: Number(row['place']),
    ...letters,
    e: text('e'),
    f: text('f'),
  };
}

function ofKind(parts: readonly Part[], kind: string): readonly Part[] {
  return parts.filter((part) => part.kind === kind).sort((one, other) => one.place - other.place);
}

function referencesIn(parts: readonly Part[]): readonly ReferenceRow[] {
  const groups = Map.groupBy(parts, ({ a, b }) => `${b}\0${a}`);
  return [...groups.values()].flatMap((columns) => {
    const [first] = columns;
    if (first === undefined) return [];
    return {
      name: first.a,
      table: first.b,
      onDelete: first.c,
      onUpdate: first.d,
      columns: columns.map(({ e, f }) => ({ own: e, theirs: f })),
    };
  });
}

/**
 * The names in the conditions are what MariaDB opens; so only tables of that name are. Foreign keys
 * are the exception: every table is asked for them, which costs a millisecond for some ten.
 */
function queryFor({ schema, name }: FullName): string {
  const ofTable = `table_schema = ${textLiteral(schema)} and table_name = ${textLiteral(name)}`;
  // Names are compared without case here, even where two tables differ in it alone.
  const spelled = `(@@lower_case_table_names <> 0 or hex(convert(concat(table_schema, '.', table_name)
    using utf8mb4)) = '${Buffer.from(`${schema}.${name}`).toString('hex').toUpperCase()}')`;
  return `select 'table' as kind, 0 as place, table_schema as a, table_name as b, table_type as c,
      engine as d, database() as e, null as f
    from information_schema.tables where ${ofTable} and ${spelled}
  union all select 'column', ordinal_position, column_name, concat(column_type,
      ifnull(concat(' character set ', character_set_name, ' collate ', collation_name), '')),
      extra, null, null, null
    from information_schema.columns where ${ofTable}
  union all select 'key', seq_in_index, column_name, sub_part, null, null, null, null
    from information_schema.statistics where ${ofTable} and index_name = 'PRIMARY'
  union all select 'trigger', 0, trigger_name, event_manipulation, action_timing,
      if(trigger_name like 'settle%', action_statement, null), sql_mode, null
    from information_schema.triggers where event_object_schema = ${textLiteral(schema)}
      and event_object_table = ${textLiteral(name)}
  union all select 'reference', k.ordinal_position, k.constraint_name,
      concat(${quotedIn('k.table_schema')}, '.', ${quotedIn('k.table_name')}),
      r.delete_rule, r.update_rule, k.referenced_column_name, k.column_name
    from information_schema.key_column_usage k
    join information_schema.referential_constraints r
      on r.constraint_schema = k.constraint_schema and r.constraint_name = k.constraint_name
        and r.table_name = k.table_name
    where k.referenced_table_schema = ${textLiteral(schema)}
      and k.referenced_table_name = ${textLiteral(name)}`;
}

/** The same as {@link quoted}, done by the server. */
function quotedIn(column: string): string {
  return `concat('\`', replace(${column}, '\`', '\`\`'), '\`')`;
}

const grant = /^GRANT (.+?) ON (?:TABLE )?(.+?) TO /;

/**
 * Whether these lines of `show grants` let their user see the triggers of the table. Roles are not
 * followed, and what is revoked in part (MySQL) counts for every table: both err on the safe side.
 */
export function seesTriggers(lines: readonly string[], table: FullName): boolean {
  const isRevoked = lines.some((line) => line.startsWith('REVOKE') && mentionsTriggers(line));
  return !isRevoked && lines.some((line) => isGrantOf(line, table));
}

function mentionsTriggers(privileges: string): boolean {
  return /\b(ALL PRIVILEGES|TRIGGER)\b/.test(privileges);
}

function isGrantOf(line: string, { schema, name }: FullName): boolean {
  const [, privileges = '', target = ''] = grant.exec(line) ?? [];
  if (!mentionsTriggers(privileges)) return false;
  if (target === '*.*' || target === `${quoted(schema)}.${quoted(name)}`) return true;
  const [, pattern] = /^`((?:[^`]|``)*)`\.\*$/.exec(target) ?? [];
  return pattern !== undefined && isLike(schema, pattern.replaceAll('``', '`'));
}

/** Databases are granted by patterns: `_` is any letter, `%` any number of them. */
function isLike(text: string, pattern: string): boolean {
  const source = pattern.replace(/\\([_%\\])|([_%])|([^\w\s])/g, (_, escaped, wild, other) => {
    if (wild === '_') return '.';
    if (wild === '%') return '.*';
    return `\\${escaped ?? other}`;
  });
  return new RegExp(`^${source}$`, 's').test(text);
}
