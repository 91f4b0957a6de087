/**
 * The barrier through a plain `mysql2/promise` Pool, for MySQL 8 and MariaDB. The driver is an
 * optional peer: nothing is imported from it. Invariant: a connection goes back to the pool with
 * no transaction open, or not at all.
 *
 * Traps that the statements below avoid:
 * - A locking read of a missing row locks a gap under REPEATABLE READ, and two of them deadlock on
 *   their inserts: so the insert comes first and rows are read without a lock. A duplicate insert
 *   on a primary key locks its record only (seen on MariaDB 10.11): neighbours don't wait.
 * - READ COMMITTED is set for each local transaction, one round trip: each read is then fresh, so it
 *   sees the row that the insert has just waited for whatever was read before, handlers don't lock
 *   gaps with a `select … for update` that finds nothing, and all databases behave alike. (It needs
 *   binlog_format ROW or MIXED, the defaults.)
 * - When an inserter rolls back while two others wait, both get a shared lock and both want the
 *   exclusive one: InnoDB ends one of them. That is answered `unknown` and asked again.
 * - `insert ignore` would also shorten a value that is too long: every part of the key is checked
 *   before, by the grammar of the protocol.
 */
import type { Barrier, LocalTransaction } from '../barrier.ts';
import { lostRow } from './lost-row.ts';

/** What is used of a Pool of `mysql2/promise`, version 3 or newer. */
export interface Mysql2Pool {
  getConnection(): Promise<Mysql2Connection>;
}

/** What is used of a PoolConnection of `mysql2/promise`. */
export interface Mysql2Connection {
  query(sql: string): Promise<unknown>;
  execute(statement: Mysql2Statement): Promise<[unknown, unknown]>;
  release(): void;
  destroy(): void;
}

interface Mysql2Statement {
  readonly sql: string;
  readonly values: (string | number)[];
  /** Said explicitly, for a pool may have been configured otherwise. */
  readonly rowsAsArray: false;
}

/** Whether this is a pool of mysql2, of its promise or of its callback flavour. */
export function isMysql2Pool(db: object): db is Mysql2Pool {
  return 'getConnection' in db && typeof db.getConnection === 'function';
}

const insertRow = `insert ignore into settle_barrier
  (gid, branch_id, operation, state, created_at_ms) values (?, ?, ?, ?, ?)`;
// Both go by the primary key; the first by its prefix.
const readRows = `select operation, state, result from settle_barrier
  where gid = ? and branch_id = ?`;
const storeResult = `update settle_barrier set result = ?
  where gid = ? and branch_id = ? and operation = ?`;

/**
 * A barrier over a `mysql2/promise` Pool. Round trips of a try: isolation, begin, insert, business,
 * update (or the look that the row still stands), commit.
 */
export function mysql2Barrier(pool: Mysql2Pool): Barrier<Mysql2Connection> {
  return {
    async transact(work) {
      const connection = await pool.getConnection();
      let isSound = true;
      try {
        // For the next transaction of this connection only: the pool keeps its own setting.
        await connection.query('set transaction isolation level read committed');
        await connection.query('begin');
        const outcome = await work(localTransaction(connection));
        await connection.query('commit');
        return outcome;
      } catch (error) {
        isSound = await rollBack(connection);
        throw error;
      } finally {
        if (isSound) connection.release();
        else connection.destroy();
      }
    },
  };
}

/** False when the connection is unfit for the pool. */
async function rollBack(connection: Mysql2Connection): Promise<boolean> {
  try {
    await connection.query('rollback');
    return true;
  } catch {
    // The error that led here is the one to tell; this one only says that the connection is gone.
    return false;
  }
}

function localTransaction(connection: Mysql2Connection): LocalTransaction<Mysql2Connection> {
  return {
    trx: connection,
    async insert(key, state) {
      const values = [key.gid, key.branchId, key.operation, state, Date.now()];
      return affectedRows(await perform(connection, insertRow, values)) === 1;
    },
    async read(gid, branchId) {
      const rows = await perform(connection, readRows, [gid, branchId]);
      return Array.isArray(rows) ? rows : [];
    },
    async finish(key, result) {
      const { gid, branchId, operation } = key;
      if (result !== null) {
        const outcome = await perform(connection, storeResult, [result, gid, branchId, operation]);
        if (affectedRows(outcome) !== 1) throw lostRow();
        return;
      }
      const rows = await this.read(gid, branchId);
      if (!rows.some((row) => row.operation === operation)) throw lostRow();
    },
  };
}

// Prepared on the server: texts never pass through client-side quoting, which depends on sql_mode.
async function perform(
  connection: Mysql2Connection,
  sql: string,
  values: (string | number)[],
): Promise<unknown> {
  const [outcome] = await connection.execute({ sql, values, rowsAsArray: false });
  return outcome;
}

function affectedRows(outcome: unknown): unknown {
  if (typeof outcome !== 'object' || outcome === null) return undefined;
  return 'affectedRows' in outcome ? outcome.affectedRows : undefined;
}
