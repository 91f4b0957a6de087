/**
 * The SQL dialect of PostgreSQL: analysis and rewriting by text, each remembered. Nothing here
 * touches a database.
 */
import type { Node } from '@pgsql/types';
import type { TableFacts } from '../facts.ts';
import { unsupported } from '../refusal.ts';
import type { Analysis, Rewritten, SqlAnalyzer } from '../statement.ts';
import { createTextCache } from '../text-cache.ts';
import { analysisOf } from './analysis.ts';
import { type KeyLook, keyLook } from './key-condition.ts';
import { lockWithImages } from './lock.ts';
import { createParser, type Parser, type ParserLoader } from './parser.ts';
import { deleteWithImages, insertWithImages, updateWithImages } from './rewrite.ts';
import { rowsBeforeUpsert, upsertWithImages } from './upsert.ts';

interface Known {
  /** The last ones that said the same: mostly the next ones are these very objects. */
  facts: readonly TableFacts[];
  readonly rewritten: Rewritten;
}

/**
 * An analyzer with caches of its own. Its functions throw AT_UNSUPPORTED_SQL, and INVALID_CONFIG
 * when `libpg-query` or `pgsql-deparser` is not installed.
 */
export function createPostgresAnalyzer(load?: ParserLoader): SqlAnalyzer {
  const parser = createParser(load);
  const analyses = createTextCache<Analysis>();
  const rewritings = createTextCache<Known>();
  const analyze = async (text: string) => {
    const known = analyses.get(text);
    if (known !== undefined) return known;
    const analysis = analysisOf(await parser.parse(text));
    analyses.set(text, analysis);
    return analysis;
  };
  return {
    analyze,
    async rewrite(text, facts) {
      const known = rewritings.get(text);
      if (known !== undefined && sameFacts(known.facts, facts)) {
        known.facts = facts;
        return known.rewritten;
      }
      // What analysis refuses is never rewritten, whoever asks.
      await analyze(text);
      const rewritten = await rewrite(parser, text, facts);
      const size = rewritten.text.length + (rewritten.before?.text.length ?? 0);
      rewritings.set(text, { facts, rewritten }, size);
      return rewritten;
    },
  };
}

async function rewrite(
  parser: Parser,
  text: string,
  facts: readonly TableFacts[],
): Promise<Rewritten> {
  for (const table of facts) refuseTable(table);
  const [first] = facts;
  const [statement] = await parser.parse(text);
  if (statement === undefined || first === undefined) throw noImages();
  if ('SelectStmt' in statement) {
    const written = await parser.write(lockWithImages(statement.SelectStmt));
    return { text: written, before: null, givesRows: true, keyParameters: null };
  }
  if ('UpdateStmt' in statement) {
    const { UpdateStmt: update } = statement;
    const look = keyLook(update, first);
    return {
      text: await parser.write(updateWithImages(update, first, columnsOf(look))),
      before: null,
      givesRows: update.returningClause !== undefined,
      keyParameters: look?.parameters ?? null,
    };
  }
  if ('DeleteStmt' in statement) {
    const look = keyLook(statement.DeleteStmt, first);
    const completed = deleteWithImages(statement.DeleteStmt, columnsOf(look));
    return {
      text: await parser.append(text, completed),
      before: null,
      givesRows: completed.givesRows,
      keyParameters: look?.parameters ?? null,
    };
  }
  if (!('InsertStmt' in statement)) throw noImages();
  const { InsertStmt: insert } = statement;
  const isUpsert = insert.onConflictClause?.action === 'ONCONFLICT_UPDATE';
  const completed = isUpsert ? upsertWithImages(insert) : insertWithImages(insert);
  return {
    text: await parser.append(text, completed),
    before: isUpsert ? await rowsBeforeUpsert(parser, insert, first) : null,
    givesRows: completed.givesRows,
    keyParameters: null,
  };
}

function columnsOf(look: KeyLook | null): readonly Node[] {
  return look === null ? [] : [look.column];
}

function refuseTable({ id, key, columns }: TableFacts): void {
  if (key.length === 0) throw unsupported(`${id} has no primary key`, 'give it one');
  const own = columns.find(({ name }) => name.startsWith('settle_'));
  if (own === undefined) return;
  throw unsupported(`the column ${own.name} of ${id}`, 'give it a name without settle_ in front');
}

function noImages() {
  return unsupported('a statement without rows to undo', 'send an insert, update or delete');
}

/** Whether a text rewritten with the one is the text for the other. */
function sameFacts(one: readonly TableFacts[], other: readonly TableFacts[]): boolean {
  if (one.length !== other.length) return false;
  return one.every((table, index) => {
    const now = other[index];
    return now === table || (now !== undefined && shapeOf(table) === shapeOf(now));
  });
}

function shapeOf({ id, key, columns }: TableFacts): string {
  return JSON.stringify([id, key, columns]);
}
