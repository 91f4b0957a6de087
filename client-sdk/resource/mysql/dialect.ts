/**
 * MySQL and MariaDB as the database of a resource: texts and errors. Its connections are
 * set by {@link withSettings}; the isolation is part of that. A text is one statement here, for
 * several in one are an option of the driver that users rightly leave off; a compound is one, too.
 */
import type { Dialect, DialectStatements } from '../dialect.ts';
import { barrierOn } from './barrier.ts';
import { createMysqlCatalog } from './catalog.ts';
import { Compounds } from './compound.ts';
import { commitAtOnceOn } from './endings.ts';
import { passGuards } from './guard.ts';
import { mysqlTables } from './tables.ts';
import { createMysqlUndoStore } from './undo-store.ts';
import { mysqlWaits } from './waits.ts';

/** How statements of the user are understood and run. */
export type MysqlStatements = Pick<Dialect, 'analyze' | 'write'>;

/**
 * The dialect, with a catalogue of its own. For connections of {@link withSettings} only, which learns
 * of `compounds`.
 */
export function createMysqlDialect(
  nowMs: () => number,
  user: MysqlStatements,
  compounds = new Compounds(),
): Dialect {
  return {
    analyze: (text) => user.analyze(text),
    write: (job) => user.write(job),
    catalog: createMysqlCatalog(nowMs),
    undo: createMysqlUndoStore(compounds),
    statements,
    barrier: barrierOn(compounds),
    commitAtOnce: commitAtOnceOn(compounds),
    waits: mysqlWaits,
    tables: mysqlTables,
    isLockTimeout: (error) => lockErrors.has(errnoOf(error)),
  };
}

/**
 * Lock wait timeout, deadlock, no wait (of MySQL; MariaDB says 1205), and the lock table is full. A
 * deadlock ends the transaction with all of its savepoints.
 */
const lockErrors: ReadonlySet<unknown> = new Set([1205, 1206, 1213, 3572]);

function errnoOf(error: unknown): unknown {
  return error instanceof Error && 'errno' in error ? error.errno : null;
}

const statements: DialectStatements = {
  // Isolation and the time for locks are the connection's.
  begin: () => 'start transaction',
  // The first is for the next transaction only: the others of this connection keep their isolation.
  beginLook: () => [
    'set transaction isolation level repeatable read',
    'start transaction with consistent snapshot, read only',
  ],
  savepoint: (name) => `savepoint ${name}`,
  // It stays set; setting it again moves it.
  rollbackTo: (name) => `rollback to savepoint ${name}`,
  release: (name) => `release savepoint ${name}`,
  passGuards,
};
