/**
 * The parser of SQL that is asked beside our own tokens, an optional peer that is loaded with the
 * first statement. It reads what our tokens say (no comments, no odd characters), so that both have
 * the same text before them; only what both read in the same way is taken for understood.
 */
import { lazyPeer } from '../peer.ts';
import { unsupported } from '../refusal.ts';
import { pieceOf } from './pieces.ts';
import type { Token } from './tokens.ts';
import { countOf, fieldsOf } from './tree.ts';

/** What is used of `@guanmingchiu/sqlparser-ts`. */
export type ParseText = (text: string) => readonly unknown[];

/** Loads the package. */
export type ParserLoader = () => Promise<ParseText>;

/** A statement as the parser sees it: `kind` is its tag, such as `Update`. */
export interface Tree {
  readonly kind: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** From tokens to a tree. */
export interface Parser {
  /** Of one statement. Throws AT_UNSUPPORTED_SQL for what it cannot read, INVALID_CONFIG without it. */
  parse(tokens: readonly Token[]): Promise<Tree>;
}

/** Loads with the first statement; when that fails, the next statement tries again. */
export function createParser(load: ParserLoader = loadPackage): Parser {
  const loaded = lazyPeer(
    load,
    'SQL of MySQL is read with a package that is not here: ' +
      'npm install @guanmingchiu/sqlparser-ts@0.62.0',
  );
  return {
    async parse(tokens) {
      const parse = await loaded();
      const [statement, ...more] = read(parse, pieceOf(tokens).text);
      const [kind = '', fields] = Object.entries(fieldsOf(statement))[0] ?? [];
      const parameters = tokens.filter(({ parameter }) => parameter >= 0).length;
      if (more.length > 0 || countOf(statement, 'Placeholder') !== parameters) {
        throw unsupported('a statement that can be read in two ways', 'write it more plainly');
      }
      return { kind, fields: fieldsOf(fields) };
    },
  };
}

function read(parse: ParseText, text: string): readonly unknown[] {
  try {
    return parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw unsupported(`the parser says "${reason}"`, 'write the statement more plainly');
  }
}

async function loadPackage(): Promise<ParseText> {
  const { Parser: TextParser, init } = await import('@guanmingchiu/sqlparser-ts');
  await init();
  return (text) => TextParser.parse(text, 'mysql');
}
