/**
 * SQL of MySQL and MariaDB, cut into tokens. Guards: a text has one reading only, whatever the
 * session's sql_mode and whichever way the driver binds parameters. What another mode, another
 * server or the driver would read in another way is refused: double quotes, backslashes in quotes,
 * executable comments, `?` inside of quotes and comments.
 */
import { unsupported } from '../refusal.ts';

/** One token. `text` as it stands in the statement. */
export interface Token {
  readonly kind: 'word' | 'name' | 'string' | 'number' | 'parameter' | 'variable' | 'symbol';
  readonly text: string;
  /** Words in lower case, names without their backticks, strings without their quotes. */
  readonly value: string;
  /** Whether anything stands between this token and the one before. */
  readonly isApart: boolean;
  /** Parentheses that are open around it; they themselves stand outside. */
  readonly depth: number;
  /** Of a parameter: its place, from 0; otherwise -1. */
  readonly parameter: number;
}

type Reading = readonly [kind: Token['kind'], pattern: RegExp];

// Sticky: each is tried where the last token ended. Order counts.
const readings: readonly Reading[] = [
  ['string', /(?:_[a-z0-9]+|[nxb])?'(?:[^'\\]|'')*'/iy],
  ['name', /`(?:[^`\\]|``)+`/y],
  ['variable', /@@?[a-z0-9_.$]+/iy],
  ['number', /0x[0-9a-f]+|0b[01]+|(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?/iy],
  ['word', /[a-z_$][a-z0-9_$]*/iy],
  ['parameter', /\?/y],
  ['symbol', /<=>|<<|>>|<=|>=|<>|!=|&&|\|\||->>|->|[-+*/%=<>!~^&|.,()]/y],
];

/** White space and comments; `--` begins one only with a space behind it. */
const gap = /(?:[ \t\n\v\f\r]+|\/\*[\s\S]*?\*\/|#[^\n]*|--(?=[ \t\n\v\f\r]|$)[^\n]*)*/y;

/** The tokens. Throws AT_UNSUPPORTED_SQL where two readers could differ. A last `;` is left out. */
export function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let depth = 0;
  let parameters = 0;
  for (let at = 0; ; ) {
    const start = behindGap(text, at);
    if (start === text.length) break;
    const [kind, found] = tokenAt(text, start);
    if (found === ')') depth -= 1;
    const previous = tokens.at(-1);
    const value = meaningOf(kind, found);
    tokens.push({
      ...{ text: found, value, depth, isApart: start > at },
      // Behind a period even a reserved word is a name: `t.where`.
      kind: kind === 'word' && previous?.text === '.' ? 'name' : kind,
      parameter: kind === 'parameter' ? parameters : -1,
    });
    if (kind === 'parameter') parameters += 1;
    if (found === '(') depth += 1;
    if (depth < 0) throw unread('a parenthesis that closes nothing');
    refusePair(previous, kind, start > at);
    at = start + found.length;
  }
  if (depth !== 0) throw unread('a parenthesis that is not closed');
  return tokens;
}

function behindGap(text: string, at: number): number {
  gap.lastIndex = at;
  const comment = gap.exec(text)?.[0] ?? '';
  if (/\/\*M?!/i.test(comment)) {
    throw unsupported('an executable comment', 'write its statement without the comment');
  }
  if (comment.includes('/*+')) {
    throw unsupported('an optimizer hint', 'leave it out: it may change settings');
  }
  if (comment.includes('?')) {
    throw unsupported('a question mark in a comment', 'leave it out: the driver would bind it');
  }
  const end = at + comment.length;
  // The end of the text, or nothing but the last semicolon before it.
  return /^;\s*$/.test(text.slice(end, end + 100)) && text.slice(end).trim() === ';'
    ? text.length
    : end;
}

function tokenAt(text: string, start: number): readonly [Token['kind'], string] {
  if (text.startsWith('/*', start)) throw unread('a comment that is not closed');
  for (const [kind, pattern] of readings) {
    pattern.lastIndex = start;
    const found = pattern.exec(text)?.[0];
    if (found === undefined) continue;
    const isQuoted = kind === 'string' || kind === 'name';
    if (isQuoted && found.includes('?')) {
      throw unsupported('a question mark in quotes', 'give the text as a parameter');
    }
    return [kind, found];
  }
  throw unreadable(text.charAt(start));
}

function unreadable(character: string): Error {
  switch (character) {
    case '"':
      return unsupported(
        'double quotes, which are names in one sql_mode and texts in another',
        'write texts in single quotes or as parameters, names in backticks',
      );
    case "'":
    case '`':
      return unsupported(
        'a backslash in quotes, which one sql_mode reads in another way, or quotes left open',
        'give the text as a parameter',
      );
    case ';':
      return unsupported('several statements in one text', 'send them one by one');
    case ':':
      return unsupported(
        'an assignment to a variable, or a named parameter',
        'read the value with a select, and give parameters as `?`',
      );
    case '@':
      return unsupported('a variable with a quoted name', 'give the value as a parameter');
    default:
      return unread(`the character ${JSON.stringify(character)} outside of quotes`);
  }
}

/** Two tokens without a space between them that some reader takes for one, or for others. */
function refusePair(previous: Token | undefined, kind: Token['kind'], isApart: boolean): void {
  if (previous === undefined || isApart) return;
  if (previous.kind === 'parameter' && kind === 'parameter') {
    throw unsupported('a parameter for a name (`??`)', 'write the name into the text');
  }
  const isGlued =
    glues.has(previous.kind) && (glues.has(kind) || kind === 'string' || kind === 'parameter');
  if (isGlued) throw unread(`no space behind ${previous.text}`);
  if (previous.kind === 'string' && kind === 'string') throw unread('two texts in a row');
}

const glues: ReadonlySet<string> = new Set(['word', 'number', 'variable', 'parameter']);

function meaningOf(kind: Token['kind'], text: string): string {
  switch (kind) {
    case 'word':
      return text.toLowerCase();
    case 'name':
      return text.startsWith('`') ? text.slice(1, -1).replaceAll('``', '`') : text;
    case 'string':
      return text.startsWith("'") ? text.slice(1, -1).replaceAll("''", "'") : text;
    default:
      return text;
  }
}

function unread(what: string): Error {
  return unsupported(what, 'correct the statement, or write names in backticks');
}
