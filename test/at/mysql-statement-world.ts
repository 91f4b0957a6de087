/** One connection of MySQL on which statements run as a resource runs them, without a coordinator. */
import type mysql from 'mysql2/promise';
import type { ResultShape, UserStatement } from '../../client-sdk/resource/database.ts';
import type { Session, TableFacts } from '../../client-sdk/resource/facts.ts';
import type { Image, Step } from '../../client-sdk/resource/image.ts';
import { createMysqlCatalog } from '../../client-sdk/resource/mysql/catalog.ts';
import {
  imageExpression,
  imageOf,
  keyCondition,
  writtenAs,
} from '../../client-sdk/resource/mysql/image-columns.ts';
import { quoted } from '../../client-sdk/resource/mysql/names.ts';
import { createMysqlStatements } from '../../client-sdk/resource/mysql/write.ts';
import { unsupported } from '../../client-sdk/resource/refusal.ts';
import { rowKey } from '../../client-sdk/resource/row-key.ts';
import { refuseHazards } from '../../client-sdk/resource/steps.ts';

/** How a text is sent: bound by the driver, or by the server. */
export type Way = 'query' | 'execute';

type Answer = readonly [result: unknown, fields: unknown];

/** A text with its values. */
export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** What a statement answered, and the steps to undo. */
export interface Ran {
  readonly answer: unknown;
  readonly steps: readonly Step[];
}

const dialect = createMysqlStatements();
const catalog = createMysqlCatalog(() => Date.now());

function send(connection: mysql.PoolConnection, way: Way) {
  return (text: string, values: never[]) =>
    way === 'query' ? connection.query(text, values) : connection.execute(text, values);
}

/** Sends the text as it is. */
export async function plainly(
  connection: mysql.PoolConnection,
  { sql, parameters }: Statement,
  way: Way,
): Promise<unknown> {
  const values = [...parameters] as never[];
  const [result] = await send(connection, way)(sql, values);
  return cleaned(result);
}

/**
 * Runs the statement as a local transaction does, with everything that it refuses. `between` runs
 * right before each text that runs the way the user asked for his.
 */
export async function withImages(
  connection: mysql.PoolConnection,
  { sql, parameters }: Statement,
  { way, between }: { readonly way: Way; readonly between?: (text: string) => Promise<void> },
): Promise<Ran> {
  const session = sessionOn(connection);
  const analysis = await dialect.analyze(sql);
  const functions = 'functions' in analysis ? analysis.functions : [];
  const writers = await catalog.writers(session, functions);
  if (writers.length > 0) throw unsupported(`functions that write: ${writers}`, 'no');
  if (analysis.kind !== 'write') {
    return { answer: await plainly(connection, { sql, parameters }, way), steps: [] };
  }
  const facts = await Promise.all(analysis.tables.map((table) => catalog.factsOf(session, table)));
  for (const one of facts) refuseHazards(analysis, one);
  const statement: UserStatement<mysql.PoolConnection, Answer> = {
    ...{ text: sql, parameters, results },
    async perform(native, text, values) {
      await between?.(text);
      const [result, fields] = await send(native, way)(text, [...values] as never[]);
      return [result, fields];
    },
  };
  const { result, steps } = await dialect.write({
    ...{ write: analysis, facts, statement, session },
    perform: (text, values) => statement.perform(connection, text, values),
  });
  return { answer: cleaned(result[0]), steps };
}

const results: ResultShape<Answer> = {
  rowsOf: ([rows]) => (Array.isArray(rows) ? rows : []),
  without([rows, fields], columns, keepsRows) {
    if (!Array.isArray(rows)) return [rows, fields];
    for (const row of rows) for (const column of columns) Reflect.deleteProperty(row, column);
    return [keepsRows ? rows : [], fields];
  },
};

/** What a user reads of an answer: rows in any order, or the counts. */
function cleaned(result: unknown): unknown {
  if (Array.isArray(result)) return result.map((row) => JSON.stringify(row)).sort();
  if (typeof result !== 'object' || result === null) return result;
  const { affectedRows, insertId, changedRows, info } = Object.assign(
    { affectedRows: 0, insertId: 0, changedRows: 0, info: '' },
    result,
  );
  return { affectedRows, insertId, changedRows, info };
}

/** Statements of our own. */
export function sessionOn(connection: mysql.PoolConnection): Session {
  return {
    async query(text, parameters) {
      const [result] = await connection.query(text, parameters as never[] | undefined);
      if (Array.isArray(result)) return { rows: result as never[], count: result.length };
      return { rows: [], count: result.affectedRows };
    },
  };
}

/** Facts of a table of the session's database. */
export function factsOf(connection: mysql.PoolConnection, name: string): Promise<TableFacts> {
  return catalog.factsOf(sessionOn(connection), { schema: null, name });
}

/** The images of all rows of these tables by table and key. */
export async function imagesOf(
  connection: mysql.PoolConnection,
  tables: readonly string[],
): Promise<ReadonlyMap<string, Image>> {
  const images = new Map<string, Image>();
  for (const table of tables) {
    const facts = await factsOf(connection, table);
    const sql = `select ${imageExpression(facts, 't')} as image from ${facts.id} as t`;
    const { rows } = await sessionOn(connection).query(sql);
    for (const row of rows) {
      const image = imageOf(facts, String(row['image']));
      images.set(`${facts.id} ${rowKey(facts, image)}`, image);
    }
  }
  return images;
}

/** Undoes the steps, newest first, in plain SQL: nothing of Settle but how a value is written. */
export async function undoByHand(
  connection: mysql.PoolConnection,
  steps: readonly Step[],
): Promise<void> {
  for (const { table, before, after } of steps.toReversed()) {
    const facts = await factsOf(connection, table.split('`').at(-2) ?? '');
    const columns = facts.columns.filter((column) => !column.isGenerated);
    const texts = (image: Image) => columns.map((one) => writtenAs(one, image[one.name] ?? null));
    if (before === null && after !== null) {
      await connection.query(`delete from ${table} where ${keyCondition(facts, table, after)}`);
    } else if (before !== null && after === null) {
      const names = columns.map(({ name }) => quoted(name)).join(', ');
      await connection.query(`insert into ${table} (${names}) values (${texts(before)})`);
    } else if (before !== null) {
      const values = texts(before);
      const set = columns.map(({ name }, i) => `${quoted(name)} = ${values[i]}`).join(', ');
      const where = keyCondition(facts, table, before);
      await connection.query(`update ${table} set ${set} where ${where}`);
    }
  }
}
