/**
 * A participant's database of either kind under one face, for tests whose story is the same on both:
 * what is run past Settle, what stands there, and the same pool as a resource. Rows are texts like
 * `(1,Ada,1000)`; nothing at all is null, and what has other characters is quoted.
 */
import { CompiledQuery } from 'kysely';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { onTestFinished } from 'vitest';
import type { AtOptions, Settle } from '../../client-sdk/index.ts';
import { describeOn, type Provided } from '../support/databases.ts';
import { untilWaiting as untilMysqlWaits } from './mysql-undo-world.ts';
import { startMysql } from './mysql-world.ts';
import { kyselyOver, rowsOf, startDatabase, undoRows, untilWaiting } from './world.ts';

/** What runs statements: a pool, or a connection of it. */
export interface Sender {
  /** Values as the drivers want them: a list that may be written to. */
  query(text: string, values?: (string | number)[]): Promise<unknown>;
}

/** A connection that is to be given back. */
export interface Connection extends Sender {
  release(): void;
}

/** A pool as a resource gives it back. */
export interface Front extends Sender {
  /** One connection of it. */
  connect(): Promise<Connection>;
}

/** How a pool of its own reaches the database: its URL or that of a proxy to it. */
export interface Line {
  readonly url: string;
  readonly connections: number;
}

/** One database with our tables, past Settle. */
export interface EitherDatabase extends Sender {
  readonly url: string;
  /** A connection of its own; it ends with the test, in whatever state it is. */
  session(): Promise<Sender>;
  /** All rows of a table, in the order of its first column. */
  rowsOf(table: string): Promise<readonly string[]>;
  /** Undo rows that stand. */
  undoRows(): Promise<number>;
  /** Resolves once a session of this database waits for a lock. */
  untilWaiting(): Promise<void>;
  /** This database as a resource, by a pool of its own when a line is given. */
  at(settle: Settle, options: AtOptions, line?: Line): Front;
}

/** A kind of database. */
export interface EitherKind {
  readonly store: 'postgres' | 'mysql';
  /** Of the two texts, the one that this kind understands. */
  readonly of: (texts: { readonly postgres: string; readonly mysql: string }) => string;
  /** A new database with the participant's tables and with these statements run on it. */
  start(schema: readonly string[]): Promise<EitherDatabase>;
}

/** Declares the suite on PostgreSQL and on MariaDB, each with a server of its own. */
export async function describeOnEither(suite: (kind: EitherKind) => void): Promise<void> {
  await describeOnKind('postgres', suite);
  await describeOnKind('mysql', suite);
}

/** Declares the suite on one kind. */
export async function describeOnKind(
  store: EitherKind['store'],
  suite: (kind: EitherKind) => void,
): Promise<void> {
  await describeOn(store, (server) => suite(kindOn(server)));
}

/** For suites that have servers of both kinds at once. */
export function kindOn(server: Provided): EitherKind {
  const store = server.store === 'mysql' ? 'mysql' : 'postgres';
  const start = store === 'postgres' ? startOnPostgres : startOnMysql;
  return { store, of: (texts) => texts[store], start: (schema) => start(server, schema) };
}

async function startOnPostgres(
  server: Provided,
  schema: readonly string[],
): Promise<EitherDatabase> {
  const url = await server.newDatabase();
  const given = { ...server, newDatabase: async () => url };
  const pool = await startDatabase(given, schema.join(';\n'));
  return {
    url,
    query: (text, values) => pool.query(text, values),
    async session() {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      onTestFinished(() => client.end());
      return client;
    },
    rowsOf: (table) => rowsOf(pool, table),
    undoRows: () => undoRows(pool),
    untilWaiting: () => untilWaiting(pool),
    at: (settle, options, line) => settle.at(line === undefined ? pool : pgPool(line), options),
  };
}

/** PostgreSQL, its resources being Kysely instances, which take no connections out. */
export function belowKysely(postgres: EitherKind): EitherKind {
  return {
    ...postgres,
    async start(schema) {
      const database = await postgres.start(schema);
      return {
        ...database,
        at(settle, options, line = { url: database.url, connections: 10 }) {
          const db = settle.at(kyselyOver<object>(pgPool(line)), options);
          return {
            query: (text, values = []) => db.executeQuery(CompiledQuery.raw(text, values)),
            connect: () => Promise.reject(new Error('Kysely lends no connection')),
          };
        },
      };
    },
  };
}

function pgPool({ url, connections }: Line): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max: connections });
  // Idle clients lose their line, too, and the pool says so.
  pool.on('error', () => undefined);
  // So do those that Kysely holds between two statements.
  pool.on('connect', (client) => client.on('error', () => undefined));
  onTestFinished(() => pool.end());
  return pool;
}

async function startOnMysql(server: Provided, schema: readonly string[]): Promise<EitherDatabase> {
  const { url, pool } = await startMysql(server, schema);
  return {
    url,
    query: (text, values) => pool.query(text, values),
    async session() {
      const connection = await mysql.createConnection(url);
      onTestFinished(() => connection.destroy());
      return connection;
    },
    async rowsOf(table) {
      const sql = `select * from ${table} t order by 1`;
      const [rows] = await pool.query<mysql.RowDataPacket[][]>({ sql, rowsAsArray: true });
      return rows.map((row) => `(${row.map(cellText).join(',')})`);
    },
    async undoRows() {
      const text = 'select count(*) as count from settle_undo';
      return Number((await pool.query<mysql.RowDataPacket[]>(text))[0][0]?.['count']);
    },
    untilWaiting: () => untilMysqlWaits(pool),
    at(settle, options, line) {
      const front = settle.at(line === undefined ? pool : mysqlPool(line), options);
      return {
        query: (text, values) => front.query(text, values),
        connect: () => front.getConnection(),
      };
    },
  };
}

function mysqlPool({ url, connections }: Line): mysql.Pool {
  const pool = mysql.createPool({ uri: url, connectionLimit: connections });
  onTestFinished(() => pool.end());
  return pool;
}

/** As PostgreSQL writes a row. */
function cellText(cell: unknown): string {
  if (cell === null) return '';
  const text = String(cell);
  return /^[\w. +-]+$/.test(text) ? text : JSON.stringify(text);
}
