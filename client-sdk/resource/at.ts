/**
 * `settle.at(db, …)`: what the user gives becomes a resource, and he gets back what looks the same.
 * Which database it is, is told by its shape, as for the barrier.
 */
import type { Client } from '../client.ts';
import { currentScope } from '../context.ts';
import { SettleError } from '../errors.ts';
import { dialectOf, isKysely } from '../participant/databases/kysely.ts';
import { isPgPool } from '../participant/databases/pg.ts';
import { isKyselyResource, kyselyFront, kyselyResourceDatabase } from './databases/kysely.ts';
import {
  type CurrentLocal,
  type PgResourcePool,
  pgFront,
  pgResourceDatabase,
} from './databases/pg.ts';
import { createPostgresDialect } from './postgres/dialect.ts';
import { type AtOptions, Resource } from './resource.ts';

/** What can be a resource: `Kysely<DB>` on PostgreSQL, or a `pg` Pool. */
export type AtDatabase =
  | { readonly isTransaction: boolean; transaction(): object; getExecutor(): object }
  | { readonly totalCount: number; connect(): Promise<object> };

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
  const dialect = createPostgresDialect(() => performance.now());
  if (isKysely(db)) {
    if (dialectOf(db) !== 'postgres') throw notADatabase();
    if (db.isTransaction) throw invalid('give the Kysely instance, not a transaction');
    if (!isKyselyResource(db)) throw notADatabase();
    const database = kyselyResourceDatabase(db);
    const resource = new Resource(client, options, { database, dialect });
    return kyselyFront(db, currentOf(resource));
  }
  if (!isPgPool(db)) throw notADatabase();
  // The shape has been looked at; the types of `pg` say more than what is used.
  const database = pgResourceDatabase(db as Db & PgResourcePool);
  const resource = new Resource(client, options, { database, dialect });
  return pgFront(db, currentOf(resource));
}

function currentOf<Native>(resource: Resource<Native>): CurrentLocal {
  return () => currentScope()?.locals.of(resource);
}

function notADatabase(): SettleError {
  return invalid('expected a Kysely instance on PostgreSQL, or a Pool of pg');
}

function invalid(detail: string): SettleError {
  return new SettleError('INVALID_CONFIG', `at: ${detail}`);
}
