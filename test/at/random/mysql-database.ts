/** MariaDB as random cases see it, plain or under Settle. */
import type mysql from 'mysql2/promise';
import type {
  Failure,
  Outcome,
  RandomDatabase,
  RandomKind,
  RandomPool,
  Sender,
} from './database.ts';
import { randomStatement, startingRow } from './mysql-statements.ts';
import {
  names,
  quoted,
  type RandomColumn,
  type RandomPair,
  type RandomTable,
  randomPair,
} from './mysql-tables.ts';
import type { RandomStatement } from './pieces.ts';

/** What can be done with its tables. */
export const mysqlKind: RandomKind<RandomPair> = {
  randomPair,
  ddl: ({ parent, child }) => [parent.ddl, child.ddl],
  sourceOf: (pair) => ({
    startingRows: [startingRow(pair.parent), startingRow(pair.child)],
    statement: randomStatement(pair),
  }),
};

/** The pool of a resource, or any other. */
export function mysqlPool(pool: mysql.Pool): RandomPool {
  return {
    ...senderOn(pool),
    async connect() {
      const connection = await pool.getConnection();
      return { ...senderOn(connection), release: () => connection.release() };
    },
  };
}

/** The original of a pool; `judge` looks at the same database under settings of its own. */
export function mysqlDatabase(pool: mysql.Pool, judge: mysql.Pool): RandomDatabase<RandomPair> {
  return {
    ...mysqlPool(pool),
    async empty({ parent, child }) {
      for (const { name, numbered } of [child, parent]) {
        await judge.query(`delete from ${name}`);
        if (numbered !== null) await judge.query(`alter table ${name} auto_increment = 1`);
      }
    },
    async contents({ parent, child }) {
      // `checksum table` is no judge: right after a commit it has been seen to change by itself.
      const found = await Promise.all(
        [parent, child].map((table) => judge.query({ sql: contentsOf(table), rowsAsArray: true })),
      );
      return found.map(([rows]) => JSON.stringify(rows));
    },
    async undoRows(gid) {
      const [rows] = await judge.query('select 1 from settle_undo where gid = ? or ? is null', [
        gid,
        gid,
      ]);
      return Array.isArray(rows) ? rows.length : 0;
    },
  };
}

/** Null: it is no error of the database. */
export function mysqlFailure(error: unknown): Failure | null {
  if (!(error instanceof Error && 'errno' in error && 'sqlState' in error)) return null;
  const errno = Number(error.errno);
  const kind = kinds.get(errno) ?? (String(error.sqlState).startsWith('22') ? 'misfit' : 'other');
  // Keys are checked row by row, in an order that is up to the plan.
  return { code: String(errno), kind, isUpToPlan: kind === 'unique' || kind === 'foreignKey' };
}

const kinds: ReadonlyMap<number, Failure['kind']> = new Map([
  [1062, 'unique'],
  [1451, 'foreignKey'],
  [1452, 'foreignKey'],
  // NULL, truncated, no default, of a wrong form, not in the character set, against a check.
  ...[1048, 1265, 1364, 1292, 1366, 1406, 4025].map((errno) => [errno, 'misfit'] as const),
]);

function senderOn(to: Pick<mysql.Pool, 'query' | 'execute'>): Sender {
  return {
    async send({ text, parameters, isPrepared }: RandomStatement): Promise<Outcome> {
      const values = [...parameters];
      const [result] = await (isPrepared ? to.execute(text, values) : to.query(text, values));
      if (Array.isArray(result)) {
        const rows = result.map((row) => JSON.stringify(row)).sort();
        return { count: rows.length, rows };
      }
      const { affectedRows, insertId } = result;
      // A server that sees beforehand that nothing is met answers without columns.
      if (affectedRows === 0 && / returning /.test(text)) return { count: 0, rows: [] };
      // Of rows that `ignore` passed over the server itself counts some as changed, by its plan.
      const changedRows = /^update ignore/.test(text) ? null : result.changedRows;
      return { count: affectedRows, rows: [JSON.stringify({ changedRows, insertId })] };
    },
  };
}

/** Every column, computed ones too, in the order of the key. */
function contentsOf({ name, key, columns, computed }: RandomTable): string {
  const texts = [...key, ...columns].map(textOf);
  const all = [...texts, ...computed.map(quoted)];
  return `select ${all.join(', ')} from ${name} order by ${names(key)}`;
}

/** As text that differs whenever the value does. */
function textOf({ name, type }: RandomColumn): string {
  const column = quoted(name);
  if (/^(float|double)/.test(type)) return `concat(cast(${column} as double))`;
  if (/^bit/.test(type)) return `concat(${column} + 0)`;
  if (/^(enum|set)/.test(type)) return `concat(${column} + 0, ' ', hex(${column}))`;
  if (/^timestamp/.test(type)) return `concat(unix_timestamp(${column}), ' ', ${column})`;
  return `hex(concat(${column}))`;
}
