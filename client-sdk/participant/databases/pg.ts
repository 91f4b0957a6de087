/**
 * The barrier through a plain `pg` Pool. The driver is an optional peer: nothing is imported from
 * it, the interfaces below name what is used. Invariants: a client goes back to the pool with no
 * transaction open, or not at all; business code gets the client only after the guard row's insert.
 *
 * The driver sends a query when the one before it is answered, and each of these turns costs both
 * sides some 20 µs. So `begin` travels with the insert that follows it anyway, and the result with
 * the `commit`: as one text of two statements, which PostgreSQL runs in their order and stops at
 * the first that fails. Such a text has no parameters, hence the literals, and is planned each time;
 * where the business names its statements the guard row's is named, too (`pg-prepared.ts`). Measured with one row of business
 * (pg 8.23, PostgreSQL 15, processor of client and server for one local transaction): 330 → 250 µs
 * without a result, 440 → 360 with one.
 */
import { type Gid, isGid } from '../../protocol/index.ts';
import type {
  Barrier,
  BarrierKey,
  BarrierRow,
  BarrierState,
  LocalTransaction,
} from '../barrier.ts';
import { hasNamedStatements, type PgQuery } from './pg-flight.ts';
import { beginPrepared } from './pg-prepared.ts';

/** What is used of `pg.Pool`, version 8 or newer. */
export interface PgPool {
  readonly totalCount: number;
  connect(): Promise<PgClient>;
  query(text: string): Promise<unknown>;
}

/** What is used of `pg.PoolClient`. */
export interface PgClient {
  /** A list of results for a text of several statements. */
  query(text: string): Promise<PgResult | readonly PgResult[]>;
  query(query: PgQuery): unknown;
  release(broken?: Error | boolean): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  removeListener(event: 'error', listener: (error: Error) => void): unknown;
}

interface PgResult {
  readonly command: string;
  readonly rowCount: number | null;
  readonly rows: readonly BarrierRow[];
}

/** Whether this is a pool of `pg`: told by its shape, not by its class. */
export function isPgPool(db: object): db is PgPool {
  return 'totalCount' in db && 'connect' in db && typeof db.connect === 'function';
}

/** A barrier over a `pg` Pool. Round trips of a try: begin and insert, business, commit. */
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
      const local = new PgTransaction(client);
      try {
        const outcome = await work(local);
        await local.commit();
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

/** Gives back the error that makes the client unfit for the pool, if there is one. */
async function rollBack(client: PgClient): Promise<Error | undefined> {
  try {
    await client.query('rollback');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error('rollback failed', { cause: error });
  }
}

/** It begins with its first insert, and only then gives its client to others. */
class PgTransaction implements LocalTransaction<PgClient> {
  readonly #client: PgClient;
  #isBegun = false;
  /** The statement that keeps the result, once there is one. */
  #storing: string | null = null;

  constructor(client: PgClient) {
    this.#client = client;
  }

  get trx(): PgClient {
    if (!this.#isBegun) throw new Error('the guard row comes before everything else');
    return this.#client;
  }

  async insert(key: BarrierKey, state: BarrierState): Promise<boolean> {
    const isFirst = !this.#isBegun;
    // A statement that fails leaves a transaction to be rolled back all the same.
    this.#isBegun = true;
    if (isFirst && hasNamedStatements(this.#client)) {
      const { gid, branchId, operation } = key;
      const values = [gid, String(branchId), operation, state, String(Date.now())];
      return (await beginPrepared(this.#client, values)) === 1;
    }
    const begin = isFirst ? 'begin isolation level read committed;' : '';
    const { rowCount } = lastOf(await this.#client.query(begin + insertRow(key, state)));
    return rowCount === 1;
  }

  async read(gid: Gid, branchId: number): Promise<readonly BarrierRow[]> {
    const { rows } = lastOf(await this.trx.query(readRows(gid, branchId)));
    return rows;
  }

  async finish(key: BarrierKey, result: string | null): Promise<void> {
    this.#storing = result === null ? null : storeResult(key, result);
  }

  async commit(): Promise<void> {
    const storing = this.#storing === null ? '' : `${this.#storing};`;
    const { command } = lastOf(await this.trx.query(`${storing}commit`));
    // PostgreSQL answers the commit of a failed transaction with success and the word ROLLBACK.
    if (command === 'ROLLBACK') {
      throw new Error(
        'a statement had failed, so the database rolled back instead of committing: ' +
          'do not catch database errors in a handler',
      );
    }
  }
}

function lastOf(results: PgResult | readonly PgResult[]): PgResult {
  // A list for several statements; narrowed by its length, for readonly lists are no `any[]`.
  if (!('length' in results)) return results;
  const last = results.at(-1);
  if (last === undefined) throw new Error('the database answered nothing');
  return last;
}

// `do nothing` waits for an open transaction that holds the key. READ COMMITTED then gives the
// next statement a snapshot that sees what it has written.
function insertRow(key: BarrierKey, state: BarrierState): string {
  const values = `${keyValues(key)}, ${word(state)}, ${Date.now()}`;
  return `insert into settle_barrier (gid, branch_id, operation, state, created_at_ms)
    values (${values}) on conflict do nothing`;
}

// By the primary key's prefix.
function readRows(gid: Gid, branchId: number): string {
  return `select operation, state, result from settle_barrier
    where gid = ${word(gid)} and branch_id = ${whole(branchId)}`;
}

function storeResult(key: BarrierKey, result: string): string {
  return `update settle_barrier set result = ${jsonText(result)}
    where (gid, branch_id, operation) = (${keyValues(key)})`;
}

function keyValues({ gid, branchId, operation }: BarrierKey): string {
  return `${word(gid)}, ${whole(branchId)}, ${word(operation)}`;
}

/** A literal. Gids, operations and states have no character that could end it. */
function word(text: string): string {
  if (!isGid(text)) throw new Error(`"${text}" cannot be a key of the barrier`);
  return `'${text}'`;
}

function whole(value: number): string {
  if (!Number.isSafeInteger(value)) throw new Error(`${value} cannot be a branch`);
  return String(value);
}

/**
 * A literal for JSON text. Between dollars everything stands for itself, under every setting of the
 * server; no text ends it, because in JSON a dollar can be written as an escape.
 */
function jsonText(json: string): string {
  return `$json$${json.replaceAll('$', '\\u0024')}$json$`;
}
