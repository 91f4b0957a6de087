/**
 * Random statements on a pair of random tables of PostgreSQL: every shape that resources support, and
 * some that they refuse. Texts are as users write them: constants and parameters mixed, aliases,
 * `returning`.
 */
import fc from 'fast-check';
import { joined, listed, type Piece, type RandomStatement } from './pieces.ts';
import {
  literal,
  quoted,
  type RandomColumn,
  type RandomPair,
  type RandomTable,
} from './postgres-tables.ts';

/** Any statement on one of the two. */
export function randomStatement(pair: RandomPair): fc.Arbitrary<RandomStatement> {
  const on = (table: RandomTable, other: RandomTable) =>
    fc.oneof(
      { weight: 4, arbitrary: insertion(table) },
      { weight: 2, arbitrary: upsert(table) },
      { weight: 1, arbitrary: insertSelect(table) },
      { weight: 5, arbitrary: update(table, other) },
      { weight: 2, arbitrary: updateFrom(table, other) },
      { weight: 3, arbitrary: deletion(table, other) },
      { weight: 2, arbitrary: lock(table, other) },
      { weight: 1, arbitrary: refused(table) },
    );
  const { parent, child } = pair;
  return fc.oneof(on(parent, child), on(child, parent)).map(numbered);
}

/** Rows to start with: one insert each, so that those which do not fit are left out. */
export function startingRow(table: RandomTable): fc.Arbitrary<RandomStatement> {
  return rowOf(table, [...table.key, ...table.columns], 0).map((row) =>
    numbered(
      joined`insert into ${table.name} (${namesOf(row.columns)}) overriding system value values (${row.values})`,
    ),
  );
}

function insertion(table: RandomTable): fc.Arbitrary<Piece> {
  return fc
    .record({
      rows: fc.integer({ min: 1, max: 3 }).chain((count) => rowsOf(table, count)),
      conflict: fc.constantFrom('', ' on conflict do nothing', ' on conflict do nothing'),
      returning: returningOf(table),
      isDefault: fc.nat(9),
    })
    .map(({ rows, conflict, returning, isDefault }) =>
      isDefault === 0
        ? joined`insert into ${table.name} default values${returning}`
        : joined`insert into ${table.name} (${rows.names}) ${overriding(table)} values ${rows.values}${conflict}${returning}`,
    );
}

function upsert(table: RandomTable): fc.Arbitrary<Piece> {
  const arbiter = table.unique === null ? [keyNames(table)] : [keyNames(table), table.unique];
  return fc
    .record({
      rows: fc.integer({ min: 1, max: 2 }).chain((count) => rowsOf(table, count)),
      arbiter: fc.constantFrom(...arbiter),
      set: fc.constantFrom(...table.columns),
      source: fc.constantFrom('excluded', 't'),
      condition: fc.constantFrom('', ' where t.n is distinct from 2'),
      isNothing: fc.nat(4),
      returning: returningOf(table),
    })
    .map(({ rows, arbiter: names, set, source, condition, isNothing, returning }) => {
      const target = names.map(quoted).join(', ');
      const set2 = isNothing === 1 ? ', n = coalesce(t.n, 0) + excluded.n' : '';
      const repeated = set.name === 'n' ? '' : set2;
      const action =
        isNothing === 0
          ? 'nothing'
          : `update set ${quoted(set.name)} = ${source}.${quoted(set.name)}${repeated}${condition}`;
      return joined`insert into ${table.name} as t (${rows.names}) ${overriding(table)} values ${rows.values} on conflict (${target}) do ${action}${returning}`;
    });
}

function insertSelect(table: RandomTable): fc.Arbitrary<Piece> {
  return fc
    .record({
      key: rowOf(table, table.key, 0),
      limit: fc.integer({ min: 1, max: 2 }),
      conflict: fc.constantFrom('', ' on conflict do nothing'),
      returning: returningOf(table),
    })
    .map(({ key, limit, conflict, returning }) => {
      const copied = table.columns.map(({ name }) => quoted(name)).join(', ');
      const order = keyNames(table).map(quoted).join(', ');
      return joined`insert into ${table.name} (${namesOf(key.columns)}, ${copied}) ${overriding(table)} select ${key.values}, ${copied} from ${table.name} order by ${order} limit ${limit}${conflict}${returning}`;
    });
}

function update(table: RandomTable, other: RandomTable): fc.Arbitrary<Piece> {
  return fc
    .record({
      set: assignments(table),
      where: condition(table, other),
      returning: returningOf(table),
    })
    .map(
      ({ set, where, returning }) =>
        joined`update ${table.name} as t set ${set} where ${where}${returning}`,
    );
}

function updateFrom(table: RandomTable, other: RandomTable): fc.Arbitrary<Piece> {
  const key = table.key;
  const fromValues = fc.tuple(rowOf(table, key, 0), fc.integer({ min: -3, max: 3 })).map(
    ([row, n]) => joined`update ${table.name} t set n = v.n from (values (${row.values}, ${n}))
      as v (${key.map((_, index) => `k${index}`).join(', ')}, n)
      where ${key.map(({ name }, index) => `t.${quoted(name)} = v.k${index}`).join(' and ')}`,
  );
  const fromOther = fc.tuple(condition(table, other), returningOf(table)).map(
    ([where, returning]) => joined`update ${table.name} t set n = coalesce(t.n, 0) + o.most
      from (select count(*)::integer as most from ${other.name}) o where ${where}${returning}`,
  );
  const withCte = condition(table, other).map((where) => {
    const [first] = key;
    const id = quoted(first?.name ?? '');
    return joined`with picked as materialized (select t.* from ${table.name} t where ${where})
      update ${table.name} as t set n = -7 from picked where ${keyIs(table, 'picked')} returning t.${id}`;
  });
  return fc.oneof(fromValues, fromOther, withCte);
}

function deletion(table: RandomTable, other: RandomTable): fc.Arbitrary<Piece> {
  const plain = fc.record({ where: condition(table, other), returning: returningOf(table) });
  return fc.oneof(
    plain.map(
      ({ where, returning }) => joined`delete from ${table.name} t where ${where}${returning}`,
    ),
    plain.map(
      ({ where, returning }) =>
        joined`delete from ${table.name} as t using ${table.name} as u where ${keyIs(table, 'u')} and ${where}${returning}`,
    ),
  );
}

function lock(table: RandomTable, other: RandomTable): fc.Arbitrary<Piece> {
  const strength = fc.constantFrom('update', 'share', 'no key update', 'update of t skip locked');
  return fc.record({ where: condition(table, other), strength }).map(({ where, strength: how }) => {
    const id = quoted(table.key[0]?.name ?? '');
    return joined`select t.${id} from ${table.name} t where ${where} for ${how}`;
  });
}

/** A changed key, several statements, a write in `with`, a truncate. */
function refused(table: RandomTable): fc.Arbitrary<Piece> {
  const [first] = table.key;
  const id = quoted(first?.name ?? '');
  const text = literal(first?.texts[0] ?? '');
  return fc
    .constantFrom(
      `update ${table.name} set ${id} = ${text}`,
      `with gone as (delete from ${table.name} returning 1) select * from gone`,
      `truncate ${table.name} cascade`,
      `delete from ${table.name}; delete from ${table.name}`,
    )
    .map((sql) => ({ sql, parameters: [] }));
}

function assignments(table: RandomTable): fc.Arbitrary<Piece> {
  const plain = fc
    .subarray([...table.columns], { minLength: 1, maxLength: Math.min(3, table.columns.length) })
    .chain((columns) => fc.tuple(...columns.map((column) => assignment(column))))
    .map((pieces) => pieces.reduce((one, next) => joined`${one}, ${next}`));
  const same = fc.constantFrom(...table.columns).map(({ name }) => {
    const column = quoted(name);
    return joined`${column} = t.${column}`;
  });
  return fc.oneof({ weight: 5, arbitrary: plain }, { weight: 1, arbitrary: same });
}

function assignment(column: RandomColumn): fc.Arbitrary<Piece> {
  const name = quoted(column.name);
  const choices = [value(column).map((piece) => joined`${name} = ${piece}`)];
  if (column.name === 'n') choices.push(fc.constant(joined`n = n + 1`));
  if (column.fallback !== null) choices.push(fc.constant(joined`${name} = default`));
  return fc.oneof(...choices);
}

/** About the row `t`. */
function condition(table: RandomTable, other: RandomTable): fc.Arbitrary<Piece> {
  const sorted = [...table.key, ...table.columns].filter(({ hasOrder }) => hasOrder);
  const [first] = table.key;
  const id = quoted(first?.name ?? '');
  const byKey = rowOf(table, table.key, 0).map(
    ({ values }) =>
      joined`(${table.key.map(({ name }) => `t.${quoted(name)}`).join(', ')}) = (${values})`,
  );
  const byValue = fc
    .constantFrom(...sorted)
    .chain((column) =>
      fc
        .tuple(fc.constantFrom('=', '<=', '<>', 'is distinct from'), value(column))
        .map(([operator, piece]) => joined`t.${quoted(column.name)} ${operator} ${piece}`),
    );
  return fc.oneof(
    { weight: 3, arbitrary: byKey },
    { weight: 3, arbitrary: byValue },
    { weight: 2, arbitrary: fc.constant(joined`true`) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        joined`t.n is null`,
        joined`exists (select from ${other.name} o where o.n = t.n)`,
        joined`t.${id} = (select ${id} from ${table.name} order by ${id} limit 1)`,
        joined`t.${id} in (select ${id} from ${table.name} where n is not null group by ${id})`,
      ),
    },
  );
}

interface Row {
  readonly columns: readonly RandomColumn[];
  readonly values: Piece;
}

/** `nulls`: out of eight columns that are not of the key, so many get NULL. */
function rowOf(table: RandomTable, columns: readonly RandomColumn[], nulls = 1): fc.Arbitrary<Row> {
  const values = columns.map((column) => {
    const isKey = table.key.some(({ name }) => name === column.name);
    return value(column, isKey ? 0 : nulls);
  });
  return fc.tuple(...values).map((pieces) => ({ columns, values: listed(pieces) }));
}

function rowsOf(
  table: RandomTable,
  count: number,
): fc.Arbitrary<{ readonly names: string; readonly values: Piece }> {
  // A key with a default may be left out; a few other columns always may.
  const optional = [...table.key.filter(({ fallback }) => fallback !== null), ...table.columns];
  return fc.subarray(optional).chain((left) => {
    const columns = [...table.key, ...table.columns].filter((one) => !left.includes(one));
    const used = columns.length === 0 ? table.columns.slice(0, 1) : columns;
    return fc.tuple(...Array.from({ length: count }, () => rowOf(table, used))).map((rows) => ({
      names: namesOf(used),
      values: listed(rows.map(({ values }) => joined`(${values})`)),
    }));
  });
}

/** As a parameter or a constant, always with its type: what it means must not depend on its place. */
function value(column: RandomColumn, nulls = 1): fc.Arbitrary<Piece> {
  const text = fc.oneof(
    { weight: 8 - nulls, arbitrary: fc.constantFrom(...column.texts) },
    { weight: nulls, arbitrary: fc.constant(null) },
  );
  return fc.tuple(text, fc.boolean()).map(([chosen, isParameter]) => {
    if (isParameter) return { sql: `?::${column.type}`, parameters: [chosen] };
    const constant = chosen === null ? 'null' : literal(chosen);
    return { sql: `${constant}::${column.type}`, parameters: [] };
  });
}

function returningOf(table: RandomTable): fc.Arbitrary<string> {
  const id = quoted(table.key[0]?.name ?? '');
  return fc.constantFrom('', '', ' returning *', ` returning ${id} as "Id", n is null as "no n"`);
}

function overriding({ isAlwaysIdentity }: RandomTable): string {
  return isAlwaysIdentity ? 'overriding system value' : '';
}

function keyIs(table: RandomTable, alias: string): string {
  const pairs = table.key.map(({ name }) => `t.${quoted(name)} = ${alias}.${quoted(name)}`);
  return pairs.join(' and ');
}

function keyNames({ key }: RandomTable): readonly string[] {
  return key.map(({ name }) => name);
}

function namesOf(columns: readonly RandomColumn[]): string {
  return columns.map(({ name }) => quoted(name)).join(', ');
}

function numbered({ sql, parameters }: Piece): RandomStatement {
  let number = 0;
  const text = sql.replaceAll('?', () => {
    number += 1;
    return `$${number}`;
  });
  return { text, parameters };
}
