/**
 * The parts of a select that locks rows. Guards: a row that the database locks is a row of a table
 * that is named here.
 */
import { unsupported } from '../refusal.ts';
import { twoReadings } from './change-shape.ts';
import type { Parser } from './parser.ts';
import { isWord, itemsOf, type Piece, pieceOf, placeOf } from './pieces.ts';
import type { LockShape, Target } from './shape.ts';
import type { Token } from './tokens.ts';
import { listOf, type Source, sourcesOf, under } from './tree.ts';

const beginnings = [
  ['for', 'update'],
  ['for', 'share'],
  ['lock', 'in', 'share', 'mode'],
] as const;

/** Where the lock of the statement itself begins; -1: it has none. */
export function placeOfLock(tokens: readonly Token[]): number {
  const places = beginnings.map((words) => placeOf(tokens, words)).filter((at) => at >= 0);
  return places.length === 0 ? -1 : Math.min(...places);
}

/** Throws when rows are locked in a subquery. */
export function refuseInnerLocks(tokens: readonly Token[]): void {
  const isInner = tokens.some(
    ({ depth }, at) =>
      depth > 0 &&
      beginnings.some((words) => words.every((word, i) => isWord(tokens[at + i], word))),
  );
  if (!isInner) return;
  throw unsupported(
    'a lock on rows inside of another statement',
    'lock them first, with a `select … for update` of its own',
  );
}

/** Throws AT_UNSUPPORTED_SQL. `at`: where its lock begins. */
export async function lockShape(
  parser: Parser,
  tokens: readonly Token[],
  at: number,
): Promise<LockShape> {
  const lock = tokens.slice(at);
  const named = namedIn(lock);
  const tree = await parser.parse(tokens.slice(0, at));
  const select = under(tree.fields, 'body', 'Select');
  const from = placeOf(tokens, ['from']);
  if (tree.kind !== 'Query' || select === null || from === -1 || isGrouped(tree.fields, select)) {
    throw grouped();
  }
  const rest = pieceOf(tokens.slice(from, at));
  const sources = sourcesOf(under(select, 'from'));
  const list = pieceOf(tokens.slice(0, from));
  // The parser takes the second for the name of a column.
  if (list.tokens.some((token) => isWord(token, 'distinct', 'distinctrow'))) throw grouped();
  const order = placeOf(rest.tokens, ['order', 'by']);
  const hasLimit = placeOf(rest.tokens, ['limit']) !== -1;
  if ((under(tree.fields, 'limit_clause') !== null) !== hasLimit) throw twoReadings();
  return {
    ...{ kind: 'lock', list, rest, lock: pieceOf(lock), hasLimit },
    targets: lockedOf(sources, named),
    isPlain: isPlain(list) && (order === -1 || isPlain(pieceOf(rest.tokens.slice(order)))),
  };
}

function grouped(): Error {
  return unsupported(
    'a lock on rows of a union, of `with`, of groups or of no table',
    'select and lock the rows themselves, then group them',
  );
}

/** Without parentheses there is no function, so no aggregate either. */
function isPlain({ tokens }: Piece): boolean {
  return !tokens.some((token) => isWord(token, '('));
}

function isGrouped(query: unknown, select: unknown): boolean {
  const groups = under(select, 'group_by', 'Expressions');
  const isWithout = listOf(groups).length > 0 && listOf(groups).every((g) => isEmpty(g));
  return (
    !isWithout ||
    under(query, 'with') !== null ||
    under(select, 'distinct') !== null ||
    under(select, 'having') !== null ||
    listOf(under(select, 'named_window')).length > 0
  );
}

function isEmpty(list: unknown): boolean {
  return Array.isArray(list) && list.length === 0;
}

/** The tables behind `of`; null: all. Throws for anything that is no locking clause. */
function namedIn(lock: readonly Token[]): readonly string[] | null {
  const isShareMode = isWord(lock[0], 'lock');
  let rest = lock.slice(isShareMode ? 4 : 2);
  let named: readonly string[] | null = null;
  if (!isShareMode && isWord(rest[0], 'of')) {
    const end = rest.findIndex((token) => isWord(token, 'nowait', 'skip', 'wait'));
    const items = itemsOf(rest.slice(1, end === -1 ? undefined : end), 0);
    if (items.some((item) => item.length !== 1)) throw notLock();
    named = items.map(([token]) => nameOf(token));
    rest = end === -1 ? [] : rest.slice(end);
  }
  const waits = rest.map(({ value, kind }) => (kind === 'number' ? '1' : value)).join(' ');
  if (['', 'nowait', 'skip locked', 'wait 1'].includes(waits)) return named;
  throw notLock();
}

/** Words as they were written. */
function nameOf(token: Token | undefined): string {
  if (token?.kind !== 'word' && token?.kind !== 'name') throw notLock();
  return token.kind === 'word' ? token.text : token.value;
}

function notLock(): Error {
  return unsupported('what follows on the lock', 'end the statement with one locking clause');
}

function lockedOf(sources: readonly Source[], named: readonly string[] | null): Target[] {
  const references = sources.map(({ reference }) => reference);
  if (new Set(references).size !== references.length) {
    throw unsupported('two tables of one name', 'give each an alias of its own');
  }
  const isFound = named === null || named.every((name) => references.includes(name));
  const locked = sources.filter(({ reference }) => named?.includes(reference) ?? true);
  if (!isFound || locked.length === 0) throw notLock();
  return locked.map(({ table, reference }) => {
    if (table !== null) return { table, reference };
    throw unsupported(
      'a lock on rows of a subquery or of a join in parentheses',
      'lock tables, joined without parentheses',
    );
  });
}
