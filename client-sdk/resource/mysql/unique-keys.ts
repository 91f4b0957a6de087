/**
 * What inserts have to know of a table besides its facts: by which unique keys a new row can meet
 * one that is there, and what its columns get when the statement does not say. Remembered as long as
 * the facts are.
 */
import type { Session, TableFacts } from '../facts.ts';
import { textLiteral } from './literals.ts';
import { partsOf } from './names.ts';

/** A primary or unique key. */
export interface UniqueKey {
  readonly name: string;
  readonly isPrimary: boolean;
  readonly columns: readonly string[];
  /** Why rows cannot be looked up by it: `it takes only a part of email`; null: they can. */
  readonly refusal: string | null;
}

/** A column, as an insert sees it. */
export interface InsertColumn {
  readonly name: string;
  readonly isAutoIncrement: boolean;
  /** Whether it is NULL when nothing is given. */
  readonly isNullByDefault: boolean;
  readonly isNullable: boolean;
}

/** Of one table. */
export interface InsertFacts {
  /** Those that an insert without a list of columns gives, in its order. */
  readonly visible: readonly string[];
  readonly columns: readonly InsertColumn[];
  readonly keys: readonly UniqueKey[];
}

/** Looks up once for each facts of a table. Throws what the driver throws. */
export type InsertFactsOf = (session: Session, facts: TableFacts) => Promise<InsertFacts>;

/** With a memory of its own. */
export function createInsertFacts(): InsertFactsOf {
  const known = new WeakMap<TableFacts, InsertFacts>();
  return async (session, facts) => {
    const found = known.get(facts);
    if (found !== undefined) return found;
    const [schema = '', name = ''] = partsOf(facts.id);
    const read = await readInsertFacts(session, schema, name);
    known.set(facts, read);
    return read;
  };
}

async function readInsertFacts(session: Session, schema: string, name: string) {
  const ofTable = `table_schema = ${textLiteral(schema)} and table_name = ${textLiteral(name)}`;
  const columns = await session.query(
    `select column_name as name, lower(extra) as extra, is_nullable as nullable,
      column_default as value, version() as version
    from information_schema.columns where ${ofTable} order by ordinal_position`,
  );
  const parts = await session.query(
    `select index_name as name, column_name as col, sub_part as part
    from information_schema.statistics where ${ofTable} and non_unique = 0
    order by index_name, seq_in_index`,
  );
  const given = columns.rows.map(columnOf);
  const keys = Map.groupBy(parts.rows, (row) => String(row['name']));
  return {
    visible: given.filter(({ extra }) => !extra.includes('invisible')).map((one) => one.name),
    columns: given,
    keys: [...keys].map(([key, rows]) => uniqueKey(key, rows, given)),
  };
}

interface ColumnRow extends InsertColumn {
  readonly extra: string;
}

type Row = Readonly<Record<string, unknown>>;

function columnOf(row: Row): ColumnRow {
  const extra = String(row['extra'] ?? '');
  const isNullable = row['nullable'] === 'YES';
  // MariaDB spells a default of NULL, and a text that says so in quotes.
  const isMaria = String(row['version']).includes('MariaDB');
  const { value } = row;
  const isNone = value === null || (isMaria && value === 'NULL');
  return {
    ...{ name: String(row['name']), extra, isNullable },
    isAutoIncrement: extra.includes('auto_increment'),
    isNullByDefault: isNullable && isNone && !/generated|auto_increment/.test(extra),
  };
}

function uniqueKey(name: string, rows: readonly Row[], columns: readonly ColumnRow[]): UniqueKey {
  const refusal = rows.map((row) => refusalOf(row, columns)).find((why) => why !== null) ?? null;
  const names = rows.map((row) => String(row['col'] ?? ''));
  return { name, isPrimary: name === 'PRIMARY', columns: names, refusal };
}

function refusalOf(row: Row, columns: readonly ColumnRow[]): string | null {
  const name = row['col'];
  if (typeof name !== 'string') return 'it is made of an expression';
  if (row['part'] !== null) return `it takes only a part of ${name}`;
  const extra = columns.find((column) => column.name === name)?.extra ?? '';
  if (/generated/.test(extra) && !extra.includes('default_generated')) {
    return `${name} is computed from other columns`;
  }
  return extra.includes('on update') ? `${name} changes with every update` : null;
}
