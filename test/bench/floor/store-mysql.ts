/**
 * Rows to MySQL or MariaDB: the statements of server/log/mysql-append.ts in their order and their
 * sizes, two connections with one commit each. The texts stand here a second time: when they change
 * there, they change here.
 */
import mysql from 'mysql2';
import { type Row, type Store, shard } from './store.ts';

const fence =
  'select epoch from coordinator_node where epoch = ? and ended_at_ms is null lock in share mode';

/** Prepared once per connection for each size; n rows take one statement for each bit of n. */
const sizes = [256, 128, 64, 32, 16, 8, 4, 2, 1] as const;

type Value = string | number | null;
type Statements = ReadonlyMap<number, string>;

const logRows = statements(
  'insert into transaction_log (gid, seq, shard, epoch, at_ms, records) values ',
  6,
  '',
);

const indexColumns = [
  ...['gid', 'shard', 'mode', 'name', 'outcome', 'cause', 'attention'],
  ...['started_at_ms', 'deadline_at_ms', 'finished_at_ms', 'labels'],
];

const indexRows = statements(
  `insert into global_transaction (${indexColumns.join(', ')}) values `,
  indexColumns.length,
  ` on duplicate key update ${indexColumns
    .slice(1)
    .map((name) => `${name} = values(${name})`)
    .join(', ')}`,
);

function statements(before: string, columns: number, after: string): Statements {
  const row = `(${Array(columns).fill('?').join(',')})`;
  return new Map(
    sizes.map((size) => [size, `${before}${Array(size).fill(row).join(',')}${after}`]),
  );
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
      connection.execute(fence, [epoch], endOnError);
      insert(connection, logRows, rows, (row) => logValues(row, epoch));
      const indexed = rows.filter((row) => row.index !== null);
      insert(connection, indexRows, indexed, indexValues);
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
  for (const size of sizes) {
    if (rows.length - from < size) continue;
    const values: Value[] = [];
    for (const row of rows.slice(from, from + size)) values.push(...valuesOf(row));
    connection.execute(texts.get(size) ?? '', values, endOnError);
    from += size;
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
