/**
 * The parts of an update or delete. Guards: our tokens and the parser must agree on every part, and
 * it is one table that changes.
 */
import { unsupported } from '../refusal.ts';
import type { Parser, Tree } from './parser.ts';
import { clausesOf, isWord, itemsOf, type Piece, pieceOf, placeOf } from './pieces.ts';
import type { ChangeShape, Target } from './shape.ts';
import type { Token } from './tokens.ts';
import { listOf, namesOf, type Source, sourcesOf, under } from './tree.ts';

const modifiers = ['low_priority', 'quick', 'ignore'];

const tail = [
  ['where', ['where']],
  ['order', ['order', 'by']],
  ['limit', ['limit']],
  ['returning', ['returning']],
] as const;

/** Throws AT_UNSUPPORTED_SQL. */
export async function changeShape(parser: Parser, tokens: readonly Token[]): Promise<ChangeShape> {
  const [verb, ...more] = tokens;
  if (verb === undefined) throw twoReadings();
  const words = more.findIndex((token) => !isWord(token, ...modifiers));
  const rest = more.slice(Math.max(words, 0));
  // The parser takes `delete ignore from t` for a delete from `ignore`.
  const tree = await parser.parse([verb, ...asParsed(rest)]);
  const head = pieceOf([verb, ...more.slice(0, Math.max(words, 0))]);
  const shape = isWord(verb, 'update') ? updateOf(tree, head, rest) : deleteOf(tree, head, rest);
  const sides: readonly (readonly [Piece | null, boolean])[] = [
    [shape.where, under(tree.fields, 'selection') !== null],
    [shape.order, listOf(under(tree.fields, 'order_by')).length > 0],
    [shape.limit, under(tree.fields, 'limit') !== null],
    [shape.returning, under(tree.fields, 'returning') !== null],
  ];
  if (sides.some(([piece, isThere]) => (piece !== null) !== isThere)) throw twoReadings();
  if (shape.isJoin && (shape.order !== null || shape.limit !== null)) {
    throw unsupported('a join with order by or limit', 'pick the rows in a select before it');
  }
  return shape;
}

/** The parser wants `returning` in front of `order by` and `limit`; the server wants it behind them. */
function asParsed(rest: readonly Token[]): readonly Token[] {
  const end = placeOf(rest, ['returning']);
  const starts = [placeOf(rest, ['order', 'by']), placeOf(rest, ['limit'])];
  const start = Math.min(...starts.filter((place) => place !== -1), end);
  if (end <= start) return rest;
  const parts = [rest.slice(0, start), rest.slice(end), rest.slice(start, end)];
  return parts.flatMap(([first, ...more]) =>
    first === undefined ? [] : [{ ...first, isApart: true }, ...more],
  );
}

function updateOf(tree: Tree, head: Piece, rest: readonly Token[]): ChangeShape {
  const parts = clausesOf(rest, [['set', ['set']], ...tail]);
  if (tree.kind !== 'Update' || parts === null || parts.set === null) throw twoReadings();
  const assigned = listOf(under(tree.fields, 'assignments')).map((assignment) =>
    namesOf(under(assignment, 'target', 'ColumnName')),
  );
  if (assigned.length !== itemsOf(parts.set.tokens, 0).length) throw twoReadings();
  const sources = sourcesOf(under(tree.fields, 'table'));
  const [only, ...joined] = sources;
  const isJoin = joined.length > 0;
  const names = assigned.map((parts) => parts.at(-2) ?? (isJoin ? '' : (only?.reference ?? '')));
  const [name = '', ...others] = new Set(names);
  if (others.length > 0 || name === '') {
    throw unsupported(
      'an update of several tables, or of columns without a table in front',
      'update one table, and write `alias.column = …` for each column of it',
    );
  }
  return {
    ...{ ...parts, kind: 'change', verb: 'update', head, sources: parts.head, isJoin },
    target: targetOf(sources, name),
    columnsSet: assigned.map((parts) => parts.at(-1) ?? ''),
  };
}

function deleteOf(tree: Tree, head: Piece, rest: readonly Token[]): ChangeShape {
  if (tree.kind !== 'Delete') throw twoReadings();
  const from = under(tree.fields, 'from', 'WithFromKeyword');
  const using = under(tree.fields, 'using');
  const targets = listOf(under(tree.fields, 'tables')).map(namesOf);
  const start = using === null ? placeOf(rest, ['from']) : placeOf(rest, ['using']);
  const isFirst = isWord(rest[0], 'from');
  if (start === -1 || isFirst !== (using !== null || targets.length === 0)) throw twoReadings();
  const parts = clausesOf(rest.slice(start + 1), tail);
  if (parts === null) throw twoReadings();
  const shape = { kind: 'change', verb: 'delete', head, sources: parts.head } as const;
  const common = { ...parts, ...shape, set: null, columnsSet: [] };
  const sources = sourcesOf(using ?? from);
  if (using === null && targets.length === 0) {
    const [only, ...joined] = sources;
    if (only === undefined || joined.length > 0) throw twoReadings();
    return { ...common, isJoin: false, target: targetOf(sources, only.reference) };
  }
  const named = using === null ? targets : sourcesOf(from).map(({ reference }) => [reference]);
  const [names = [], ...others] = named;
  if (others.length > 0) {
    throw unsupported('a delete from several tables', 'delete from each in a statement of its own');
  }
  const hasSchema = names.length > 1;
  if (hasSchema) throw unsupported('a schema in what is deleted', 'name the table by its alias');
  return { ...common, isJoin: true, target: targetOf(sources, names[0] ?? '') };
}

/** The table of that name among the sources. */
function targetOf(sources: readonly Source[], reference: string): Target {
  const [source, ...others] = sources.filter((one) => one.reference === reference);
  if (source === undefined || source.table === null || others.length > 0) {
    throw unsupported(
      `${reference} is not one table of the statement`,
      'give each table an alias, and spell it the same everywhere',
    );
  }
  return { table: source.table, reference };
}

/** Of a text that our tokens and the parser take apart differently. */
export function twoReadings(): Error {
  return unsupported('a statement that can be read in two ways', 'write it more plainly');
}
