/**
 * MySQL and MariaDB as the database of a resource: texts, barrier rows, errors. Its connections are
 * set by {@link withSettings}; the isolation is part of that. A text is one statement here, for
 * several in one are an option of the driver that users rightly leave off.
 */
import { SettleError } from '../../errors.ts';
import { type Gid, isGid } from '../../protocol/index.ts';
import type { BranchBarrier, BranchKey, Dialect, DialectStatements } from '../dialect.ts';
import { createMysqlCatalog } from './catalog.ts';
import { passGuards } from './guard.ts';
import { textLiteral, wholeLiteral } from './literals.ts';
import { mysqlTables } from './tables.ts';
import { createMysqlUndoStore } from './undo-store.ts';
import { mysqlWaits } from './waits.ts';

/** How statements of the user are understood and run. */
export type MysqlStatements = Pick<Dialect, 'analyze' | 'write'>;

/** The dialect, with a catalogue of its own. For connections of {@link withSettings} only. */
export function createMysqlDialect(nowMs: () => number, user: MysqlStatements): Dialect {
  return {
    analyze: (text) => user.analyze(text),
    write: (job) => user.write(job),
    catalog: createMysqlCatalog(nowMs),
    undo: createMysqlUndoStore(),
    statements,
    barrier,
    commitAtOnce: null,
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

const duplicate = 1062;

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

const barrier: BranchBarrier = {
  async commitPhaseOne(session, branch) {
    try {
      await session.query(`insert ${rowOf(branch, 'prepare', 'done')}`);
    } catch (error) {
      if (errnoOf(error) !== duplicate) throw error;
      // It does not end the transaction: whoever gets this error must roll back.
      const detail = 'the rollback came before the local commit';
      throw new SettleError('ALREADY_ROLLED_BACK', detail, { gid: branch.gid, cause: error });
    }
    await session.query('commit');
  },
  async commit(session) {
    await session.query('commit');
  },
  async block(session, branch) {
    // Every part of the row is checked, so that `ignore` has nothing else to ignore.
    const insert = `insert ignore ${rowOf(branch, 'prepare', 'blocked')}`;
    if ((await session.query(insert)).count === 1) return 'blocked';
    // READ COMMITTED gives this statement a view with what the insert has waited for.
    const { rows } = await session.query(`select state from settle_barrier
      where gid = ${gidLiteral(branch.gid)} and branch_id = ${wholeLiteral(branch.branchId)}
        and operation = 'prepare'`);
    const [row] = rows;
    // Taken, yet not there: never an answer. It is asked again.
    if (row === undefined) throw new Error('the barrier row of phase one is not visible yet');
    return row['state'] === 'blocked' ? 'blocked' : 'committed';
  },
  async markRolledBack(session, branch) {
    return (await session.query(`insert ignore ${rowOf(branch, 'rollback', 'done')}`)).count === 1;
  },
};

function rowOf({ gid, branchId }: BranchKey, operation: string, state: string): string {
  return `into settle_barrier (gid, branch_id, operation, state, created_at_ms)
    values (${gidLiteral(gid)}, ${wholeLiteral(branchId)}, ${textLiteral(operation)},
      ${textLiteral(state)}, ${wholeLiteral(Date.now())})`;
}

function gidLiteral(gid: Gid): string {
  if (!isGid(gid)) throw new Error(`"${gid}" is not a gid`);
  return textLiteral(gid);
}
