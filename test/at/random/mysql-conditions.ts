/**
 * Values, rows and conditions of random statements on MariaDB. Conditions compare values of one type
 * only: others are warnings in a select and errors in an update. Nothing here runs.
 */
import fc from 'fast-check';
import { names, quoted, type RandomColumn, type RandomTable } from './mysql-tables.ts';
import { oddDates, type RandomValue } from './mysql-values.ts';
import { joined, listed, type Piece } from './pieces.ts';

/** As a parameter or a constant. `nulls`: out of eight. */
export function value(column: RandomColumn, nulls = 1): fc.Arbitrary<Piece> {
  const given = fc.oneof(
    { weight: 8 - nulls, arbitrary: fc.constantFrom(...column.values) },
    { weight: nulls, arbitrary: fc.constant(nothing) },
  );
  return fc.tuple(given, fc.boolean()).map(([chosen, isParameter]) => pieceOf(chosen, isParameter));
}

const nothing: RandomValue = { sql: 'null', bound: null };

function pieceOf({ sql, bound }: RandomValue, isParameter: boolean): Piece {
  const mayBind = bound !== null || sql === 'null';
  if (sql === null || (isParameter && mayBind)) return { sql: '?', parameters: [bound] };
  return { sql, parameters: [] };
}

/** A row of values for these columns. */
export interface Row {
  readonly columns: readonly RandomColumn[];
  readonly pieces: readonly Piece[];
  readonly values: Piece;
}

/** Columns of the key get no NULL. */
export function rowOf(
  table: RandomTable,
  columns: readonly RandomColumn[],
  nulls = 1,
): fc.Arbitrary<Row> {
  const values = columns.map((column) => {
    const isKey = table.key.some(({ name }) => name === column.name);
    return value(column, isKey ? 0 : nulls);
  });
  return fc.tuple(...values).map((pieces) => ({ columns, pieces, values: listed(pieces) }));
}

/** What an insert gives. */
export interface Rows {
  /** Columns in parentheses. */
  readonly names: string;
  readonly rows: readonly Row[];
  readonly values: Piece;
}

/** The number of a key may be left out; a few other columns always may. */
export function rowsOf(table: RandomTable, count: number): fc.Arbitrary<Rows> {
  const optional = [
    ...table.key.filter(({ fallback, name }) => fallback !== null || name === table.numbered),
    ...table.columns,
  ];
  return fc.subarray(optional).chain((left) => {
    const columns = [...table.key, ...table.columns].filter((one) => !left.includes(one));
    const used = columns.length === 0 ? table.columns.slice(0, 1) : columns;
    return fc.tuple(...Array.from({ length: count }, () => rowOf(table, used))).map((rows) => ({
      names: `(${names(used)})`,
      rows,
      values: listed(rows.map(({ values }) => joined`(${values})`)),
    }));
  });
}

/** About the row that is called `alias`, which is quoted. */
export function condition(
  table: RandomTable,
  other: RandomTable,
  alias: string,
): fc.Arbitrary<Piece> {
  const comparable = [...table.key, ...table.columns].filter(({ isCompared }) => isCompared);
  const id = quoted(table.key[0]?.name ?? '');
  const byKey = rowOf(table, table.key, 0).map(({ pieces }) => keyIs(table, alias, pieces));
  const byRow = rowOf(table, table.key, 0).map(
    ({ values }) =>
      joined`(${table.key.map(({ name }) => `${alias}.${quoted(name)}`).join(', ')}) = (${values})`,
  );
  const byValue = fc
    .constantFrom(...comparable)
    .chain((column) =>
      fc
        .tuple(fc.constantFrom('=', '<=', '<>', '<=>'), value({ ...column, values: even(column) }))
        .map(([operator, piece]) => joined`${alias}.${quoted(column.name)} ${operator} ${piece}`),
    );
  return fc.oneof(
    { weight: 3, arbitrary: byKey },
    { weight: 1, arbitrary: byRow },
    { weight: 3, arbitrary: byValue },
    { weight: 2, arbitrary: fc.constant(joined`true`) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        joined`${alias}.n is null`,
        joined`exists (select 1 from ${other.name} o where o.n = ${alias}.n)`,
        joined`${alias}.${id} in (select * from (select ${id} from ${table.name} where n is not null) d)`,
        joined`${alias}.${id} = (select ${id} from (select * from ${table.name} order by ${names(table.key)} limit 1) d)`,
      ),
    },
  );
}

/** Odd dates are an error in the conditions of an update, and a warning in those of a select. */
function even({ values }: RandomColumn): readonly RandomValue[] {
  return values.filter((one) => !oddDates.includes(one));
}

function keyIs(table: RandomTable, alias: string, pieces: readonly Piece[]): Piece {
  return table.key
    .map(({ name }, index) => joined`${alias}.${quoted(name)} = ${pieces[index] ?? ''}`)
    .reduce((one, next) => joined`${one} and ${next}`);
}

/** Both are the same row of the table. */
export function sameKey(table: RandomTable, one: string, other: string): string {
  const pairs = table.key.map(({ name }) => `${one}.${quoted(name)} = ${other}.${quoted(name)}`);
  return pairs.join(' and ');
}
