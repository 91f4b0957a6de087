/**
 * PostgreSQL's own parser, and the way back from its tree to a text. Both are optional peers, loaded
 * with the first statement. Guards: a text that was written from a tree says exactly what the tree
 * says, because it is parsed again and compared; what the writer gets wrong is refused.
 */
import type { Node, ParseResult } from '@pgsql/types';
import { limits } from '../../protocol/index.ts';
import { lazyPeer } from '../peer.ts';
import { unsupported } from '../refusal.ts';
import { sameTree } from './tree.ts';

/** What is used of `libpg-query` and `pgsql-deparser`. */
export interface ParserModules {
  readonly parse: (text: string) => Promise<ParseResult>;
  readonly deparse: (node: Node) => string;
}

/** Loads the two packages. */
export type ParserLoader = () => Promise<ParserModules>;

/** An insert or delete with more columns at the end of its `returning`, which is its last clause. */
export interface Appended {
  readonly tree: Node;
  readonly columns: readonly Node[];
  /** Whether the user's text has a `returning` already. */
  readonly givesRows: boolean;
}

/** From text to tree and back. */
export interface Parser {
  /** Its statements. Throws AT_UNSUPPORTED_SQL for what is no SQL, INVALID_CONFIG without packages. */
  parse(text: string): Promise<readonly Node[]>;
  /** Throws AT_UNSUPPORTED_SQL when the tree cannot be written down exactly. */
  write(tree: Node): Promise<string>;
  /** The text of the tree, made from the user's own where that is possible. Throws as `write`. */
  append(text: string, appended: Appended): Promise<string>;
}

/** Loads with the first statement; when that fails, the next statement tries again. */
export function createParser(load: ParserLoader = loadPackages): Parser {
  const modules = lazyPeer(
    load,
    'SQL of PostgreSQL is read with two packages that are not here: ' +
      'npm install libpg-query@18.1.5 pgsql-deparser@18.3.8',
  );
  const parse = async (text: string) => {
    const parser = await modules();
    // It takes comments alone for no statement, but nothing at all for a mistake.
    if (text.trim() === '') return [];
    if (text.length > limits.sqlLengthMax) throw tooLong();
    // The parser is a C program and would see only what comes before it.
    if (text.includes('\0')) throw unsupported('a text with a NUL character', 'leave it out');
    return statementsOf(await parser.parse(text).catch(refuseUnread));
  };
  /** Null: the text does not say what the tree says. */
  const proven = async (text: string, tree: Node) => {
    const statements = await parse(text);
    return statements.length === 1 && sameTree(statements[0], tree) ? text : null;
  };
  const write = async (tree: Node) => {
    const { deparse } = await modules();
    const text = await orNull(() => proven(deparse(tree), tree));
    if (text === null) throw unwritable();
    return text;
  };
  return {
    parse,
    write,
    async append(text, { tree, columns, givesRows }) {
      const select = await write(selectOf(columns));
      const added = select.replace('SELECT', givesRows ? ',' : 'returning');
      // The line break ends a comment. Where another one follows the semicolon this is no SQL.
      const whole = `${text.replace(/[;\s]+$/, '')}\n${added}`;
      // Most texts end so, and keep every word of the user's.
      return (await orNull(() => proven(whole, tree))) ?? write(tree);
    },
  };
}

/** What cannot be written, read again or compared is as little ours to run as what differs. */
async function orNull(work: () => Promise<string | null>): Promise<string | null> {
  try {
    return await work();
  } catch {
    return null;
  }
}

function selectOf(columns: readonly Node[]): Node {
  const targetList = [...columns];
  return {
    SelectStmt: { targetList, limitOption: 'LIMIT_OPTION_DEFAULT', op: 'SETOP_NONE' },
  };
}

async function loadPackages(): Promise<ParserModules> {
  const [parser, deparser] = await Promise.all([import('libpg-query'), import('pgsql-deparser')]);
  await parser.loadModule();
  return { parse: parser.parse, deparse: (node) => deparser.deparseSync(node, { pretty: false }) };
}

function statementsOf(result: ParseResult): readonly Node[] {
  return (result.stmts ?? []).flatMap(({ stmt }) => (stmt === undefined ? [] : [stmt]));
}

function refuseUnread(error: unknown): never {
  const reason = error instanceof Error ? error.message : String(error);
  throw unsupported(`PostgreSQL's parser says "${reason}"`, 'correct the statement');
}

function tooLong() {
  return unsupported(
    `a text of more than ${limits.sqlLengthMax} characters`,
    'give the values as parameters, many of them as one array, or in several statements',
  );
}

function unwritable() {
  return unsupported(
    'a statement that cannot be completed with images without changing it',
    'write its unusual expressions in another way, or in a select of their own before it',
  );
}
