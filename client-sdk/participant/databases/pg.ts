/**
 * The barrier through a plain `pg` Pool. The driver is an optional peer: nothing is imported from
 * it, the interfaces below name what is used. Invariant: a client goes back to the pool with no
 * transaction open, or not at all.
 */
import type { Barrier, BarrierRow, LocalTransaction } from '../barrier.ts';

/** What is used of `pg.Pool`, version 8 or newer. */
export interface PgPool {
  readonly totalCount: number;
  connect(): Promise<PgClient>;
  query(text: string): Promise<unknown>;
}

/** What is used of `pg.PoolClient`. */
export interface PgClient {
  query(text: string, values?: (string | number)[]): Promise<PgResult>;
  release(broken?: Error | boolean): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  removeListener(event: 'error', listener: (error: Error) => void): unknown;
}

interface PgResult {
  readonly command: string;
  readonly rowCount: number | null;
  readonly rows: BarrierRow[];
}

/** Whether this is a pool of `pg`: told by its shape, not by its class. */
export function isPgPool(db: object): db is PgPool {
  return 'totalCount' in db && 'connect' in db && typeof db.connect === 'function';
}

// `do nothing` waits for an open transaction that holds the key. READ COMMITTED then gives the
// next statement a snapshot that sees what it has written.
const insertRow = `insert into settle_barrier
  (gid, branch_id, operation, state, created_at_ms) values ($1, $2, $3, $4, $5)
  on conflict do nothing`;
// Both go by the primary key; the first by its prefix.
const readRows = `select operation, state, result from settle_barrier
  where gid = $1 and branch_id = $2`;
const storeResult = `update settle_barrier set result = $4
  where gid = $1 and branch_id = $2 and operation = $3`;

/** A barrier over a `pg` Pool. Round trips of a try: begin, insert, business, update, commit. */
export function pgBarrier(pool: PgPool): Barrier<PgClient> {
  return {
    async transact(work) {
      const client = await pool.connect();
      let broken: Error | undefined;
      const onError = (error: Error): void => {
        broken ??= error;
      };
      // A client that loses its connection between two queries emits an error; the pool does not
      // listen while the client is lent, and without a listener the process would die.
      client.on('error', onError);
      try {
        await client.query('begin isolation level read committed');
        const outcome = await work(localTransaction(client));
        await commit(client);
        return outcome;
      } catch (error) {
        broken ??= await rollBack(client);
        throw error;
      } finally {
        client.removeListener('error', onError);
        client.release(broken);
      }
    },
  };
}

async function commit(client: PgClient): Promise<void> {
  const { command } = await client.query('commit');
  // PostgreSQL answers the commit of a failed transaction with success and the word ROLLBACK.
  if (command === 'ROLLBACK') {
    throw new Error(
      'a statement had failed, so the database rolled back instead of committing: ' +
        'do not catch database errors in a handler',
    );
  }
}

/** Gives back the error that makes the client unfit for the pool, if there is one. */
async function rollBack(client: PgClient): Promise<Error | undefined> {
  try {
    await client.query('rollback');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error('rollback failed', { cause: error });
  }
}

function localTransaction(client: PgClient): LocalTransaction<PgClient> {
  return {
    trx: client,
    async insert(key, state) {
      const values = [key.gid, key.branchId, key.operation, state, Date.now()];
      const { rowCount } = await client.query(insertRow, values);
      return rowCount === 1;
    },
    async read(gid, branchId) {
      const { rows } = await client.query(readRows, [gid, branchId]);
      return rows;
    },
    async finish(key, result) {
      if (result === null) return;
      await client.query(storeResult, [key.gid, key.branchId, key.operation, result]);
    },
  };
}
