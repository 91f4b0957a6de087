/**
 * What runs for a write on MySQL and MariaDB, and what undoes it: the texts of those who send them.
 * Which texts run depends on the values here, so the writing itself is played on a stage.
 */
import { SettleError } from '../../errors.ts';
import type { Dialect } from '../dialect.ts';
import type { ExplainerDialect, GivenWrite, WriteTexts } from '../explainer.ts';
import type { Session, TableFacts } from '../facts.ts';
import type { MysqlAnalyzer, StatementParts } from './analyzer.ts';
import { createMysqlCatalog } from './catalog.ts';
import { readingOf } from './image-columns.ts';
import { partsOf } from './names.ts';
import { textOf, type Verb } from './row-writer.ts';
import type { Shape } from './shape.ts';
import { type Play, played } from './stage.ts';
import { readTable } from './table-query.ts';
import { createInsertFacts, type InsertFacts } from './unique-keys.ts';
import { createMysqlWriter, type MysqlWriter } from './write.ts';

/** For connections of `withSettings`, as the dialect. */
export function createMysqlExplainer(
  { statements }: Pick<Dialect, 'statements'>,
  analyzer: MysqlAnalyzer,
): ExplainerDialect {
  const insertFactsOf = createInsertFacts();
  const writer = createMysqlWriter(analyzer, insertFactsOf);
  return {
    analyze: (text) => analyzer.analyze(text),
    statements,
    beginReading: () => 'start transaction read only',
    newCatalog: () => createMysqlCatalog(() => 0),
    async explainWrite(session, given) {
      const [table] = given.facts;
      const parts = await analyzer.partsOf(given.text);
      if (parts === null || table === undefined) throw new Error('a statement that writes nothing');
      // The writer asks for them, too, and on its stage nobody would answer.
      const insertFacts =
        parts.shape.kind === 'insert' ? await insertFactsOf(session, table) : null;
      const parameters = given.parameters ?? standIns(parts, table, insertFacts);
      const runs = await runsOf(writer, given, { shape: parts.shape, parameters });
      return { ...runs, undo: await undoOf(session, given, parts.shape) };
    },
  };
}

interface Given {
  readonly shape: Shape;
  readonly parameters: readonly unknown[];
}

/** Values that a statement could be given, each fit for the column that it goes into. */
function standIns(
  { shape, parameters: count }: StatementParts,
  facts: TableFacts,
  insertFacts: InsertFacts | null,
): readonly unknown[] {
  const values: unknown[] = Array.from({ length: count }, () => '1');
  if (shape.kind !== 'insert' || insertFacts === null) return values;
  const names = (shape.columns ?? insertFacts.visible).map((name) => name.toLowerCase());
  for (const row of shape.rows ?? []) {
    row.forEach(({ tokens: [token, ...more] }, at) => {
      const column = facts.columns.find(({ name }) => name.toLowerCase() === names[at]);
      if (token === undefined || more.length > 0 || token.parameter < 0) return;
      values[token.parameter] = standIn(column?.type ?? '');
    });
  }
  return values;
}

function standIn(type: string): unknown {
  switch (readingOf(type)?.kind) {
    case 'bytes':
      return Buffer.alloc(Number(/^binary\((\d+)\)/.exec(type)?.[1] ?? 1), 1);
    case 'printed':
      if (type === 'date') return '2000-01-01';
      if (type === 'uuid') return '00000000-0000-0000-0000-000000000001';
      return '2000-01-01 00:00:00';
    default:
      return '1';
  }
}

async function runsOf(
  writer: MysqlWriter,
  { text, write, facts }: GivenWrite,
  { shape, parameters }: Given,
): Promise<Pick<WriteTexts, 'runs' | 'runsIfThere' | 'refusedIf'>> {
  const rows = shape.kind === 'insert' ? (shape.rows?.length ?? 1) : 1;
  const play: Play = { text, parameters, write, facts, rows, changed: rows, met: () => 0 };
  const { texts: runs, lookups } = await played(writer, play);
  const way = shape.kind === 'insert' ? shape.way : 'insert';
  if (way === 'insert' || lookups === 0) return { runs, runsIfThere: null, refusedIf: [] };
  const changed = way === 'ignore' ? 0 : rows;
  const there = await playedOn(writer, { ...play, changed, met: () => rows });
  const others = way === 'update' ? meetingsInPart(rows, lookups) : [];
  const parts = await Promise.all(others.map((met) => playedOn(writer, { ...play, met })));
  // `ignore` is refused when more is changed, or less, than was seen: a race, and no matter of rows.
  const refusals = way === 'ignore' ? [] : [there, ...parts].flatMap((one) => one.refusal ?? []);
  const isSame = there.texts?.join('\0') === runs.join('\0');
  return { runs, runsIfThere: isSame ? null : there.texts, refusedIf: [...new Set(refusals)] };
}

/** Some rows are there and others are not; some keys find them and others don't. */
function meetingsInPart(rows: number, lookups: number): readonly Play['met'][] {
  return [
    ...(rows > 1 ? [() => 1] : []),
    ...(lookups > 1 ? [(lookup: number) => (lookup === 0 ? 0 : rows)] : []),
    ...(lookups > 2 ? [(lookup: number) => (lookup === 1 ? rows : 0)] : []),
  ];
}

interface Outcome {
  readonly texts: readonly string[] | null;
  readonly refusal: string | null;
}

async function playedOn(writer: MysqlWriter, play: Play): Promise<Outcome> {
  try {
    return { texts: (await played(writer, play)).texts, refusal: null };
  } catch (error) {
    if (!(error instanceof SettleError) || error.code !== 'AT_UNSUPPORTED_SQL') throw error;
    return { texts: null, refusal: error.detail };
  }
}

function undoingVerbs(shape: Shape): readonly Verb[] {
  switch (shape.kind) {
    case 'lock':
      return [];
    case 'change':
      return shape.verb === 'delete' ? ['insert'] : ['update'];
    case 'insert':
      if (shape.way === 'replace') return ['delete', 'update', 'insert'];
      return shape.way === 'update' ? ['delete', 'update'] : ['delete'];
    default:
      return shape satisfies never;
  }
}

async function undoOf(
  session: Session,
  { facts: [facts], write }: GivenWrite,
  shape: Shape,
): Promise<readonly string[]> {
  const verbs = undoingVerbs(shape);
  if (facts === undefined || verbs.length === 0) return [];
  const [schema = '', name = ''] = partsOf(facts.id);
  const row = await readTable(session, { schema, name });
  if (row === null) throw new Error(`${facts.id} went while it was explained`);
  const set = write.columnsSet.map((column) => column.toLowerCase());
  // A row that is replaced where it stands may come out of it with any value, but in its key: there
  // only the spelling may be another one.
  const isReplace = shape.kind === 'insert' && shape.way === 'replace';
  const same = facts.key.filter(({ form }) => form === 'text').map((column) => column.name);
  const columns = facts.columns
    .filter((column) => isReplace || set.includes(column.name.toLowerCase()))
    .filter((column) => !isReplace || !same.includes(column.name))
    .filter(({ isGenerated }) => !isGenerated)
    .map((column) => column.name);
  return verbs
    .filter((verb) => verb !== 'update' || columns.length > 0)
    .map((verb) => textOf({ row, facts }, { verb, columns }, (column) => `<${column.name}>`));
}
