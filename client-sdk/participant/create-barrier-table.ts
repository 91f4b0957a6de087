/** Creates the table of the barrier through the database that a method is given. */
import { SettleError } from '../errors.ts';
import { barrierSchema } from './barrier-schema.ts';
import type { Database } from './databases/detect.ts';
import { dialectOf, isKysely, type KyselyStatement } from './databases/kysely.ts';
import { isMysql2Pool } from './databases/mysql2.ts';
import { isPgPool } from './databases/pg.ts';

/**
 * Creates `settle_barrier` unless it is there, for examples and tests. Safe to repeat. Throws
 * INVALID_CONFIG for what is no database, and what the driver throws (two creators at the very
 * same moment may meet a duplicate-key error under PostgreSQL: create it from one place).
 */
export function createBarrierTable(db: Database): Promise<void> {
  return create(db);
}

// Widened, so that the shapes below narrow to what the adapters name, not to what users see.
async function create(db: object): Promise<void> {
  if (isKysely(db)) {
    await db.executeQuery(statement(barrierSchema(dialectOf(db))));
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

function statement(sql: string): KyselyStatement {
  return {
    sql,
    parameters: [],
    query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] },
    queryId: { queryId: 'settle_barrier' },
  };
}
