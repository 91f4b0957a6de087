/**
 * Parts of a statement: tokens in a row, their text, and which parameters stand in them. Statements
 * are taken apart at reserved words outside of all parentheses, and parts go into other statements
 * as they were written: what the server reads is what the user wrote. Pure.
 */
import type { Token } from './tokens.ts';

/** A part of a statement. */
export interface Piece {
  readonly tokens: readonly Token[];
  readonly text: string;
  /** Places of its parameters in the statement, from 0, in their order. */
  readonly parameters: readonly number[];
}

/** The tokens as one part, comments left out. */
export function pieceOf(tokens: readonly Token[]): Piece {
  const text = tokens
    .map((token, i) => (i > 0 && token.isApart ? ` ${token.text}` : token.text))
    .join('');
  const parameters = tokens.filter(({ parameter }) => parameter >= 0);
  return { tokens, text, parameters: parameters.map(({ parameter }) => parameter) };
}

/** Whether the token is this word, unquoted, or this symbol. */
export function isWord(token: Token | undefined, ...words: readonly string[]): boolean {
  const isKind = token?.kind === 'word' || token?.kind === 'symbol';
  return isKind && words.includes(token.value);
}

/** Where these words stand in a row at this depth, from `start`; -1: nowhere. */
export function placeOf(
  tokens: readonly Token[],
  words: readonly string[],
  { start = 0, depth = 0 } = {},
): number {
  const last = tokens.length - words.length;
  for (let at = start; at <= last; at += 1) {
    if (tokens[at]?.depth !== depth) continue;
    if (words.every((word, i) => isWord(tokens[at + i], word))) return at;
  }
  return -1;
}

/** One part of a statement and the words that begin it. */
export type Clauses<Name extends string> = Readonly<Record<Name, Piece | null>>;

/**
 * The parts that begin with these words, which are not in them, and `head`, what comes before.
 * Null when a clause comes twice or out of order: then the text is not what it seems.
 */
export function clausesOf<Name extends string>(
  tokens: readonly Token[],
  clauses: readonly (readonly [name: Name, words: readonly string[]])[],
): (Clauses<Name> & { readonly head: Piece }) | null {
  const found = clauses.flatMap(([name, words]) => {
    const at = placeOf(tokens, words);
    if (at === -1) return [];
    const again = placeOf(tokens, words, { start: at + 1 });
    return [{ name, at, length: words.length, isOnce: again === -1 }];
  });
  if (found.some((one) => !one.isOnce)) return null;
  if (found.some((one, i) => one.at < (found[i - 1]?.at ?? 0))) return null;
  const absent = Object.fromEntries(clauses.map(([name]) => [name, null]));
  const present = found.map(({ name, at, length }, i) => [
    name,
    pieceOf(tokens.slice(at + length, found[i + 1]?.at)),
  ]);
  // Object.fromEntries loses the names: each of `clauses` is there.
  const parts = { ...absent, ...Object.fromEntries(present) } as Clauses<Name>;
  return { ...parts, head: pieceOf(tokens.slice(0, found[0]?.at)) };
}

/** Parts between the commas at this depth; none for no tokens. */
export function itemsOf(tokens: readonly Token[], depth: number): readonly (readonly Token[])[] {
  if (tokens.length === 0) return [];
  const items: Token[][] = [[]];
  for (const token of tokens) {
    if (token.depth === depth && isWord(token, ',')) items.push([]);
    else items.at(-1)?.push(token);
  }
  return items;
}

/** The text of a statement, and the places of its parameters. Parts are put behind one another. */
export function joined(parts: readonly (string | Piece)[]): Pick<Piece, 'text' | 'parameters'> {
  const text = parts.map((part) => (typeof part === 'string' ? part : part.text)).join(' ');
  const parameters = parts.flatMap((part) => (typeof part === 'string' ? [] : part.parameters));
  return { text, parameters };
}
