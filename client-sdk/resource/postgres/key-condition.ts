/**
 * Whether a condition names one row by its primary key: `id = $1`, alone or with `and`. Pure. What is
 * read here decides only where to look: whether it was the right row is seen by the row's own key.
 */
import type { Node, RangeVar } from '@pgsql/types';
import type { TableFacts } from '../facts.ts';
import { referenceOf } from './nodes.ts';

/** The parameters that the columns of the key are compared with, in its order; null: not all of them are. */
export function keyIn(
  statement: { readonly relation?: RangeVar; readonly whereClause?: Node },
  { key }: Pick<TableFacts, 'key'>,
): readonly number[] | null {
  const { relation = {}, whereClause } = statement;
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
