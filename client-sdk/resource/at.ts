/**
 * `settle.at(db, …)`: what the user gives becomes a resource, and he gets back what looks the same.
 * Which database it is, is told by its shape, as for the barrier.
 */
import type { Client } from '../client.ts';
import { currentScope } from '../context.ts';
import { SettleError } from '../errors.ts';
import { dialectOf, isKysely } from '../participant/databases/kysely.ts';
import { isMysql2Pool } from '../participant/databases/mysql2.ts';
import { isPgPool } from '../participant/databases/pg.ts';
import type { ResourceDatabase } from './database.ts';
import {
  isKyselyResource,
  type KyselyDialect,
  kyselyFront,
  kyselyResourceDatabase,
} from './databases/kysely.ts';
import {
  type Mysql2ResourcePool,
  mysql2Front,
  mysql2ResourceDatabase,
} from './databases/mysql2.ts';
import {
  type CurrentLocal,
  type PgResourcePool,
  pgFront,
  pgResourceDatabase,
} from './databases/pg.ts';
import { createMysqlAnalyzer } from './mysql/analyzer.ts';
import { createMysqlDialect } from './mysql/dialect.ts';
import { withSettings } from './mysql/session.ts';
import { createMysqlWriter } from './mysql/write.ts';
import { createPostgresDialect } from './postgres/dialect.ts';
import { type AtOptions, lockTimeoutMsDefault, Resource, spreadMs } from './resource.ts';

/** What can be a resource: `Kysely<DB>` on PostgreSQL or MySQL, a Pool of `pg` or of `mysql2/promise`. */
export type AtDatabase =
  | { readonly isTransaction: boolean; transaction(): object; getExecutor(): object }
  | { readonly totalCount: number; connect(): Promise<object> }
  | { getConnection(): Promise<object>; execute(sql: never): Promise<object> };

/**
 * Makes the database a resource of this service. What it gives back has the same type: outside of
 * a global transaction it behaves like the original, inside each statement of plain SQL is recorded
 * so that a rollback restores every row. Statements that cannot be undone for certain are refused with
 * AT_UNSUPPORTED_SQL before they run. INVALID_CONFIG for another database, CONFLICT when this
 * service has a resource of that name.
 */
export function defineResource<Db extends AtDatabase>(
  client: Client,
  db: Db,
  options: AtOptions,
): Db {
  if (isKysely(db)) {
    const dialect = dialectOf(db);
    if (dialect === 'sqlite') throw notADatabase();
    if (db.isTransaction) throw invalid('give the Kysely instance, not a transaction');
    if (!isKyselyResource(db)) throw notADatabase();
    const database = kyselyResourceDatabase(db);
    return kyselyFront(db, dialect, currentOf(resourceOn(dialect, client, { database, options })));
  }
  if (isPgPool(db)) {
    // The shape has been looked at; the types of drivers say more than what is used.
    const database = pgResourceDatabase(db as Db & PgResourcePool);
    return pgFront(db, currentOf(resourceOn('postgres', client, { database, options })));
  }
  if (!isMysql2Pool(db)) throw notADatabase();
  if ('promise' in db && typeof db.promise === 'function') {
    throw invalid('give the pool of mysql2/promise (pool.promise())');
  }
  const database = mysql2ResourceDatabase(db as Db & Mysql2ResourcePool);
  return mysql2Front(db, currentOf(resourceOn('mysql', client, { database, options })));
}

interface Given<Native> {
  readonly database: ResourceDatabase<Native>;
  readonly options: AtOptions;
}

function resourceOn<Native>(
  dialect: KyselyDialect,
  client: Client,
  { database, options }: Given<Native>,
): Resource<Native> {
  const nowMs = () => performance.now();
  if (dialect === 'postgres') {
    return new Resource(client, options, { database, dialect: createPostgresDialect(nowMs) });
  }
  const analyzer = createMysqlAnalyzer();
  const writer = createMysqlWriter(analyzer);
  const user = { ...analyzer, ...writer };
  const { lockTimeoutMs = lockTimeoutMsDefault } = options;
  return new Resource(client, options, {
    database: withSettings(database, () => spreadMs(lockTimeoutMs)),
    dialect: createMysqlDialect(nowMs, user),
  });
}

function currentOf<Native>(resource: Resource<Native>): CurrentLocal {
  return () => currentScope()?.locals.of(resource);
}

function notADatabase(): SettleError {
  return invalid(
    'expected a Kysely instance on PostgreSQL or MySQL, or a Pool of pg or of mysql2/promise',
  );
}

function invalid(detail: string): SettleError {
  return new SettleError('INVALID_CONFIG', `at: ${detail}`);
}
