/** The barrier rows of branches on PostgreSQL; what each is for is told by {@link BranchBarrier}. */
import { SettleError } from '../../errors.ts';
import { type Gid, isGid } from '../../protocol/index.ts';
import type { BranchBarrier, BranchKey } from '../dialect.ts';
import { whole } from './literals.ts';

/** The barrier rows. */
export const barrier: BranchBarrier = {
  async commitPhaseOne(session, branch) {
    try {
      await session.query(`${phaseOneText(branch)};commit`);
    } catch (error) {
      throw phaseOneError(error, branch.gid);
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

/** What a failure to commit as a branch means: ALREADY_ROLLED_BACK, or what the driver says. */
export function phaseOneError(error: unknown, gid: Gid): unknown {
  if (!isTaken(error, 'settle_barrier')) return error;
  const detail = 'the rollback came before the local commit';
  return new SettleError('ALREADY_ROLLED_BACK', detail, { gid, cause: error });
}

/** unique_violation in this table. */
export function isTaken(error: unknown, table: 'settle_barrier' | 'settle_undo'): boolean {
  if (!(error instanceof Error) || !('code' in error) || error.code !== '23505') return false;
  return 'table' in error && error.table === table;
}

/** The row of phase one in a flight; $1 is the gid, $2 the branch's id, $3 the time. */
export const phaseOneRow = `insert into settle_barrier (gid, branch_id, operation, state, created_at_ms)
  values ($1, $2, 'prepare', 'done', $3)`;

/** The same without parameters, to stand among other statements in one text. */
export function phaseOneText(branch: BranchKey): string {
  return insertRow(branch, 'prepare', 'done');
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
