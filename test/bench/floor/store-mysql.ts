/**
 * Rows to MySQL or MariaDB: the statements of the real log in their order and their sizes, when
 * nothing is amiss; two connections with one commit each. The texts are the log's own, so the two
 * cannot drift apart; they are made once for each size.
 */
import mysql from 'mysql2';
import {
  deleteStatement,
  fenceStatement,
  finishedTable,
  insertStatement,
  logTable,
  openTable,
  statementRows,
  type Target,
} from '../../../server/log/mysql-append.ts';
import { type Row, type Store, shard } from './store.ts';

type Value = string | number | null;
type Statements = ReadonlyMap<number, string>;

const [logRows, openRows, finishedRows] = [logTable, openTable, finishedTable].map(statements) as [
  Statements,
  Statements,
  Statements,
];

function statements(target: Target): Statements {
  return new Map(statementRows.map((size) => [size, insertStatement(target, size)]));
}

/** Connects twice. */
export async function openMysqlStore(url: string, epoch: number): Promise<Store> {
  const idle = [await connect(url), await connect(url)];
  return {
    commitsMax: idle.length,
    commit(rows, durable) {
      const connection = idle.pop();
      if (connection === undefined) throw new Error('more commits than connections');
      // The driver sends each of them when the one before is answered.
      connection.execute(fenceStatement, [epoch], endOnError);
      insert(connection, logRows, rows, (row) => logValues(row, epoch));
      const opened = rows.filter(({ index }) => index !== null && index.outcome === null);
      const finished = rows.filter(({ index }) => index !== null && index.outcome !== null);
      insert(connection, openRows, opened, indexValues);
      insert(connection, finishedRows, finished, indexValues);
      if (finished.length > 0) {
        const { sql, values } = deleteStatement(finished.map(({ gid }) => gid));
        connection.execute(sql, values, endOnError);
      }
      connection.query('commit', (error) => {
        endOnError(error);
        idle.push(connection);
        durable();
      });
    },
  };
}

async function connect(url: string): Promise<mysql.Connection> {
  const connection = mysql.createConnection({ uri: url, charset: 'UTF8MB4_BIN' });
  const settings = [
    'set session transaction isolation level read committed',
    `set session autocommit = 0, sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'`,
  ];
  for (const sql of settings) await connection.promise().query(sql);
  return connection;
}

function insert(
  connection: mysql.Connection,
  texts: Statements,
  rows: readonly Row[],
  valuesOf: (row: Row) => readonly Value[],
): void {
  let from = 0;
  for (const size of statementRows) {
    while (rows.length - from >= size) {
      const values: Value[] = [];
      for (const row of rows.slice(from, from + size)) values.push(...valuesOf(row));
      connection.execute(texts.get(size) ?? '', values, endOnError);
      from += size;
    }
  }
}

function endOnError(error: unknown): void {
  if (error !== null) throw error;
}

function logValues({ gid, seq, atMs, records }: Row, epoch: number): readonly Value[] {
  return [gid, seq, shard, epoch, atMs, records];
}

function indexValues({ gid, index }: Row): readonly Value[] {
  if (index === null) throw new Error(`${gid} has no index row`);
  const { mode, name, outcome, cause, startedAtMs, deadlineAtMs, finishedAtMs } = index;
  return [
    ...[gid, shard, mode, name, outcome, cause, null],
    ...[startedAtMs, deadlineAtMs, finishedAtMs, '{}'],
  ];
}
