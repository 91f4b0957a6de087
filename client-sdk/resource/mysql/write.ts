/**
 * Writes on MySQL and MariaDB, which have no `update … returning`: the rows are locked and read
 * before, and read again after, all in the one local transaction. Each kind of statement has a file
 * of its own; here they are told apart, and what holds for all is checked.
 */
import type { Dialect, WriteJob, Written } from '../dialect.ts';
import { unsupported } from '../refusal.ts';
import { refuseHazards } from '../steps.ts';
import { createMysqlAnalyzer, type MysqlAnalyzer } from './analyzer.ts';
import { refuseValues } from './compose.ts';
import type { ParserLoader } from './parser.ts';
import type { Shape } from './shape.ts';
import { createInsertFacts, type InsertFactsOf } from './unique-keys.ts';
import { writeChange } from './write-change.ts';
import { tableOf, writeInsert, writeReturning } from './write-insert.ts';
import { writeLock } from './write-lock.ts';
import { writeUpsert } from './write-upsert.ts';

/** Runs writes; what it has found out of tables it remembers. */
export interface MysqlWriter {
  /** Throws AT_UNSUPPORTED_SQL; when the images say so, after it has run. */
  write<Native, Result>(job: WriteJob<Native, Result>): Promise<Written<Result>>;
}

/** With a memory of its own, unless it is given one. */
export function createMysqlWriter(
  analyzer: MysqlAnalyzer,
  insertFactsOf: InsertFactsOf = createInsertFacts(),
): MysqlWriter {
  return {
    async write(job) {
      const { text, parameters } = job.statement;
      const found = await analyzer.partsOf(text);
      if (found === null) throw new Error('a statement that writes nothing');
      refuseValues(parameters, found.parameters);
      refuseTables(job);
      return await run(job, found.shape, insertFactsOf);
    },
  };
}

async function run<Native, Result>(
  job: WriteJob<Native, Result>,
  shape: Shape,
  insertFactsOf: InsertFactsOf,
): Promise<Written<Result>> {
  switch (shape.kind) {
    case 'change':
      return await writeChange(job, shape, tableOf(job));
    case 'lock':
      return await writeLock(job, shape);
    case 'insert': {
      const isPlain = shape.way === 'insert';
      const skips = shape.way === 'ignore';
      if (shape.returning !== null && (isPlain || skips)) return await writeReturning(job, shape);
      if (isPlain) return await writeInsert(job, shape, insertFactsOf);
      return await writeUpsert(job, shape, insertFactsOf);
    }
    default:
      return shape satisfies never;
  }
}

/** Columns are found without regard to case, so hazards are looked at in the catalogue's spelling. */
function refuseTables<Native, Result>({ write, facts }: WriteJob<Native, Result>): void {
  const set = write.columnsSet.map((name) => name.toLowerCase());
  for (const table of facts) {
    if (table.key.length === 0) throw unsupported(`${table.id} has no primary key`, 'give it one');
    const names = table.columns.map(({ name }) => name);
    const own = names.find((name) => name.toLowerCase().startsWith('settle_'));
    if (own !== undefined) {
      throw unsupported(`the column ${own} of ${table.id}`, 'give it a name without settle_');
    }
    const columnsSet = names.filter((name) => set.includes(name.toLowerCase()));
    refuseHazards({ ...write, columnsSet }, table);
  }
}

/** Both ends of a statement: what its text is, and how it runs. With memories of their own. */
export function createMysqlStatements(load?: ParserLoader): Pick<Dialect, 'analyze' | 'write'> {
  const analyzer = createMysqlAnalyzer(load);
  const writer = createMysqlWriter(analyzer);
  return {
    analyze: (text) => analyzer.analyze(text),
    write: (job) => writer.write(job),
  };
}
