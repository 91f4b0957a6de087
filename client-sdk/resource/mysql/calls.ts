/**
 * Functions and names in a statement. Functions are found by our own tokens, each name with a
 * parenthesis behind it, so none hides from the parser; whether one may write, the catalogue knows.
 */
import type { FunctionName } from '../facts.ts';
import { unsupported } from '../refusal.ts';
import { isWord } from './pieces.ts';
import type { Token } from './tokens.ts';

/** Words that may stand before a parenthesis and call nothing. */
const words: ReadonlySet<string> = new Set([
  ...['in', 'values', 'value', 'and', 'or', 'not', 'xor', 'on', 'using', 'as', 'from', 'join'],
  ...['where', 'exists', 'any', 'all', 'some', 'select', 'when', 'then', 'else', 'case', 'by'],
  ...['limit', 'over', 'partition', 'between', 'like', 'is', 'div', 'mod', 'set', 'having'],
  ...['union', 'except', 'intersect', 'index', 'key', 'distinct', 'row', 'interval', 'binary'],
]);

/** They tell of the statement before, and by then that is one of ours. */
const ofLastStatement: ReadonlySet<string> = new Set(['row_count', 'found_rows']);

/**
 * Every function that may be called, once each, in lower case. The table of an insert with columns
 * looks the same and is among them. Throws AT_UNSUPPORTED_SQL for those that tell of the statement
 * before.
 */
export function callsIn(tokens: readonly Token[]): readonly FunctionName[] {
  const names = new Set<FunctionName>();
  tokens.forEach((token, at) => {
    if (!isWord(tokens[at + 1], '(')) return;
    if (token.kind !== 'name' && (token.kind !== 'word' || words.has(token.value))) return;
    if (isNaming(tokens, at)) return;
    const isQualified = isWord(tokens[at - 1], '.');
    const schema = isQualified ? `${spelled(tokens[at - 2])}.` : '';
    if (!isQualified && ofLastStatement.has(token.value.toLowerCase())) {
      throw unsupported(
        `${token.value}()`,
        'use what the driver answers to the statement before: `affectedRows`, or its rows',
      );
    }
    names.add(`${schema}${spelled(token)}`);
  });
  return [...names];
}

/** `as d (a, b)` and `with d (a, b) as (…)` name columns. */
function isNaming(tokens: readonly Token[], at: number): boolean {
  if (isWord(tokens[at - 1], 'as')) return true;
  const depth = tokens[at + 1]?.depth;
  const end = tokens.findIndex((token, i) => i > at && token.depth === depth && isWord(token, ')'));
  return end !== -1 && isWord(tokens[end + 1], 'as') && isWord(tokens[end + 2], '(');
}

function spelled(token: Token | undefined): string {
  const name = token?.value.toLowerCase() ?? '';
  return /^[a-z_$][a-z0-9_$]*$/.test(name) ? name : `\`${name.replaceAll('`', '``')}\``;
}

/** Throws when an identifier could be taken for one of ours. */
export function refuseOwnNames(tokens: readonly Token[]): void {
  for (const { kind, value } of tokens) {
    if (kind !== 'word' && kind !== 'name') continue;
    if (!value.toLowerCase().startsWith('settle_')) continue;
    throw unsupported(
      `the name ${value}`,
      'names that begin with settle_ are taken in statements that write, use another',
    );
  }
}
