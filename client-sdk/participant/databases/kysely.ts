/**
 * The barrier through a Kysely instance of PostgreSQL, MySQL, MariaDB or SQLite. Kysely is an
 * optional peer, so nothing is imported from it: the interfaces below name the few public methods
 * that are used. Invariant: the first statement of every local transaction is the insert of the
 * barrier row; under SQLite that takes the write lock although Kysely begins deferred, so no
 * snapshot can grow old before it.
 */
import { SettleError } from '../../errors.ts';
import type { Barrier, BarrierKey, BarrierRow, LocalTransaction } from '../barrier.ts';
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
  executeQuery(query: Compiled): Promise<Outcome>;
  insertInto(table: 'settle_barrier'): {
    values(row: Readonly<Record<string, Value>>): InsertQuery;
  };
  selectFrom(table: 'settle_barrier'): {
    select(columns: readonly string[]): FilterQuery;
  };
  updateTable(table: 'settle_barrier'): {
    set(row: { readonly result: string }): FilterQuery;
  };
}

type Value = string | number;

interface InsertQuery {
  ignore(): InsertQuery;
  onConflict(build: (conflict: { doNothing(): unknown }) => unknown): InsertQuery;
  compile(): Compiled;
}

interface FilterQuery {
  where(column: string, operator: '=', value: Value): FilterQuery;
  compile(): Compiled;
}

/** What is used of a `CompiledQuery`; the rest of it goes along. */
interface Compiled {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

interface Outcome {
  readonly rows: readonly unknown[];
  readonly numAffectedRows?: bigint;
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
  const statements = createStatements(dialect);
  return {
    transact: (work) =>
      begin(db, dialect).execute((trx) => work(localTransaction(trx, dialect, statements))),
  };
}

function begin(db: KyselyLike, dialect: Dialect): KyselyTransactionBuilder {
  const builder = db.transaction();
  // READ COMMITTED, whatever the server's default is; the reasons are in `mysql2.ts`.
  // SQLite is serializable always and would not know the setting.
  return dialect === 'sqlite' ? builder : builder.setIsolationLevel('read committed');
}

/** The barrier's statements, by the values of their parameters in the order of the text. */
interface Statements {
  insert(queries: BarrierQueries, values: readonly Value[]): Promise<Outcome>;
  select(queries: BarrierQueries, values: readonly Value[]): Promise<Outcome>;
  update(queries: BarrierQueries, values: readonly Value[]): Promise<Outcome>;
}

/**
 * Builds and compiles each statement when it is first used; from then on only the values change,
 * for to build one anew costs more processor than to send it.
 */
function createStatements(dialect: Dialect): Statements {
  const prepared = (build: (queries: BarrierQueries) => { compile(): Compiled }) => {
    let compiled: Compiled | null = null;
    return (queries: BarrierQueries, parameters: readonly Value[]): Promise<Outcome> => {
      compiled ??= build(queries).compile();
      return queries.executeQuery({ ...compiled, parameters });
    };
  };
  return {
    insert: prepared((queries) => {
      const row = { gid: '', branch_id: 0, operation: '', state: '', created_at_ms: 0 };
      const insert = queries.insertInto('settle_barrier').values(row);
      if (dialect === 'mysql') return insert.ignore();
      return insert.onConflict((conflict) => conflict.doNothing());
    }),
    select: prepared((queries) => {
      const columns = ['operation', 'state', 'result'];
      const select = queries.selectFrom('settle_barrier').select(columns);
      return select.where('gid', '=', '').where('branch_id', '=', 0);
    }),
    update: prepared((queries) => {
      const update = queries.updateTable('settle_barrier').set({ result: '' });
      const ofBranch = update.where('gid', '=', '').where('branch_id', '=', 0);
      return ofBranch.where('operation', '=', '');
    }),
  };
}

function localTransaction(
  trx: KyselyTransaction,
  dialect: Dialect,
  statements: Statements,
): LocalTransaction<KyselyTransaction> {
  // Plugins may rename columns or parse JSON texts: right for the user's tables, wrong for ours.
  const queries = trx.withoutPlugins();
  return {
    trx,
    async insert(key, state) {
      const values = [...keyValues(key), state, Date.now()];
      const { numAffectedRows } = await statements.insert(queries, values);
      return numAffectedRows === 1n;
    },
    async read(gid, branchId) {
      const { rows } = await statements.select(queries, [gid, branchId]);
      // Parse boundary: the columns that the statement names, all of them texts.
      return rows as readonly BarrierRow[];
    },
    async finish(key, result) {
      if (result !== null) {
        const values = [result, ...keyValues(key)];
        const { numAffectedRows } = await statements.update(queries, values);
        if (numAffectedRows !== 1n) throw lostRow();
        return;
      }
      if (dialect !== 'mysql') return;
      const rows = await this.read(key.gid, key.branchId);
      if (!rows.some((row) => row.operation === key.operation)) throw lostRow();
    },
  };
}

function keyValues({ gid, branchId, operation }: BarrierKey): readonly Value[] {
  return [gid, branchId, operation];
}
