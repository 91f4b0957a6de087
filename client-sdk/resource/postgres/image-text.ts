/**
 * Reads what `settle_image` answers: the table's name, then the row as PostgreSQL writes composite
 * values, such as `shop.orders(1,"a ""b""",,)`. Pure. Only what that output can be is accepted, and
 * only from the table it is read for: a name that meant another table in the session of the user
 * (its search path) is found out here, and so is a table that has other columns by now.
 */
import type { TableFacts } from '../facts.ts';
import type { Image } from '../image.ts';

/**
 * The image that the text is for this table. Throws a plain Error for the text of another table, of
 * another number of columns, or of no row at all. Dropped columns are not in such texts.
 */
export function imageOf(facts: Pick<TableFacts, 'id' | 'columns'>, text: string): Image {
  const start = facts.id.length;
  if (!text.startsWith(facts.id) || text[start] !== '(') {
    throw new Error(`this row is not of ${facts.id}: ${text.slice(0, start + 1)}`);
  }
  const fields = fieldsOf(text, start);
  if (fields.length !== facts.columns.length) {
    throw new Error(`${facts.id} has ${facts.columns.length} columns, this row ${fields.length}`);
  }
  // Not by assignment: a column may be called __proto__.
  return Object.fromEntries(facts.columns.map(({ name }, index) => [name, fields[index] ?? null]));
}

/**
 * The fields of a composite value whose `(` stands at `start` and whose `)` ends the text. Nothing
 * is NULL, `""` is the empty text; inside of quotes a quote and a backslash stand twice.
 */
export function fieldsOf(text: string, start = 0): readonly (string | null)[] {
  const fields: (string | null)[] = [];
  if (text[start] !== '(') throw broken(text, start);
  let at = start;
  do {
    const end = endOfField(text, at + 1);
    fields.push(fieldIn(text, at + 1, end));
    at = end;
  } while (text[at] === ',');
  if (text[at] !== ')' || at + 1 !== text.length) throw broken(text, at);
  return fields;
}

const plainEnd = /[,()"\\]/g;
const doubled = /""|\\\\/g;

function endOfField(text: string, start: number): number {
  return text[start] === '"' ? endOfQuoted(text, start + 1) : nextMatch(plainEnd, text, start);
}

/** Behind the closing quote. */
function endOfQuoted(text: string, start: number): number {
  let at = start;
  for (;;) {
    const found = nextMatch(quoteOrBackslash, text, at);
    const isDoubled = text[found] === text[found + 1];
    if (!isDoubled) {
      if (text[found] !== '"') throw broken(text, found);
      return found + 1;
    }
    at = found + 2;
  }
}

const quoteOrBackslash = /["\\]/g;

function fieldIn(text: string, start: number, end: number): string | null {
  if (start === end) return null;
  if (text[start] !== '"') return text.slice(start, end);
  return text.slice(start + 1, end - 1).replace(doubled, first);
}

function first(pair: string): string {
  return pair.charAt(0);
}

function nextMatch(pattern: RegExp, text: string, start: number): number {
  pattern.lastIndex = start;
  const found = pattern.exec(text);
  if (found === null) throw broken(text, text.length);
  return found.index;
}

// Without the text: it is a row of the user's.
function broken(text: string, at: number): Error {
  return new Error(`this is no row: ${text.length} characters, unexpected at ${at}`);
}
