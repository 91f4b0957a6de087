/**
 * The barrier through a Kysely instance of PostgreSQL, MySQL, MariaDB or SQLite. Kysely is an
 * optional peer, so nothing is imported from it: the interfaces below name the few public methods
 * that are used. Invariant: the first statement of every local transaction is the insert of the
 * barrier row; under SQLite that takes the write lock although Kysely begins deferred, so no
 * snapshot can grow old before it.
 */
import { SettleError } from '../../errors.ts';
import type { Barrier, BarrierRow, LocalTransaction } from '../barrier.ts';
import { lostRow } from './lost-row.ts';

/** SQL dialects of participants; MariaDB counts as `mysql`. */
export type Dialect = 'postgres' | 'mysql' | 'sqlite';

/** What is used of `Kysely<DB>`, version 0.29 or newer. */
export interface KyselyLike {
  readonly isTransaction: boolean;
  getExecutor(): { readonly adapter: KyselyAdapter };
  transaction(): KyselyTransactionBuilder;
  executeQuery(query: KyselyStatement): Promise<unknown>;
}

/** A statement as `executeQuery` takes it: the shape that `CompiledQuery.raw` gives. */
export interface KyselyStatement {
  readonly sql: string;
  readonly parameters: readonly never[];
  readonly query: {
    readonly kind: 'RawNode';
    readonly sqlFragments: readonly string[];
    readonly parameters: readonly never[];
  };
  readonly queryId: { readonly queryId: string };
}

interface KyselyAdapter {
  readonly supportsReturning?: boolean | undefined;
  readonly supportsTransactionalDdl?: boolean | undefined;
  readonly supportsOutput?: boolean | undefined;
}

interface KyselyTransactionBuilder {
  setIsolationLevel(level: 'read committed'): KyselyTransactionBuilder;
  execute<T>(work: (trx: KyselyTransaction) => Promise<T>): Promise<T>;
}

/** A Kysely transaction; handlers see it with the type of their own schema. */
export interface KyselyTransaction {
  withoutPlugins(): BarrierQueries;
}

interface BarrierQueries {
  insertInto(table: 'settle_barrier'): {
    values(row: Readonly<Record<string, string | number>>): InsertQuery;
  };
  selectFrom(table: 'settle_barrier'): SelectQuery;
  updateTable(table: 'settle_barrier'): {
    set(row: { readonly result: string }): UpdateQuery;
  };
}

interface InsertQuery {
  ignore(): InsertQuery;
  onConflict(build: (conflict: { doNothing(): unknown }) => unknown): InsertQuery;
  executeTakeFirst(): Promise<{ readonly numInsertedOrUpdatedRows: bigint | undefined }>;
}

interface SelectQuery {
  select(columns: readonly string[]): SelectQuery;
  where(column: string, operator: '=', value: string | number): SelectQuery;
  execute(): Promise<readonly BarrierRow[]>;
}

interface UpdateQuery {
  where(column: string, operator: '=', value: string | number): UpdateQuery;
  executeTakeFirst(): Promise<{ readonly numUpdatedRows: bigint }>;
}

/** Whether this is a Kysely instance (or transaction): told by its shape, not by its class. */
export function isKysely(db: object): db is KyselyLike {
  return (
    'isTransaction' in db &&
    'getExecutor' in db &&
    typeof db.getExecutor === 'function' &&
    'transaction' in db &&
    typeof db.transaction === 'function'
  );
}

/**
 * The dialect of a Kysely instance, from what its adapter says that it can do (class names do not
 * survive a bundler). Throws INVALID_CONFIG for SQL Server, which has no barrier.
 */
export function dialectOf(db: KyselyLike): Dialect {
  const { adapter } = db.getExecutor();
  if (adapter.supportsOutput === true) {
    throw new SettleError('INVALID_CONFIG', 'db: the barrier does not know this SQL dialect');
  }
  if (adapter.supportsReturning !== true) return 'mysql';
  return adapter.supportsTransactionalDdl === true ? 'postgres' : 'sqlite';
}

/**
 * A barrier over a Kysely instance. Round trips of a try with a result: begin, insert, the
 * business code's own, update, commit; MySQL needs one more to set the isolation. Give `dialect`
 * when a third-party adapter is taken for the wrong one.
 *
 * Over `pg`, add `pool.on('connect', (client) => client.on('error', report))`: a client that loses
 * its connection between two queries of a transaction emits an error that nobody else listens to,
 * and Node would end the process. Kysely keeps its clients to itself, so this cannot be done here.
 */
export function kyselyBarrier(
  db: KyselyLike,
  dialect: Dialect = dialectOf(db),
): Barrier<KyselyTransaction> {
  if (db.isTransaction) {
    throw new SettleError('INVALID_CONFIG', 'db: give the Kysely instance, not a transaction');
  }
  return {
    transact: (work) => begin(db, dialect).execute((trx) => work(localTransaction(trx, dialect))),
  };
}

function begin(db: KyselyLike, dialect: Dialect): KyselyTransactionBuilder {
  const builder = db.transaction();
  // READ COMMITTED, whatever the server's default is; the reasons are in `mysql2.ts`.
  // SQLite is serializable always and would not know the setting.
  return dialect === 'sqlite' ? builder : builder.setIsolationLevel('read committed');
}

function localTransaction(
  trx: KyselyTransaction,
  dialect: Dialect,
): LocalTransaction<KyselyTransaction> {
  // Plugins may rename columns or parse JSON texts: right for the user's tables, wrong for ours.
  const queries = trx.withoutPlugins();
  return {
    trx,
    async insert(key, state) {
      const insert = queries.insertInto('settle_barrier').values({
        gid: key.gid,
        branch_id: key.branchId,
        operation: key.operation,
        state,
        created_at_ms: Date.now(),
      });
      const query =
        dialect === 'mysql'
          ? insert.ignore()
          : insert.onConflict((conflict) => conflict.doNothing());
      const { numInsertedOrUpdatedRows } = await query.executeTakeFirst();
      return numInsertedOrUpdatedRows === 1n;
    },
    read: (gid, branchId) =>
      queries
        .selectFrom('settle_barrier')
        .select(['operation', 'state', 'result'])
        .where('gid', '=', gid)
        .where('branch_id', '=', branchId)
        .execute(),
    async finish(key, result) {
      if (result !== null) {
        const { numUpdatedRows } = await queries
          .updateTable('settle_barrier')
          .set({ result })
          .where('gid', '=', key.gid)
          .where('branch_id', '=', key.branchId)
          .where('operation', '=', key.operation)
          .executeTakeFirst();
        if (numUpdatedRows !== 1n) throw lostRow();
        return;
      }
      if (dialect !== 'mysql') return;
      const rows = await this.read(key.gid, key.branchId);
      if (!rows.some((row) => row.operation === key.operation)) throw lostRow();
    },
  };
}
