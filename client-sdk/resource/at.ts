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
import type { Explainable } from './explain.ts';
import { explainerOf } from './explainer.ts';
import { createMysqlAnalyzer } from './mysql/analyzer.ts';
import { Compounds } from './mysql/compound.ts';
import { createMysqlDialect } from './mysql/dialect.ts';
import { createMysqlExplainer } from './mysql/explain.ts';
import { withSettings } from './mysql/session.ts';
import { createMysqlWriter } from './mysql/write.ts';
import { createPostgresDialect } from './postgres/dialect.ts';
import { createPostgresExplainer } from './postgres/explain.ts';
import { type AtOptions, lockTimeoutMsDefault, Resource, spreadMs } from './resource.ts';

/** What can be a resource: `Kysely<DB>` on PostgreSQL or MySQL, a Pool of `pg` or of `mysql2/promise`. */
export type AtDatabase =
  | { readonly isTransaction: boolean; transaction(): object; getExecutor(): object }
  | { readonly totalCount: number; connect(): Promise<object> }
  | { getConnection(): Promise<object>; execute(sql: never): Promise<object> };

/**
 * Makes the database a resource of this service. What it gives back has the same type, and `explain`
 * besides: outside of a global transaction it behaves like the original, inside each statement of
 * plain SQL is recorded so that a rollback restores every row. Statements that cannot be undone for
 * certain are refused with AT_UNSUPPORTED_SQL before they run. INVALID_CONFIG for another database,
 * CONFLICT when this service has a resource of that name.
 */
export function defineResource<Db extends AtDatabase>(
  client: Client,
  db: Db,
  options: AtOptions,
): Db & Explainable {
  if (isKysely(db)) {
    const dialect = dialectOf(db);
    if (dialect === 'sqlite') throw notADatabase();
    if (db.isTransaction) throw invalid('give the Kysely instance, not a transaction');
    if (!isKyselyResource(db)) throw notADatabase();
    const database = kyselyResourceDatabase(db);
    const { current, explain } = resourceOn(dialect, client, { database, options });
    // Not through a proxy, for it has private fields; what this line adds is what the type says.
    const front: object = kyselyFront(db, dialect, current);
    return Object.defineProperty(front, 'explain', { value: explain }) as Db & Explainable;
  }
  if (isPgPool(db)) {
    // The shape has been looked at; the types of drivers say more than what is used.
    const database = pgResourceDatabase(db as Db & PgResourcePool);
    const { current, explain } = resourceOn('postgres', client, { database, options });
    return explaining(pgFront(db, current), explain);
  }
  if (!isMysql2Pool(db)) throw notADatabase();
  if ('promise' in db && typeof db.promise === 'function') {
    throw invalid('give the pool of mysql2/promise (pool.promise())');
  }
  const database = mysql2ResourceDatabase(db as Db & Mysql2ResourcePool);
  const { current, explain } = resourceOn('mysql', client, { database, options });
  return explaining(mysql2Front(db, current), explain);
}

interface Given<Native> {
  readonly database: ResourceDatabase<Native>;
  readonly options: AtOptions;
}

/** What the user's own object is made with. */
interface ForFront extends Explainable {
  readonly current: CurrentLocal;
}

function resourceOn<Native>(
  kind: KyselyDialect,
  client: Client,
  { database, options }: Given<Native>,
): ForFront {
  const nowMs = () => performance.now();
  const { lockTimeoutMs = lockTimeoutMsDefault } = options;
  if (kind === 'postgres') {
    const dialect = createPostgresDialect(nowMs);
    const resource = new Resource(client, options, { database, dialect });
    const explaining = { database, dialect: createPostgresExplainer(dialect), lockTimeoutMs };
    return { current: currentOf(resource), explain: explainerOf(explaining) };
  }
  const analyzer = createMysqlAnalyzer();
  const compounds = new Compounds();
  const statements = { ...analyzer, ...createMysqlWriter(analyzer) };
  const dialect = createMysqlDialect(nowMs, statements, compounds);
  const set = withSettings(database, () => spreadMs(lockTimeoutMs), compounds);
  const resource = new Resource(client, options, { database: set, dialect });
  const explainer = createMysqlExplainer(dialect, analyzer);
  const explaining = { database: set, dialect: explainer, lockTimeoutMs };
  return { current: currentOf(resource), explain: explainerOf(explaining) };
}

/** A pool's front keeps no properties of its own: they would be those of the user's pool. */
function explaining<Pool extends object>(
  front: Pool,
  explain: Explainable['explain'],
): Pool & Explainable {
  const get = (target: Pool, name: string | symbol): unknown =>
    name === 'explain' ? explain : Reflect.get(target, name, target);
  // Parse boundary: the proxy has it.
  return new Proxy(front, { get }) as Pool & Explainable;
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
