/**
 * What one statement of MySQL is: reads, writes, control, session, or refused. Guards: what is not
 * named here is refused, and so is every write or lock that hides inside of another statement.
 */
import { unsupported } from '../refusal.ts';
import type { Analysis, WriteStatement } from '../statement.ts';
import { callsIn, refuseOwnNames } from './calls.ts';
import { changeShape } from './change-shape.ts';
import { controlIn } from './control.ts';
import { insertShape } from './insert-shape.ts';
import { lockShape, placeOfLock, refuseInnerLocks } from './lock-shape.ts';
import type { Parser } from './parser.ts';
import { isWord, itemsOf } from './pieces.ts';
import { refusedKind } from './refusals.ts';
import type { Shape } from './shape.ts';
import type { Token } from './tokens.ts';
import { countOf } from './tree.ts';

/** A text, understood; `shape` of writes only. */
export interface Understood {
  readonly analysis: Analysis;
  readonly shape: Shape | null;
}

const session: Understood = { analysis: { kind: 'session' }, shape: null };

/** Throws AT_UNSUPPORTED_SQL. An empty text is of the session. */
export async function understand(parser: Parser, tokens: readonly Token[]): Promise<Understood> {
  const [first] = tokens;
  if (first === undefined) return session;
  const control = controlIn(tokens);
  if (control !== null) return { analysis: control, shape: null };
  switch (first.kind === 'symbol' || first.kind === 'word' ? first.value : '') {
    case 'select':
    case '(':
    case 'values':
    case 'with':
      return await ofSelect(parser, tokens);
    case 'insert':
    case 'replace':
      return written(await insertShape(parser, refusePlainly(tokens)), tokens);
    case 'update':
    case 'delete':
      return written(await changeShape(parser, refusePlainly(tokens)), tokens);
    case 'show':
      return session;
    case 'describe':
    case 'desc':
    case 'explain':
      return await ofExplain(parser, tokens);
    case 'set':
      if (!isHarmlessSet(tokens)) throw refusedKind('set');
      return session;
    default:
      throw refusedKind(first.value);
  }
}

async function ofSelect(parser: Parser, tokens: readonly Token[]): Promise<Understood> {
  refuseInnerLocks(tokens);
  if (tokens.some((token) => isWord(token, 'into', 'procedure'))) {
    throw unsupported('select … into', 'read the rows and give them as parameters');
  }
  const functions = callsIn(tokens);
  const at = placeOfLock(tokens);
  if (at !== -1) {
    refuseOwnNames(tokens);
    return written(await lockShape(parser, tokens, at), tokens);
  }
  const { kind, fields } = await parser.parse(tokens);
  if (kind !== 'Query') throw refusedKind(tokens[0]?.value ?? '');
  if (countOf(fields, 'Insert', 'Update', 'Delete', 'Merge') > 0) throw refusedKind('with');
  return { analysis: { kind: 'read', functions }, shape: null };
}

/** What holds for every insert, update and delete; answers the tokens. */
function refusePlainly(tokens: readonly Token[]): readonly Token[] {
  refuseInnerLocks(tokens);
  refuseOwnNames(tokens);
  if (placeOfLock(tokens) === -1) return tokens;
  throw unsupported('a lock on rows in a write', 'lock them first, with a select of its own');
}

function written(shape: Shape, tokens: readonly Token[]): Understood {
  const write = (change: WriteStatement['change'], columnsSet: readonly string[]): Understood => {
    const targets = shape.kind === 'lock' ? shape.targets : [shape.target];
    const tables = targets.map(({ table }) => table);
    const functions = callsIn(shape.kind === 'insert' ? behindTable(tokens) : tokens);
    return { analysis: { kind: 'write', change, tables, columnsSet, functions }, shape };
  };
  switch (shape.kind) {
    case 'change':
      return write(shape.verb, shape.columnsSet);
    case 'lock':
      return write('lock', []);
    case 'insert': {
      const isUpsert = shape.way === 'update' || shape.way === 'replace';
      return write(isUpsert ? 'upsert' : 'insert', shape.columnsSet);
    }
    default:
      return shape satisfies never;
  }
}

/** Without the table of an insert, which looks like a function when columns follow. */
function behindTable(tokens: readonly Token[]): readonly Token[] {
  return tokens.slice(tokens.findIndex((token) => isWord(token, '(', 'values', 'value', 'set')));
}

/** `describe orders` or a plan; those that run the statement (`analyze`) only of what reads. */
async function ofExplain(parser: Parser, tokens: readonly Token[]): Promise<Understood> {
  const at = tokens.findIndex((token) => isWord(token, 'select', '(', 'with', 'values'));
  const isTable = tokens.length <= 4 && tokens[1] !== undefined && !planned.has(tokens[1].value);
  if (at === -1 && isTable) return session;
  const isPlan = at >= 1 && tokens.slice(1, at).every((token) => planWords.has(token.value));
  // Older servers run subqueries to plan them, so its functions count.
  const inner = isPlan ? await ofSelect(parser, tokens.slice(at)) : null;
  if (inner?.analysis.kind === 'read') return inner;
  throw unsupported('explain of a statement that is no plain select', 'leave out explain');
}

/** What stands behind `explain` where it is not a table that is described. */
const planned: ReadonlySet<string> = new Set([
  'analyze',
  'for',
  'format',
  'insert',
  'replace',
  'update',
  'delete',
  'table',
  'extended',
]);

const planWords: ReadonlySet<string> = new Set([
  'analyze',
  'format',
  '=',
  'json',
  'tree',
  'traditional',
  'extended',
  'partitions',
]);

/** Settings that change how long a statement may take, not what it does. */
const limits: ReadonlySet<string> = new Set([
  'max_execution_time',
  'max_statement_time',
  'long_query_time',
  'join_buffer_size',
  'sort_buffer_size',
]);

/** `set @a = 1, max_statement_time = ?`: without functions and subqueries. */
function isHarmlessSet(tokens: readonly Token[]): boolean {
  return itemsOf(tokens.slice(1), 0).every((item) => {
    const [name, ...rest] = isWord(item[0], 'session') ? item.slice(1) : item;
    const [equals, ...value] = rest;
    // Settings of the connection are kept in variables that begin with settle_.
    const isUsers = name?.kind === 'variable' && !/^@(@|settle_)/i.test(name.text);
    const isLimit = name?.kind === 'word' && limits.has(name.value);
    const isPlain = value.every((token) => token.kind !== 'symbol' || isWord(token, '-', '+'));
    return (isUsers || isLimit) && isWord(equals, '=') && value.length > 0 && isPlain;
  });
}
