/**
 * `insert … on conflict (columns) do update`: the rows that are there are locked and their images
 * taken by a select of its own, which runs first. Guards: that select finds every row that the
 * insert can meet, unless another inserts it in between; then `settle_inserted` is false for a row
 * that was not found, and the local transaction is doomed.
 */
import type { InsertStmt, Node, SelectStmt } from '@pgsql/types';
import type { TableFacts } from '../facts.ts';
import { unsupported } from '../refusal.ts';
import { imageColumns, type Rewritten } from '../statement.ts';
import {
  allOf,
  column,
  columnAs,
  equal,
  imageOf,
  lockingSelect,
  referenceOf,
  valuesNode,
} from './nodes.ts';
import type { Appended, Parser } from './parser.ts';
import { insertWithImages } from './rewrite.ts';
import { entriesOf, nodesOf } from './tree.ts';

/** The insert, with a column that says of each row whether it is new. */
export function upsertWithImages(insert: InsertStmt): Appended {
  // The row version that an insert makes was never locked; that of an update carries our lock on.
  const isNew = equal(column(referenceOf(insert.relation ?? {}), 'xmax'), zero);
  return insertWithImages(insert, [columnAs(imageColumns.inserted, isNew)]);
}

/** Throws AT_UNSUPPORTED_SQL when the rows that are there cannot be named before it runs. */
export async function rowsBeforeUpsert(
  parser: Parser,
  insert: InsertStmt,
  facts: TableFacts,
): Promise<Rewritten['before']> {
  const parameters: number[] = [];
  const select = renumber(await rowsThere(parser, insert, facts), parameters);
  return { text: await parser.write(select), parameters };
}

const zero: Node = { A_Const: { ival: {} } };
const given = 'settle_given';

/** `select settle_image(t.*) … from t, (values …) as settle_given where t.key = … for update of t`. */
async function rowsThere(parser: Parser, insert: InsertStmt, facts: TableFacts): Promise<Node> {
  const { relation = {} } = insert;
  const reference = referenceOf(relation);
  const columns = insertedColumns(insert, facts);
  const arbiters = await Promise.all(
    arbitersOf(insert).map(async (name, index) => ({
      name,
      at: columns.indexOf(name),
      cast: await castTo(parser, name, facts),
      own: `settle_key_${index + 1}`,
    })),
  );
  const rows = rowsOf(insert).map((row) =>
    arbiters.map(({ name, at, cast }) => cast(givenValue(at === -1 ? undefined : row[at], name))),
  );
  const [first, ...more] = arbiters.map(({ name, own }) =>
    equal(column(reference, name), column(given, own)),
  );
  const columnNames = arbiters.map(({ own }) => own);
  return lockingSelect({
    targets: [columnAs(imageColumns.before, imageOf(reference))],
    from: [{ RangeVar: relation }, valuesNode(given, columnNames, rows)],
    where: allOf(first, more),
    reference,
    key: facts.key.map(({ name }) => name),
  });
}

function arbitersOf({ onConflictClause }: InsertStmt): readonly string[] {
  const elements = nodesOf(onConflictClause?.infer?.indexElems, 'IndexElem');
  const names = elements.map((element) => {
    const isPlain = element.collation === undefined && element.opclass === undefined;
    return isPlain ? (element.name ?? '') : '';
  });
  if (names.length > 0 && !names.includes('')) return names;
  throw unsupported(
    'on conflict do update by a constraint or an expression',
    'name the columns of the unique index: `on conflict (a, b) do update`',
  );
}

/** In the order of the values. */
function insertedColumns({ cols, override }: InsertStmt, facts: TableFacts): readonly string[] {
  if (override === 'OVERRIDING_USER_VALUE') {
    throw unsupported('overriding user value with on conflict do update', 'leave the column out');
  }
  if (cols === undefined) return facts.columns.map(({ name }) => name);
  // A part of a column (`tags[1]`) is no value of it.
  return nodesOf(cols, 'ResTarget').map(({ name, indirection }) =>
    indirection === undefined ? (name ?? '') : '',
  );
}

function rowsOf({ selectStmt }: InsertStmt): readonly (readonly Node[])[] {
  const select: SelectStmt | null =
    selectStmt !== undefined && 'SelectStmt' in selectStmt ? selectStmt.SelectStmt : null;
  const isPlain =
    select !== null && select.limitCount === undefined && select.limitOffset === undefined;
  const lists = select?.valuesLists;
  if (isPlain && lists !== undefined) {
    return lists.map((list) => ('List' in list ? (list.List.items ?? []) : []));
  }
  throw unsupported(
    'on conflict do update without values',
    'select the rows first, then insert them with `values`',
  );
}

function givenValue(value: Node | undefined, name: string): Node {
  if (value !== undefined && !('SetToDefault' in value)) {
    for (const { key } of entriesOf(value)) {
      if (/^[A-Z]/.test(key) && !constant.has(key)) throw notConstant(name);
    }
    return value;
  }
  throw unsupported(
    `on conflict (${name}) with the default of ${name}`,
    'give it as a value, or insert without `do update`',
  );
}

/** What has the same value in two statements, one right after the other. */
const constant: ReadonlySet<string> = new Set([
  'A_ArrayExpr',
  'A_Const',
  'A_Expr',
  'Integer',
  'List',
  'ParamRef',
  'String',
  'TypeCast',
]);

function notConstant(name: string) {
  return unsupported(
    `on conflict (${name}) with a computed value of ${name}`,
    'compute it first, and give it as a parameter',
  );
}

/** Values as the insert takes them: `5.4` inserted into an integer column is 5. */
async function castTo(
  parser: Parser,
  name: string,
  { id, columns }: TableFacts,
): Promise<(value: Node) => Node> {
  const type = columns.find((one) => one.name === name)?.type;
  if (type === undefined) throw unsupported(`${id} has no column ${name}`, 'name one that it has');
  const [statement] = await parser.parse(`select null::${type}`);
  const [cast] = nodesOf(statement, 'TypeCast');
  if (cast === undefined) throw new Error(`${type} is not a type`);
  return (value) => ({ TypeCast: { ...cast, arg: value } });
}

/** The tree with its parameters numbered from 1; `taken` gets what they were. */
function renumber(tree: Node, taken: number[]): Node {
  const copy = structuredClone(tree);
  for (const parameter of nodesOf(copy, 'ParamRef')) {
    const number = parameter.number ?? 0;
    const known = taken.indexOf(number);
    if (known === -1) taken.push(number);
    parameter.number = known === -1 ? taken.length : known + 1;
  }
  return copy;
}
