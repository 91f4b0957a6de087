/** The barrier rows of branches on MySQL and MariaDB; what each is for is told by {@link BranchBarrier}. */
import { SettleError } from '../../errors.ts';
import { type Gid, isGid } from '../../protocol/index.ts';
import type { BranchBarrier, BranchKey } from '../dialect.ts';
import { type Compounds, compoundOf } from './compound.ts';
import { textLiteral, wholeLiteral } from './literals.ts';

/** The barrier rows, on servers that take these compounds. */
export function barrierOn(compounds: Compounds): BranchBarrier {
  return {
    ...barrier,
    async commitPhaseOne(session, branch) {
      const row = phaseOneRow(branch);
      try {
        // The settings stay: one that commits eagerly goes on with them.
        await session.query(compounds.areThere ? compoundOf([row, 'commit']) : row);
      } catch (error) {
        // It does not end the transaction: whoever gets this error must roll back.
        throw phaseOneError(error, branch.gid);
      }
      if (!compounds.areThere) await session.query('commit');
    },
  };
}

const barrier: Omit<BranchBarrier, 'commitPhaseOne'> = {
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

/** The insert of the row of phase one. */
export function phaseOneRow(branch: BranchKey): string {
  return `insert ${rowOf(branch, 'prepare', 'done')}`;
}

const duplicate = 1062;

/** What a failure of {@link phaseOneRow} means: ALREADY_ROLLED_BACK, or what the driver says. */
export function phaseOneError(error: unknown, gid: Gid): unknown {
  if (!(error instanceof Error) || !('errno' in error) || error.errno !== duplicate) return error;
  const detail = 'the rollback came before the local commit';
  return new SettleError('ALREADY_ROLLED_BACK', detail, { gid, cause: error });
}

function rowOf({ gid, branchId }: BranchKey, operation: string, state: string): string {
  return `into settle_barrier (gid, branch_id, operation, state, created_at_ms)
    values (${gidLiteral(gid)}, ${wholeLiteral(branchId)}, ${textLiteral(operation)},
      ${textLiteral(state)}, ${wholeLiteral(Date.now())})`;
}

function gidLiteral(gid: Gid): string {
  if (!isGid(gid)) throw new Error(`"${gid}" is not a gid`);
  return textLiteral(gid);
}
