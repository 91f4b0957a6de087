/**
 * PostgreSQL as the database of a resource: its texts and its errors. What has no parameters goes as one
 * text of several statements: PostgreSQL runs them in their order and stops at the first that fails.
 */
import { beginReadCommitted } from '../../participant/databases/pg-flight.ts';
import type { Dialect, DialectStatements } from '../dialect.ts';
import { createPostgresAnalyzer } from './analyzer.ts';
import { barrier } from './barrier.ts';
import { createPostgresCatalog } from './catalog.ts';
import { commitAtOnce } from './endings.ts';
import { passGuards } from './guard.ts';
import { whole } from './literals.ts';
import { postgresTables } from './tables.ts';
import { createPostgresUndoStore } from './undo-store.ts';
import { postgresWaits } from './waits.ts';
import { writeOnPostgres } from './write.ts';

/** The dialect, with caches of its own. */
export function createPostgresDialect(nowMs: () => number): Dialect {
  const analyzer = createPostgresAnalyzer();
  return {
    analyze: (text) => analyzer.analyze(text),
    write: (job) => writeOnPostgres(analyzer, job),
    catalog: createPostgresCatalog(nowMs),
    undo: createPostgresUndoStore(),
    statements,
    barrier,
    commitAtOnce,
    waits: postgresWaits,
    tables: postgresTables,
    isLockTimeout: (error) => lockCodes.has(codeOf(error)),
  };
}

/** Lock not available, deadlock, serialization failure. */
const lockCodes: ReadonlySet<unknown> = new Set(['55P03', '40P01', '40001']);

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null;
}

const statements: DialectStatements = {
  begin: (lockTimeoutMs) =>
    `${beginReadCommitted.text}; set local lock_timeout = ${whole(lockTimeoutMs)}`,
  beginLook: (lockTimeoutMs) => [
    'begin isolation level repeatable read read only',
    `set local lock_timeout = ${whole(lockTimeoutMs)}`,
  ],
  savepoint: (name) => `savepoint ${name}`,
  rollbackTo: (name) => `rollback to savepoint ${name}; release savepoint ${name}`,
  release: (name) => `release savepoint ${name}`,
  passGuards,
};
