/**
 * Whether a condition names one row by its primary key: `id = $1`, alone or with `and`; and the look for
 * undo rows on it. Pure. What is read here decides only where to look: whether it was the right row is
 * seen by the row's own key.
 */
import type { DeleteStmt, Node, UpdateStmt } from '@pgsql/types';
import type { TableFacts } from '../facts.ts';
import { imageColumns } from '../statement.ts';
import { columnAs, lookAt, referenceOf } from './nodes.ts';
import { nodesOf } from './tree.ts';

/** A look at one row. */
export interface KeyLook {
  /** The parameters that the columns of the key are compared with, in its order. */
  readonly parameters: readonly number[];
  /** `settle_held`, to be returned: it takes the key as a parameter behind all of the user's. */
  readonly column: Node;
}

/** The look at the row that is changed; null: the condition does not name one, or it is not so plain. */
export function keyLook(
  statement: UpdateStmt | DeleteStmt,
  { id, key }: Pick<TableFacts, 'id' | 'key'>,
): KeyLook | null {
  const isJoin =
    ('fromClause' in statement && statement.fromClause !== undefined) ||
    ('usingClause' in statement && statement.usingClause !== undefined);
  const parameters = isJoin ? null : keyIn(statement, key);
  if (parameters === null) return null;
  const numbers = nodesOf(statement, 'ParamRef').map(({ number = 0 }) => number);
  const look = lookAt(id, Math.max(...numbers) + 1);
  return look === null ? null : { parameters, column: columnAs(imageColumns.held, look) };
}

function keyIn(
  { relation = {}, whereClause }: UpdateStmt | DeleteStmt,
  key: TableFacts['key'],
): readonly number[] | null {
  const reference = referenceOf(relation);
  const found = new Map<string, number>();
  for (const condition of conditionsOf(whereClause)) {
    const equal = equalityIn(condition, reference);
    if (equal !== null) found.set(equal.column, equal.parameter);
  }
  const numbers = key.flatMap(({ name }) => found.get(name) ?? []);
  return numbers.length === key.length ? numbers : null;
}

function conditionsOf(node: Node | undefined): readonly Node[] {
  if (node === undefined) return [];
  if (!('BoolExpr' in node)) return [node];
  const { boolop, args = [] } = node.BoolExpr;
  return boolop === 'AND_EXPR' ? args.flatMap(conditionsOf) : [];
}

interface Equality {
  readonly column: string;
  readonly parameter: number;
}

function equalityIn(node: Node, reference: string): Equality | null {
  if (!('A_Expr' in node)) return null;
  const { kind, name, lexpr, rexpr } = node.A_Expr;
  if (kind !== 'AEXPR_OP' || wordsOf(name).join('.') !== '=') return null;
  const column = columnIn(lexpr, reference) ?? columnIn(rexpr, reference);
  const parameter = parameterIn(lexpr) ?? parameterIn(rexpr);
  return column === null || parameter === null ? null : { column, parameter };
}

function columnIn(node: Node | undefined, reference: string): string | null {
  if (node === undefined || !('ColumnRef' in node)) return null;
  const words = wordsOf(node.ColumnRef.fields);
  const [first, second] = words;
  if (words.length === 1) return first ?? null;
  return words.length === 2 && first === reference ? (second ?? null) : null;
}

function parameterIn(node: Node | undefined): number | null {
  return node !== undefined && 'ParamRef' in node ? (node.ParamRef.number ?? null) : null;
}

function wordsOf(nodes: readonly Node[] = []): readonly string[] {
  return nodes.map((node) => ('String' in node ? (node.String.sval ?? '') : ''));
}
