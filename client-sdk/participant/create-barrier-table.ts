/** Creates the table of the barrier through the database that a method is given. */
import { SettleError } from '../errors.ts';
import { barrierSchema } from './barrier-schema.ts';
import { dialectOf, isKysely, type KyselyLike } from './databases/kysely.ts';
import { isMysql2Pool, type Mysql2Pool } from './databases/mysql2.ts';
import { isPgPool, type PgPool } from './databases/pg.ts';

/** A table builder is needed of Kysely besides what the barrier uses. */
interface KyselySchema {
  executeQuery(query: CompiledText): Promise<unknown>;
}

/** A statement as `Kysely.executeQuery` takes it; the same shape as `CompiledQuery.raw` gives. */
interface CompiledText {
  readonly sql: string;
  readonly parameters: readonly unknown[];
  readonly query: {
    readonly kind: 'RawNode';
    readonly sqlFragments: readonly string[];
    readonly parameters: readonly never[];
  };
  readonly queryId: { readonly queryId: string };
}

/**
 * Creates `settle_barrier` unless it is there, for examples and tests. Safe to repeat. Throws
 * INVALID_CONFIG for what is no database, and what the driver throws (two creators at the very
 * same moment may meet a duplicate-key error under PostgreSQL: create it from one place).
 */
export async function createBarrierTable(
  db: (KyselyLike & KyselySchema) | (PgPool & PgQuery) | Mysql2Pool,
): Promise<void> {
  if (isKysely(db)) {
    await db.executeQuery(compiledText(barrierSchema(dialectOf(db))));
  } else if (isPgPool(db)) {
    await db.query(barrierSchema('postgres'));
  } else if (isMysql2Pool(db)) {
    const connection = await db.getConnection();
    try {
      await connection.query(barrierSchema('mysql'));
    } finally {
      connection.release();
    }
  } else {
    throw new SettleError('INVALID_CONFIG', 'createBarrierTable: this is no database');
  }
}

interface PgQuery {
  query(sql: string): Promise<unknown>;
}

function compiledText(sql: string): CompiledText {
  return {
    sql,
    parameters: [],
    query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] },
    queryId: { queryId: 'settle_barrier' },
  };
}
