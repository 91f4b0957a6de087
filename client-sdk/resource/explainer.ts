/**
 * Finds out what would become of a statement, by the same functions that a local transaction uses.
 * Invariants: the user's text is never sent; nothing is locked but for the moment of reading the
 * catalogue; what it reads in is rolled back.
 */
import { SettleError } from '../errors.ts';
import { acquireWithin } from './acquire.ts';
import type { ResourceDatabase } from './database.ts';
import type { DialectStatements } from './dialect.ts';
import type {
  CompiledStatement,
  Explainable,
  ExplainedTable,
  Explanation,
  WriteExplanation,
} from './explain.ts';
import type { Catalog, Session, TableFacts } from './facts.ts';
import { Journal } from './journal.ts';
import type { Analysis, ControlStatement, WriteStatement } from './statement.ts';
import { refuseHazards } from './steps.ts';
import { Turns } from './turns.ts';
import { control } from './user-transaction.ts';
import { refuseWriters } from './writers.ts';

/** What differs between the databases. */
export interface ExplainerDialect {
  analyze(text: string): Promise<Analysis>;
  readonly statements: DialectStatements;
  /** Begins a transaction that reads, with waits of at most this long. */
  beginReading(lockTimeoutMs: number): string;
  /** One that has seen nothing yet: who asks may just have changed the schema. */
  newCatalog(): Catalog;
  /** What runs, and what undoes it. Throws AT_UNSUPPORTED_SQL. */
  explainWrite(session: Session, given: GivenWrite): Promise<WriteTexts>;
}

/** A write whose tables are known, and nothing of them speaks against it. */
export interface GivenWrite {
  readonly text: string;
  /** Null: not given. */
  readonly parameters: readonly unknown[] | null;
  readonly write: WriteStatement;
  /** In the order of its tables. */
  readonly facts: readonly TableFacts[];
}

/** The texts of a write. */
export type WriteTexts = Pick<WriteExplanation, 'runs' | 'runsIfThere' | 'undo' | 'refusedIf'>;

/** What an explainer is made of. */
export interface ExplainerPorts<Native> {
  readonly database: ResourceDatabase<Native>;
  readonly dialect: ExplainerDialect;
  readonly lockTimeoutMs: number;
}

/** The function that a resource offers; see {@link Explainable} for its errors. */
export function explainerOf<Native>(ports: ExplainerPorts<Native>): Explainable['explain'] {
  return async (statement, parameters) => {
    const given = givenIn(statement, parameters);
    try {
      return await explained(ports, given);
    } catch (error) {
      if (!(error instanceof SettleError) || error.code !== 'AT_UNSUPPORTED_SQL') throw error;
      return { kind: 'refused', code: error.code, detail: error.detail };
    }
  };
}

type Given = Pick<GivenWrite, 'text' | 'parameters'>;

function givenIn(
  statement: string | CompiledStatement,
  parameters: readonly unknown[] | undefined,
): Given {
  if (typeof statement === 'string') return { text: statement, parameters: parameters ?? null };
  return { text: statement.sql, parameters: parameters ?? statement.parameters };
}

async function explained<Native>(
  ports: ExplainerPorts<Native>,
  given: Given,
): Promise<Explanation> {
  const { dialect } = ports;
  const analysis = await dialect.analyze(given.text);
  switch (analysis.kind) {
    case 'session':
      return { kind: 'session', runs: [given.text] };
    case 'control':
      return await controlOf(dialect.statements, analysis, given.text);
    case 'read': {
      const { functions } = analysis;
      if (functions.length > 0) {
        await reading(ports, (session) => refuseWriters(dialect.newCatalog(), session, functions));
      }
      return { kind: 'read', functions, runs: [given.text] };
    }
    case 'write':
      return await reading(ports, (session) => writeOf(dialect, session, { ...given, analysis }));
    default:
      return analysis satisfies never;
  }
}

/** Played on a local transaction that is nowhere but in memory. */
async function controlOf(
  statements: DialectStatements,
  analysis: ControlStatement,
  text: string,
): Promise<Explanation> {
  const owner = {};
  let runs: readonly string[] = [];
  const perform = async (sent: string): Promise<void> => {
    runs = [sent];
  };
  const ports = { journal: new Journal(), turns: new Turns(0), statements, perform };
  if (analysis.verb !== 'begin') {
    await control(owner, { kind: 'control', verb: 'begin', name: null, text: 'begin' }, ports);
  }
  await control(owner, { ...analysis, text }, ports);
  return { kind: 'control', verb: analysis.verb, runs };
}

async function writeOf(
  dialect: ExplainerDialect,
  session: Session,
  { analysis: write, ...given }: Given & { readonly analysis: WriteStatement },
): Promise<WriteExplanation> {
  const catalog = dialect.newCatalog();
  const facts: TableFacts[] = [];
  for (const table of write.tables) facts.push(await catalog.factsOf(session, table));
  for (const one of facts) refuseHazards(write, one);
  await refuseWriters(catalog, session, write.functions);
  const texts = await dialect.explainWrite(session, { ...given, write, facts });
  const { change, columnsSet } = write;
  return {
    kind: 'write',
    change,
    isOwnLockOnly: change === 'lock',
    tables: facts.map(tableOf),
    sets: columnsSet,
    images: { before: change !== 'insert', after: change !== 'delete' && change !== 'lock' },
    ...texts,
  };
}

function tableOf({ id, key, columns }: TableFacts): ExplainedTable {
  return {
    name: id,
    key: key.map(({ name, form }) => ({ column: name, form })),
    columns: columns.map(({ name, type, isGenerated }) => ({ name, type, isGenerated })),
    lock: `settle_undo (${id}, ${JSON.stringify(key.map(({ name }) => `<${name}>`))})`,
  };
}

/** Work on a connection of its own, of which nothing is kept. */
async function reading<Native, T>(
  { database, dialect, lockTimeoutMs }: ExplainerPorts<Native>,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const connection = await acquireWithin(database, lockTimeoutMs);
  let isEnded = false;
  try {
    await connection.query(dialect.beginReading(lockTimeoutMs));
    try {
      return await work(connection);
    } finally {
      await connection.query('rollback');
      isEnded = true;
    }
  } finally {
    connection.release(isEnded ? undefined : new Error('it was not rolled back'));
  }
}
