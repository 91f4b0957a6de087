/** What runs for a write on PostgreSQL, and what undoes it: the texts of those who send them. */
import type { Dialect } from '../dialect.ts';
import type { ExplainerDialect, WriteTexts } from '../explainer.ts';
import type { Session, TableFacts } from '../facts.ts';
import type { SqlAnalyzer, WriteStatement } from '../statement.ts';
import { keyChange } from '../steps.ts';
import { createPostgresAnalyzer } from './analyzer.ts';
import { createPostgresCatalog } from './catalog.ts';
import { partsOf } from './functions.ts';
import { textOf, type Verb } from './row-writer.ts';
import { readTable } from './table-query.ts';

/** With an analyzer of its own: what is only asked about leaves no trace where statements run. */
export function createPostgresExplainer({
  statements,
}: Pick<Dialect, 'statements'>): ExplainerDialect {
  const analyzer = createPostgresAnalyzer();
  return {
    analyze: (text) => analyzer.analyze(text),
    statements,
    beginReading: (lockTimeoutMs) => `${statements.begin(lockTimeoutMs)}; ${readOnly}`,
    newCatalog: () => createPostgresCatalog(() => 0),
    async explainWrite(session, { text, write, facts }) {
      const runs = await runsOf(analyzer, text, facts);
      const rest = await undone(session, write, facts);
      return { runs, runsIfThere: null, ...rest };
    },
  };
}

const readOnly = 'set transaction read only';

async function runsOf(
  analyzer: SqlAnalyzer,
  text: string,
  facts: readonly TableFacts[],
): Promise<readonly string[]> {
  const rewritten = await analyzer.rewrite(text, facts);
  return [...(rewritten.before === null ? [] : [rewritten.before.text]), rewritten.text];
}

const undoingVerbs: Readonly<Record<WriteStatement['change'], readonly Verb[]>> = {
  insert: ['delete'],
  update: ['update'],
  delete: ['insert'],
  upsert: ['delete', 'update'],
  lock: [],
};

async function undone(
  session: Session,
  { change, columnsSet }: WriteStatement,
  all: readonly TableFacts[],
): Promise<Pick<WriteTexts, 'undo' | 'refusedIf'>> {
  const [facts] = all;
  const verbs = undoingVerbs[change];
  if (facts === undefined || verbs.length === 0) return { undo: [], refusedIf: [] };
  const [schema = '', name = ''] = partsOf(facts.id);
  const row = await readTable(session, { schema, name });
  if (row === null) throw new Error(`${facts.id} went while it was explained`);
  const columns = facts.columns
    .filter((column) => columnsSet.includes(column.name) && !column.isGenerated)
    .map((column) => column.name);
  const isKeySet = facts.key.some((column) => columnsSet.includes(column.name));
  const settable = verbs.filter((verb) => verb !== 'update' || columns.length > 0);
  return {
    undo: settable.map((verb) => textOf({ row, facts }, verb, columns)),
    refusedIf: isKeySet ? [keyChange(facts).detail] : [],
  };
}
