/**
 * The parts of an insert or replace. Guards: our tokens and the parser must agree on the table, the
 * columns, and the number of rows and of values in each.
 */
import { unsupported } from '../refusal.ts';
import { twoReadings } from './change-shape.ts';
import type { Parser, Tree } from './parser.ts';
import { isWord, itemsOf, type Piece, pieceOf, placeOf } from './pieces.ts';
import type { InsertShape } from './shape.ts';
import type { Token } from './tokens.ts';
import { listOf, namesOf, under } from './tree.ts';

/** Throws AT_UNSUPPORTED_SQL. */
export async function insertShape(parser: Parser, tokens: readonly Token[]): Promise<InsertShape> {
  if (tokens.some((token) => token.depth === 0 && isWord(token, 'delayed'))) {
    throw unsupported('insert delayed', 'leave `delayed` out');
  }
  const tree = await parser.parse(tokens);
  const names = namesOf(under(tree.fields, 'table', 'TableName'));
  const [name = '', schema = null] = names.toReversed();
  if (tree.kind !== 'Insert' || names.length > 2 || name === '') throw twoReadings();
  if (under(tree.fields, 'partitioned') !== null || hasPartition(tokens)) {
    throw unsupported('an insert into a partition', 'leave `partition (…)` out');
  }
  const { start, update, returning } = partsOf(tokens, tree);
  const assigned = listOf(under(tree.fields, 'on', 'DuplicateKeyUpdate'));
  return {
    ...{ kind: 'insert', way: wayOf(tree, start, update), start, update, returning },
    target: { table: { schema, name }, reference: name },
    ...valuesOf(tree, start.tokens),
    columnsSet: assigned.map((one) => namesOf(under(one, 'target', 'ColumnName')).at(-1) ?? ''),
  };
}

function hasPartition(tokens: readonly Token[]): boolean {
  return tokens.some((token) => token.depth === 0 && isWord(token, 'partition'));
}

function wayOf({ fields }: Tree, start: Piece, update: Piece | null): InsertShape['way'] {
  const isReplace = under(fields, 'replace_into') === true;
  const isIgnored = under(fields, 'ignore') === true;
  const saysIgnore = start.tokens.some((token) => token.depth === 0 && isWord(token, 'ignore'));
  if (isReplace !== isWord(start.tokens[0], 'replace')) throw twoReadings();
  if (isIgnored !== saysIgnore) throw twoReadings();
  if (isReplace) return 'replace';
  if (update === null) return isIgnored ? 'ignore' : 'insert';
  if (!isIgnored) return 'update';
  throw unsupported('insert ignore with on duplicate key update', 'leave `ignore` out');
}

function partsOf(tokens: readonly Token[], { fields }: Tree) {
  const on = placeOf(tokens, ['on', 'duplicate', 'key', 'update']);
  const returns = placeOf(tokens, ['returning'], { start: Math.max(on, 0) });
  const end = returns === -1 ? tokens.length : returns;
  const update = on === -1 ? null : pieceOf(tokens.slice(on + 4, end));
  const assigned = listOf(under(fields, 'on', 'DuplicateKeyUpdate'));
  const isAgreed =
    (under(fields, 'on') !== null) === (on !== -1) &&
    (update === null || itemsOf(update.tokens, 0).length === assigned.length) &&
    (under(fields, 'returning') !== null) === (returns !== -1);
  if (!isAgreed) throw twoReadings();
  return {
    start: pieceOf(tokens.slice(0, on === -1 ? end : on)),
    update,
    returning: returns === -1 ? null : pieceOf(tokens.slice(returns + 1)),
  };
}

/** Columns and rows. */
function valuesOf(
  { fields }: Tree,
  tokens: readonly Token[],
): Pick<InsertShape, 'columns' | 'rows'> {
  const assignments = listOf(under(fields, 'assignments'));
  if (assignments.length > 0) return assignedIn(tokens, assignments);
  const given = listOf(under(fields, 'columns')).map((column) => namesOf(column).at(-1) ?? '');
  const columns = given.length > 0 ? given : null;
  const values = under(fields, 'source', 'body', 'Values');
  if (values === null) return { columns, rows: null };
  const at = tokens.findIndex((token) => token.depth === 0 && isWord(token, 'values', 'value'));
  const alias = placeOf(tokens, ['as'], { start: at });
  const lists = itemsOf(tokens.slice(at + 1, alias === -1 ? undefined : alias), 0);
  const rows = lists.map((list) => {
    const isList = isWord(list[0], '(') && isWord(list.at(-1), ')');
    if (at === -1 || !isList) throw twoReadings();
    return itemsOf(list.slice(1, -1), 1).map(pieceOf);
  });
  // The parser drops an empty list of columns: `insert into t () values ()`.
  const counts = listOf(under(values, 'rows')).map((row) => listOf(under(row, 'content')).length);
  if (rows.map((row) => row.length).join() !== counts.join()) throw twoReadings();
  const isEmpty = counts.every((count) => count === 0);
  return { columns: isEmpty ? [] : columns, rows };
}

/** `set a = 1, b = ?`. */
function assignedIn(tokens: readonly Token[], assignments: readonly unknown[]) {
  const at = placeOf(tokens, ['set']);
  const alias = placeOf(tokens, ['as'], { start: at });
  const items = itemsOf(tokens.slice(at + 1, alias === -1 ? undefined : alias), 0);
  if (at === -1 || items.length !== assignments.length) throw twoReadings();
  const columns = assignments.map(
    (one) => namesOf(under(one, 'target', 'ColumnName')).at(-1) ?? '',
  );
  const row = items.map((item) => {
    const equals = item.findIndex((token) => isWord(token, '='));
    return pieceOf(item.slice(equals + 1));
  });
  return { columns, rows: [row] };
}
