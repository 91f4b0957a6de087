/** Understands texts of MySQL, each once. Nothing here touches a database. */
import type { Analysis } from '../statement.ts';
import { createTextCache } from '../text-cache.ts';
import { type Understood, understand } from './analysis.ts';
import { createParser, type ParserLoader } from './parser.ts';
import type { Shape } from './shape.ts';
import { tokensOf } from './tokens.ts';

/** What a dialect for MySQL asks of a text. */
export interface MysqlAnalyzer {
  /** Throws AT_UNSUPPORTED_SQL, and INVALID_CONFIG when the parser is not installed. */
  analyze(text: string): Promise<Analysis>;
  /** The parts of a statement that writes; null for others. Throws as `analyze`. */
  partsOf(text: string): Promise<StatementParts | null>;
}

interface Known extends Understood {
  readonly parameters: number;
}

/** A statement that writes, taken apart. */
export interface StatementParts {
  readonly shape: Shape;
  /** How many values it takes. */
  readonly parameters: number;
}

/** An analyzer with a cache of its own. */
export function createMysqlAnalyzer(load?: ParserLoader): MysqlAnalyzer {
  const parser = createParser(load);
  const known = createTextCache<Known>();
  const understood = async (text: string) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const tokens = tokensOf(text);
    const finding = await understand(parser, tokens);
    const parameters = tokens.filter(({ parameter }) => parameter >= 0).length;
    // A token takes about as much as some ten characters of text.
    known.set(text, { ...finding, parameters }, finding.shape === null ? 0 : tokens.length * 50);
    return { ...finding, parameters };
  };
  return {
    analyze: async (text) => (await understood(text)).analysis,
    async partsOf(text) {
      const { shape, parameters } = await understood(text);
      return shape === null ? null : { shape, parameters };
    },
  };
}
