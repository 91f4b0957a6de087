/**
 * Which database a user has given, told by the shape of the object, and with what type its
 * handlers see the local transaction. This is a parse boundary: here, and only here, an unknown
 * object becomes a barrier.
 */
import { SettleError } from '../../errors.ts';
import type { Barrier } from '../barrier.ts';
import { isKysely, kyselyBarrier } from './kysely.ts';
import { isMysql2Pool, mysql2Barrier } from './mysql2.ts';
import { isPgPool, pgBarrier } from './pg.ts';

/** `Kysely<DB>`, a `pg` Pool, a `mysql2/promise` Pool, or a barrier of one's own. */
export type Database =
  | { readonly isTransaction: boolean; transaction(): object; getExecutor(): object }
  | { readonly totalCount: number; connect(): Promise<object> }
  | { getConnection(): Promise<object>; execute(sql: never): Promise<object> }
  | { transact(work: never): Promise<unknown> };

/**
 * What handlers get as `trx`: `Transaction<DB>`, `PoolClient`, `PoolConnection`, or undefined when
 * there is no database.
 */
export type TrxOf<Db> =
  Db extends Barrier<infer Trx>
    ? Trx
    : Db extends { transaction(): { execute<T>(work: (trx: infer Trx) => Promise<T>): Promise<T> } }
      ? Trx
      : Db extends {
            readonly totalCount: number;
            connect: { (): Promise<infer Client>; (callback: never): void };
          }
        ? Client
        : Db extends { getConnection(): Promise<infer Connection> }
          ? Connection
          : undefined;

/** The barrier of a database. Throws INVALID_CONFIG, with what is accepted, for anything else. */
export function barrierOf<Db>(db: Db): Barrier<TrxOf<Db>> {
  // The shape has been looked at; TrxOf says the same in types, which TypeScript cannot follow.
  return detect(db) as Barrier<TrxOf<Db>>;
}

function detect(db: unknown): Barrier<never> | Barrier<unknown> {
  if (typeof db !== 'object' || db === null) throw notADatabase();
  if (isBarrier(db)) return db;
  if (isKysely(db)) return kyselyBarrier(db);
  if (isPgPool(db)) return pgBarrier(db);
  if (isMysql2Pool(db)) {
    if ('promise' in db && typeof db.promise === 'function') {
      throw new SettleError(
        'INVALID_CONFIG',
        'db: give the pool of mysql2/promise (pool.promise())',
      );
    }
    return mysql2Barrier(db);
  }
  throw notADatabase();
}

function isBarrier(db: object): db is Barrier<never> {
  return 'transact' in db && typeof db.transact === 'function';
}

function notADatabase(): SettleError {
  return new SettleError(
    'INVALID_CONFIG',
    'db: expected a Kysely instance, a Pool of pg, or a Pool of mysql2/promise',
  );
}
