/**
 * Random statements on a pair of random tables of MariaDB: every shape that resources support, and
 * some that they refuse. A limit comes with an order that says which rows, and a join with one new
 * value for each row: otherwise two servers may do different things and both be right.
 */
import fc from 'fast-check';
import { condition, type Row, rowOf, rowsOf, sameKey, value } from './mysql-conditions.ts';
import {
  names,
  quoted,
  type RandomColumn,
  type RandomPair,
  type RandomTable,
} from './mysql-tables.ts';
import { joined, type Piece, type RandomStatement } from './pieces.ts';

/** Any statement on one of the two. */
export function randomStatement(pair: RandomPair): fc.Arbitrary<RandomStatement> {
  const on = (table: RandomTable, other: RandomTable) =>
    fc.oneof(
      { weight: 5, arbitrary: drawing(table, insertion(table)) },
      { weight: 3, arbitrary: drawing(table, upsert(table)) },
      { weight: 1, arbitrary: drawing(table, insertSelect(table)) },
      { weight: 5, arbitrary: update(table, other) },
      { weight: 2, arbitrary: updateJoin(table, other) },
      { weight: 3, arbitrary: deletion(table, other) },
      { weight: 2, arbitrary: lock(table, other) },
      { weight: 1, arbitrary: refused(table, other) },
    );
  const { parent, child } = pair;
  const isPrepared = fc.constantFrom(false, false, true);
  return fc
    .tuple(fc.oneof(on(parent, child), on(child, parent)), isPrepared)
    .map(([piece, prepared]) => ({ ...statementOf(piece), isPrepared: prepared }));
}

/** Rows to start with: one insert each, so that those which do not fit are left out. */
export function startingRow(table: RandomTable): fc.Arbitrary<RandomStatement> {
  return rowOf(table, [...table.key, ...table.columns], 0).map(({ columns, values }) =>
    statementOf(joined`insert into ${table.name} (${names(columns)}) values (${values})`),
  );
}

type Drawing = Piece & { readonly mayDraw?: boolean };

function statementOf({ sql, parameters, mayDraw = false }: Drawing): RandomStatement {
  return { text: sql, parameters, mayDraw };
}

function drawing({ numbered }: RandomTable, pieces: fc.Arbitrary<Piece>): fc.Arbitrary<Drawing> {
  return pieces.map((piece) => ({ ...piece, mayDraw: numbered !== null }));
}

function insertion(table: RandomTable): fc.Arbitrary<Piece> {
  const listed = [...table.key, ...table.columns].filter(({ isInvisible }) => !isInvisible);
  const withoutList = rowOf(table, listed);
  return fc
    .record({
      rows: fc.integer({ min: 1, max: 3 }).chain((count) => rowsOf(table, count)),
      whole: withoutList,
      verb: fc.constantFrom('insert into', 'insert', 'insert ignore into', 'insert ignore'),
      returning: returningOf(table),
      form: fc.constantFrom('list', 'list', 'list', 'list', 'set', 'whole', 'empty'),
    })
    .map(({ rows, whole, verb, returning, form }) => {
      const start = `${verb} ${table.name}`;
      if (form === 'set') return joined`${start} set ${assigned(rows.rows[0])}${returning}`;
      if (form === 'empty') return joined`${start} () values ()${returning}`;
      if (form === 'whole' && table.computed.length === 0) {
        return joined`${start} values (${whole.values})${returning}`;
      }
      return joined`${start} ${rows.names} values ${rows.values}${returning}`;
    });
}

function assigned(row: Row | undefined): Piece {
  const pieces = row?.columns.map(
    ({ name }, index) => joined`${quoted(name)} = ${row.pieces[index] ?? ''}`,
  );
  return (pieces ?? []).reduce((one, next) => joined`${one}, ${next}`);
}

function upsert(table: RandomTable): fc.Arbitrary<Piece> {
  const rows = fc.integer({ min: 1, max: 2 }).chain((count) => rowsOf(table, count));
  const onDuplicate = fc
    .record({
      rows,
      set: fc.constantFrom(...table.columns),
      source: fc.constantFrom('values', 'own', 'new'),
      isCounted: fc.boolean(),
      fresh: fc
        .constantFrom(...table.columns)
        .chain((column) => value(column).map((piece) => joined`${quoted(column.name)} = ${piece}`)),
    })
    .map(({ rows: given, set, source, isCounted, fresh }) => {
      const column = quoted(set.name);
      const own = joined`${column} = ${source === 'own' ? column : `values(${column})`}`;
      const counted = isCounted && set.name !== 'n' ? ', n = ifnull(n, 0) + 1' : '';
      const assignments = source === 'new' ? fresh : joined`${own}${counted}`;
      return joined`insert into ${table.name} ${given.names} values ${given.values} on duplicate key update ${assignments}`;
    });
  const replace = fc
    .tuple(rows, fc.constantFrom('replace into', 'replace'), fc.boolean())
    .map(([given, verb, isSet]) =>
      isSet
        ? joined`${verb} ${table.name} set ${assigned(given.rows[0])}`
        : joined`${verb} ${table.name} ${given.names} values ${given.values}`,
    );
  return fc.oneof({ weight: 3, arbitrary: onDuplicate }, { weight: 2, arbitrary: replace });
}

function insertSelect(table: RandomTable): fc.Arbitrary<Piece> {
  return fc
    .record({
      key: rowOf(table, table.key, 0),
      limit: fc.integer({ min: 1, max: 2 }),
      verb: fc.constantFrom('insert into', 'insert ignore into', 'replace into'),
      returning: returningOf(table),
    })
    .map(({ key, limit, verb, returning }) => {
      const copied = names(table.columns);
      return joined`${verb} ${table.name} (${names(key.columns)}, ${copied}) select ${key.values}, ${copied} from ${table.name} order by ${names(table.key)} limit ${limit}${returning}`;
    });
}

function update(table: RandomTable, other: RandomTable): fc.Arbitrary<Piece> {
  const forms = fc.constantFrom(`${table.name} as t`, `${table.name} t`, table.name);
  return fc
    .tuple(forms, fc.constantFrom('update', 'update', 'update ignore'))
    .chain(([form, verb]) => {
      const alias = form === table.name ? table.name : 't';
      return fc
        .tuple(assignments(table, alias), condition(table, other, alias), tail(table, alias))
        .map(([set, where, end]) => joined`${verb} ${form} set ${set} where ${where}${end}`);
    });
}

/** Which rows come first, and how many of them. */
function tail({ key }: RandomTable, alias: string): fc.Arbitrary<string> {
  const order = key.map(({ name }) => `${alias}.${quoted(name)}`);
  const descending = order.map((each) => `${each} desc`);
  return fc.constantFrom(
    ...['', '', ` order by ${order.join(', ')}`, ` order by ${descending.join(', ')} limit 1`],
    ` order by ${alias}.n, ${order.join(', ')} limit 2`,
  );
}

function updateJoin(table: RandomTable, other: RandomTable): fc.Arbitrary<Piece> {
  const { key } = table;
  const where = condition(table, other, 't');
  const withValues = fc.tuple(rowOf(table, key, 0), fc.integer({ min: -3, max: 3 })).map(
    ([row, n]) => joined`update ${table.name} t join (select ${aliased(row.pieces)}, ${n} as m) v
      on ${key.map(({ name }, index) => `t.${quoted(name)} = v.k${index}`).join(' and ')} set t.n = v.m`,
  );
  const withCount = where.map(
    (piece) => joined`update ${table.name} t join (select count(*) as most from ${other.name}) o
      set t.n = ifnull(t.n, 0) + o.most where ${piece}`,
  );
  const withSelf = fc.tuple(assignments(table, 't'), where).map(
    ([set, piece]) => joined`update ${table.name} as t join ${table.name} as u
      on ${sameKey(table, 't', 'u')} set ${set} where ${piece}`,
  );
  const withOuter = where.map(
    (piece) => joined`update ${other.name} o right join ${table.name} t on o.n = t.n
      set t.n = -7 where ${piece}`,
  );
  return fc.oneof(withValues, withCount, withSelf, withOuter);
}

function aliased(pieces: readonly Piece[]): Piece {
  return pieces
    .map((piece, index) => joined`${piece} as k${index}`)
    .reduce((one, next) => joined`${one}, ${next}`);
}

function deletion(table: RandomTable, other: RandomTable): fc.Arbitrary<Piece> {
  const single = fc
    .record({
      where: condition(table, other, table.name),
      end: tail(table, table.name),
      verb: fc.constantFrom(
        'delete from',
        'delete from',
        'delete ignore from',
        'delete quick from',
      ),
      returning: returningOf(table),
    })
    .map(
      ({ where, end, verb, returning }) =>
        joined`${verb} ${table.name} where ${where}${end}${returning}`,
    );
  const joining = fc
    .tuple(
      condition(table, other, 't'),
      fc.constantFrom(
        `delete t from ${table.name} t join ${table.name} u on ${sameKey(table, 't', 'u')}`,
        `delete from t using ${table.name} as t left join ${other.name} o on o.n = t.n`,
        `delete t from ${other.name} o join ${table.name} t on o.n <> t.n`,
      ),
    )
    .map(([where, start]) => joined`${start} where ${where}`);
  return fc.oneof({ weight: 2, arbitrary: single }, { weight: 1, arbitrary: joining });
}

function lock(table: RandomTable, other: RandomTable): fc.Arbitrary<Piece> {
  const strength = fc.constantFrom(
    ...['for update', 'lock in share mode', 'for update skip locked', 'for update nowait'],
  );
  const id = quoted(table.key[0]?.name ?? '');
  const order = table.key.map(({ name }) => `t.${quoted(name)}`).join(', ');
  return fc
    .record({
      where: condition(table, other, 't'),
      how: strength,
      form: fc.constantFrom('plain', 'plain', 'limit', 'computed', 'join'),
    })
    .map(({ where, how, form }) => {
      switch (form) {
        case 'plain':
          return joined`select t.${id}, t.n as settled from ${table.name} t where ${where} ${how}`;
        case 'limit':
          return joined`select * from ${table.name} t where ${where} order by ${order} limit 2 ${how}`;
        case 'computed':
          return joined`select count(*), max(t.n) from ${table.name} t where ${where} ${how}`;
        case 'join':
          return joined`select t.${id}, o.n from ${table.name} t left join ${other.name} o on o.n = t.n where ${where} ${how}`;
        default:
          return form satisfies never;
      }
    });
}

/** A changed key, several statements or tables, a write behind `with`, a truncate. */
function refused(table: RandomTable, other: RandomTable): fc.Arbitrary<Piece> {
  const id = quoted(table.key[0]?.name ?? '');
  return fc
    .constantFrom(
      `update ${table.name} set ${id} = ${id}`,
      `with some as (select 1 as one) delete from ${table.name} where n in (select one from some)`,
      `truncate table ${table.name}`,
      `delete from ${table.name}; delete from ${table.name}`,
      `update ${table.name} t join ${other.name} o on o.n = t.n set t.n = 1, o.n = 1`,
      `delete t, o from ${table.name} t join ${other.name} o on o.n = t.n`,
    )
    .map((sql) => ({ sql, parameters: [] }));
}

function assignments(table: RandomTable, alias: string): fc.Arbitrary<Piece> {
  const plain = fc
    .subarray([...table.columns], { minLength: 1, maxLength: Math.min(3, table.columns.length) })
    .chain((columns) => fc.tuple(...columns.map((column) => assignment(column, alias))))
    .map((pieces) => pieces.reduce((one, next) => joined`${one}, ${next}`));
  const same = fc.constantFrom(...table.columns).map(({ name }) => {
    const column = `${alias}.${quoted(name)}`;
    return joined`${column} = ${column}`;
  });
  return fc.oneof({ weight: 5, arbitrary: plain }, { weight: 1, arbitrary: same });
}

function assignment(column: RandomColumn, alias: string): fc.Arbitrary<Piece> {
  const name = `${alias}.${quoted(column.name)}`;
  const choices = [value(column).map((piece) => joined`${name} = ${piece}`)];
  if (column.name === 'n') choices.push(fc.constant(joined`${name} = ${name} + 1`));
  if (column.fallback !== null) choices.push(fc.constant(joined`${name} = default`));
  return fc.oneof(...choices);
}

function returningOf(table: RandomTable): fc.Arbitrary<string> {
  const id = quoted(table.key[0]?.name ?? '');
  return fc.constantFrom(
    '',
    '',
    ' returning *',
    ` returning ${id} as \`Id\`, n is null as \`no n\``,
  );
}
