/**
 * PostgreSQL as the database of a resource: its texts, its barrier rows, its errors. What has no
 * parameters goes as one text of several statements: PostgreSQL runs them in their order and stops
 * at the first that fails.
 */
import { SettleError } from '../../errors.ts';
import { type Gid, isGid } from '../../protocol/index.ts';
import type { BranchBarrier, BranchKey, Dialect, DialectStatements } from '../dialect.ts';
import { createPostgresAnalyzer } from './analyzer.ts';
import { createPostgresCatalog } from './catalog.ts';
import { passGuards } from './guard.ts';
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
    `begin isolation level read committed; set local lock_timeout = ${whole(lockTimeoutMs)}`,
  beginLook: (lockTimeoutMs) => [
    'begin isolation level repeatable read read only',
    `set local lock_timeout = ${whole(lockTimeoutMs)}`,
  ],
  savepoint: (name) => `savepoint ${name}`,
  rollbackTo: (name) => `rollback to savepoint ${name}; release savepoint ${name}`,
  release: (name) => `release savepoint ${name}`,
  passGuards,
};

const barrier: BranchBarrier = {
  async commitPhaseOne(session, branch) {
    try {
      await session.query(`${insertRow(branch, 'prepare', 'done')};commit`);
    } catch (error) {
      if (!isBarrierTaken(error)) throw error;
      const detail = 'the rollback came before the local commit';
      throw new SettleError('ALREADY_ROLLED_BACK', detail, { gid: branch.gid, cause: error });
    }
  },
  async commit(session) {
    await session.query('commit');
  },
  async block(session, branch) {
    const insert = `${insertRow(branch, 'prepare', 'blocked')} on conflict do nothing`;
    const { count } = await session.query(insert);
    if (count === 1) return 'blocked';
    // READ COMMITTED gives this statement a snapshot with what the insert has waited for.
    const { rows } = await session.query(`select state from settle_barrier
      where (gid, branch_id, operation) = (${keyValues(branch)}, 'prepare')`);
    const [row] = rows;
    // Taken, yet not there: never an answer. It is asked again.
    if (row === undefined) throw new Error('the barrier row of phase one is not visible yet');
    return row['state'] === 'blocked' ? 'blocked' : 'committed';
  },
  async markRolledBack(session, branch) {
    const insert = `${insertRow(branch, 'rollback', 'done')} on conflict do nothing`;
    return (await session.query(insert)).count === 1;
  },
};

function isBarrierTaken(error: unknown): boolean {
  if (!(error instanceof Error) || codeOf(error) !== '23505') return false;
  return 'table' in error && error.table === 'settle_barrier';
}

function insertRow(branch: BranchKey, operation: string, state: string): string {
  return `insert into settle_barrier (gid, branch_id, operation, state, created_at_ms)
    values (${keyValues(branch)}, '${operation}', '${state}', ${Date.now()})`;
}

function keyValues({ gid, branchId }: BranchKey): string {
  return `${literal(gid)}, ${whole(branchId)}`;
}

/** The grammar of gids has no character that could end a literal. */
function literal(gid: Gid): string {
  if (!isGid(gid)) throw new Error(`"${gid}" is not a gid`);
  return `'${gid}'`;
}

function whole(value: number): string {
  if (!Number.isSafeInteger(value)) throw new Error(`${value} is not a whole number`);
  return String(value);
}
