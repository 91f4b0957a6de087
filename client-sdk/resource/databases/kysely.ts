/**
 * A Kysely instance as a resource. The instance that its user gets has the same type and dialect, and
 * gets each connection at the moment when a query is executed: outside of a global transaction from
 * the original, inside from the local transaction of the scope. Kysely is an optional peer: nothing
 * is imported from it, the interfaces below name what is used.
 */
import type { HeldConnection, ResourceDatabase, ResultShape, UserStatement } from '../database.ts';
import type { LocalTransaction } from '../local-transaction.ts';
import { unsupported } from '../refusal.ts';
import type { CurrentLocal } from './pg.ts';

/** What is used of `Kysely<DB>`, version 0.29 or newer. */
export interface KyselyResource {
  getExecutor(): Executor;
  destroy(): Promise<void>;
  readonly introspection: object;
}

interface Executor {
  provideConnection<T>(
    consumer: (connection: KyselyNative) => Promise<T>,
    options?: object,
  ): Promise<T>;
  withConnectionProvider(provider: Pick<Executor, 'provideConnection'>): Executor;
}

/** What is used of a `DatabaseConnection`. */
export interface KyselyNative {
  executeQuery(query: KyselyQuery, options?: object): Promise<KyselyRows>;
  streamQuery(
    query: KyselyQuery,
    chunkSize?: number,
    options?: object,
  ): AsyncIterableIterator<KyselyRows>;
}

interface KyselyQuery {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** What is used of a `QueryResult`. */
export interface KyselyRows {
  readonly rows: readonly unknown[];
  readonly numAffectedRows?: bigint;
}

/** Whether a Kysely instance (told by `isKysely`) has what a resource needs besides. */
export function isKyselyResource(db: object): db is KyselyResource {
  return 'getExecutor' in db && 'destroy' in db && 'introspection' in db;
}

/** Connections of a Kysely instance. */
export function kyselyResourceDatabase(db: KyselyResource): ResourceDatabase<KyselyNative> {
  return {
    acquire() {
      const acquired = Promise.withResolvers<HeldConnection<KyselyNative>>();
      const released = Promise.withResolvers<void>();
      const lent = db.getExecutor().provideConnection(async (native) => {
        acquired.resolve(held(native, () => released.resolve()));
        await released.promise;
      });
      lent.catch(acquired.reject);
      return acquired.promise;
    },
  };
}

function held(native: KyselyNative, release: () => void): HeldConnection<KyselyNative> {
  return {
    native,
    // Kysely's own drivers make one of them for each connection.
    physical: native,
    release,
    async begin(text) {
      await native.executeQuery(rawQuery(text, []));
    },
    async query(text, parameters = []) {
      const { rows, numAffectedRows } = await native.executeQuery(rawQuery(text, parameters));
      // Parse boundary: drivers of Kysely give objects; for a text of several statements, nothing.
      const objects = (rows ?? []) as readonly Readonly<Record<string, unknown>>[];
      return { rows: objects, count: Number(numAffectedRows ?? objects.length) };
    },
  };
}

/** As `CompiledQuery.raw` makes it. */
function rawQuery(sql: string, parameters: readonly unknown[]) {
  return {
    sql,
    parameters,
    query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] },
    queryId: { queryId: 'settle' },
  };
}

/** Which connection of ours is whose: they are objects without a class. */
type Fronts = WeakMap<object, ConnectionFront>;

/** The instance that the user gets. */
export function kyselyFront<Db extends KyselyResource>(
  db: Db,
  dialect: KyselyDialect,
  current: CurrentLocal,
): Db {
  const fronts: Fronts = new WeakMap();
  const original = db.getExecutor();
  const executor = original.withConnectionProvider({
    provideConnection(consumer, options) {
      const local = current();
      if (local === undefined) return original.provideConnection(consumer, options);
      return provideFront(local, fronts, consumer);
    },
  });
  const driver = driverFront(db, dialect, fronts);
  const introspecting = { createIntrospector: () => db.introspection };
  // The constructor that made it, whichever copy of Kysely that is, and as it makes its own copies.
  return Reflect.construct(db.constructor, [
    { config: { dialect: introspecting }, dialect: introspecting, driver, executor },
  ]);
}

async function provideFront<T>(
  opening: Promise<LocalTransaction<unknown>>,
  fronts: Fronts,
  consumer: (connection: KyselyNative) => Promise<T>,
): Promise<T> {
  const local = await opening;
  const front = new ConnectionFront(local);
  fronts.set(front, front);
  try {
    return await consumer(front);
  } finally {
    local.leave(front);
  }
}

/** A connection that shares the local transaction. */
class ConnectionFront implements KyselyNative {
  readonly #local: LocalTransaction<unknown>;

  constructor(local: LocalTransaction<unknown>) {
    this.#local = local;
  }

  executeQuery(query: KyselyQuery, options?: object): Promise<KyselyRows> {
    return this.#local.run(this, statementOf(query, options));
  }

  streamQuery(): AsyncIterableIterator<KyselyRows> {
    throw unsupported('a stream inside of a global transaction', 'read the rows with execute()');
  }

  control(text: string): Promise<unknown> {
    return this.executeQuery(rawQuery(text, []));
  }
}

function statementOf(
  query: KyselyQuery,
  options: object | undefined,
): UserStatement<unknown, KyselyRows> {
  return {
    text: query.sql,
    parameters: query.parameters,
    // Parse boundary: what kyselyResourceDatabase has acquired.
    perform: (connection, sql, parameters) =>
      (connection as KyselyNative).executeQuery({ ...query, sql, parameters }, options),
    results,
  };
}

const results: ResultShape<KyselyRows> = {
  // Parse boundary: drivers of Kysely give objects.
  rowsOf: ({ rows }) => rows as readonly Readonly<Record<string, unknown>>[],
  without(result, columns, keepsRows) {
    if (!keepsRows) return { ...result, rows: [] };
    for (const row of result.rows) {
      if (typeof row !== 'object' || row === null) continue;
      for (const column of columns) Reflect.deleteProperty(row, column);
    }
    return result;
  },
};

interface TransactionSettings {
  readonly isolationLevel?: string;
  readonly accessMode?: string;
}

/** What Kysely calls for `transaction()`: begins and ends on whichever connection it was given. */
function driverFront(db: KyselyResource, dialect: KyselyDialect, fronts: Fronts): object {
  const quoted = quoting[dialect];
  const send = (connection: KyselyNative, text: string): Promise<unknown> =>
    fronts.get(connection)?.control(text) ?? connection.executeQuery(rawQuery(text, []));
  return {
    init: async () => undefined,
    async beginTransaction(connection: KyselyNative, settings: TransactionSettings) {
      const texts = fronts.has(connection) ? ['begin'] : beginTexts(dialect, settings);
      for (const text of texts) await send(connection, text);
    },
    commitTransaction: (connection: KyselyNative) => send(connection, 'commit'),
    rollbackTransaction: (connection: KyselyNative) => send(connection, 'rollback'),
    savepoint: (connection: KyselyNative, name: string) =>
      send(connection, `savepoint ${quoted(name)}`),
    rollbackToSavepoint: (connection: KyselyNative, name: string) =>
      send(connection, `rollback to savepoint ${quoted(name)}`),
    releaseSavepoint: (connection: KyselyNative, name: string) =>
      send(connection, `release savepoint ${quoted(name)}`),
    destroy: () => db.destroy(),
  };
}

/** As Kysely's own drivers say it. */
function beginTexts(
  dialect: KyselyDialect,
  { isolationLevel, accessMode }: TransactionSettings,
): readonly string[] {
  const level = isolationLevel === undefined ? [] : [`isolation level ${isolationLevel}`];
  const settings = accessMode === undefined ? level : [...level, accessMode];
  if (settings.length === 0) return ['begin'];
  // On MySQL the settings are those of the transaction that begins next.
  if (dialect === 'mysql') return [`set transaction ${settings.join(', ')}`, 'begin'];
  return [`start transaction ${settings.join(' ')}`];
}

/** What a resource can be made of. */
export type KyselyDialect = 'postgres' | 'mysql';

const quoting: Readonly<Record<KyselyDialect, (name: string) => string>> = {
  postgres: (name) => `"${name.replaceAll('"', '""')}"`,
  mysql: (name) => `\`${name.replaceAll('`', '``')}\``,
};
