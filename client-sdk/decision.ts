/**
 * How an initiator decides, and what it may say of the outcome. Guards: "rolled back" and
 * "committed" are said, and hooks run, only when the coordinator said so; everything else is
 * UNKNOWN, or an error that says why the decision was not taken.
 */
import type { BranchCaller } from './branch-caller.ts';
import { askWhyRolledBack, type Client, rolledBackError } from './client.ts';
import { runInScope } from './context.ts';
import { reasonOf, SettleError } from './errors.ts';
import type { Direction, Gid, Phase, TransactionAnswer } from './protocol/index.ts';

/** A global transaction that this process may decide. */
export interface Undecided {
  readonly gid: Gid;
  readonly branches: BranchCaller;
  readonly plan: { readonly wait: 'completed' | 'decided'; readonly waitMs: number };
  /** In the order in which they were given. */
  readonly hooks: readonly Hook[];
  /** Set once the decision is known. */
  phase: Phase;
}

/** What its user wants to be called after the decision. */
export interface Hook {
  readonly direction: Direction;
  readonly run: () => unknown;
}

/** The rollback is best effort: after this time the deadline is left to do it. */
const rollbackMsMax = 5_000;

/**
 * Commits and runs the hooks. Rejects with ROLLED_BACK when the other decision was there first,
 * with UNKNOWN when nobody can tell, with another code when it certainly was not taken.
 */
export async function commit(client: Client, global: Undecided): Promise<void> {
  // No branch was registered and no header left this process: there is nothing to decide.
  if (global.branches.knowledge === 'none') return finish(client, global, 'committed');
  const { gid } = global;
  const { wait, waitMs } = global.plan;
  let answer: TransactionAnswer;
  try {
    const body = { gid, direction: 'commit', wait, waitMs } as const;
    const timeoutMs = client.requestTimeoutMs + waitMs;
    answer = await client.channel.request('decide', body, { timeoutMs });
  } catch (error) {
    throw await commitError(client, global, error);
  }
  await finish(client, global, answer.phase);
  // A commit is never answered with the other direction; should it be, the answer is the truth.
  if (isRollback(answer.phase)) throw rolledBackError(gid, answer.cause);
}

/** What is true when commit did not answer with its phase. */
async function commitError(client: Client, global: Undecided, error: unknown): Promise<unknown> {
  const { gid } = global;
  if (!(error instanceof SettleError)) return error;
  switch (error.code) {
    case 'ALREADY_ROLLED_BACK': {
      const rolledBack = await askWhyRolledBack(client, gid);
      await finish(client, global, 'rollingBack');
      return rolledBack;
    }
    case 'UNKNOWN':
    case 'INTERNAL': {
      const detail = 'the answer to the commit was lost: it may still commit; ask settle.get(gid)';
      return new SettleError('UNKNOWN', detail, { gid, cause: error });
    }
    default: {
      const detail = `the commit was not taken, so it rolls back at its deadline: ${error.detail}`;
      return new SettleError(error.code, detail, { gid, cause: error });
    }
  }
}

/**
 * Asks for the rollback and runs the hooks once it is known. The reason's own error matters more
 * to the caller, so a rollback that cannot be asked for is only logged: the deadline does it.
 * `isUrgent`: don't wait for the cancels. Rejects only with ALREADY_COMMITTED, which only another
 * initiator with the same gid could bring about; `cause` is the reason then.
 */
export async function rollBack(
  client: Client,
  global: Undecided,
  reason: unknown,
  isUrgent: boolean,
): Promise<void> {
  const { gid, branches } = global;
  const { waitMs } = global.plan;
  if (branches.knowledge === 'beginning') await within(rollbackMsMax, branches.beginEnded());
  if (branches.knowledge === 'none') return finish(client, global, 'rolledBack');
  const wait = isUrgent ? 'decided' : global.plan.wait;
  try {
    const wish = { gid, direction: 'rollback', reason: reasonOf(reason), wait, waitMs } as const;
    const timeoutMs = Math.min(rollbackMsMax, client.requestTimeoutMs) + waitMs;
    const answer = await client.channel.request('decide', wish, { timeoutMs });
    await finish(client, global, answer.phase);
  } catch (error) {
    await rollbackError(client, global, error, reason);
  }
}

async function rollbackError(
  client: Client,
  global: Undecided,
  error: unknown,
  reason: unknown,
): Promise<void> {
  const { gid } = global;
  const code = error instanceof SettleError ? error.code : null;
  // NOT_FOUND: the begin never arrived. Should it still do so, nobody will ever commit it.
  if (code === 'ALREADY_ROLLED_BACK' || code === 'NOT_FOUND') {
    return finish(client, global, code === 'NOT_FOUND' ? 'rolledBack' : 'rollingBack');
  }
  if (code === 'ALREADY_COMMITTED') {
    await finish(client, global, 'committing');
    const detail = `it was committed elsewhere before it failed here: ${reasonOf(reason)}`;
    throw new SettleError('ALREADY_COMMITTED', detail, { gid, cause: reason });
  }
  client.logger.warn({ gid, error }, 'the rollback was not confirmed; the deadline will do it');
}

/** The decision is known. Hooks run in their order; what they throw changes nothing any more. */
async function finish(client: Client, global: Undecided, phase: Phase): Promise<void> {
  global.phase = phase;
  const direction: Direction = isRollback(phase) ? 'rollback' : 'commit';
  for (const hook of global.hooks) {
    if (hook.direction !== direction) continue;
    try {
      await runInScope(undefined, hook.run);
    } catch (error) {
      client.logger.error({ gid: global.gid, phase, error }, 'a hook failed');
    }
  }
}

function isRollback(phase: Phase): boolean {
  return phase === 'rollingBack' || phase === 'rolledBack';
}

/** Waits for the end of something that never rejects, but no longer than that. */
async function within(msMax: number, work: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, msMax);
  await Promise.race([work, promise]);
  clearTimeout(timer);
}
