/**
 * Taking part in a global transaction that was begun elsewhere: by a service that was called with
 * its headers, or by the `try` of one of its branches. Guards: who joins never decides.
 */
import { type BranchCaller, createBranchCaller } from './branch-caller.ts';
import type { Client } from './client.ts';
import { currentScope, gidOf, type HeadersOrGid, runInScope, type Scope } from './context.ts';
import { SettleError } from './errors.ts';
import { type BranchId, contextHeaders, type Gid, type Phase } from './protocol/index.ts';

/**
 * Runs the work inside the global transaction of these headers: branches that it calls are
 * registered there. The initiator decides, so there are no hooks here. Rejects with what the work
 * threw, and with the error of a branch that failed even when the work caught it, for that branch
 * can never be confirmed: let the initiator hear of it. NO_TRANSACTION without a gid.
 */
export async function joinTransaction<T>(
  client: Client,
  from: HeadersOrGid,
  work: () => T | Promise<T>,
): Promise<T> {
  const gid = gidOf(from);
  if (gid === null) throw new SettleError('NO_TRANSACTION', `no ${contextHeaders.gid} header came`);
  if (currentScope()?.context.gid === gid) return work();
  return runJoined(joinedScope(client, gid, null), work);
}

/** Runs the work in a scope of its own and waits for the calls that it started. */
export async function runJoined<T>(scope: Scope, work: () => T | Promise<T>): Promise<T> {
  const { branches, context } = scope;
  try {
    const value = await runInScope(scope, async () => work());
    await branches.settled();
    if (branches.doomed !== null) throw branches.doomed.error;
    return value;
  } finally {
    const { gid } = context;
    branches.end(new SettleError('INVALID_REQUEST', 'the work that joined is over', { gid }));
  }
}

/** The view of one that takes part. `branchId`: whose `try` it is; null in a service's own code. */
export function joinedScope(client: Client, gid: Gid, branchId: BranchId | null): Scope {
  let phase: Phase = 'active';
  const branches: BranchCaller = createBranchCaller(client, {
    gid,
    begin: null,
    answered(answer) {
      phase = answer.phase;
    },
  });
  const headers =
    branchId === null
      ? { [contextHeaders.gid]: gid }
      : { [contextHeaders.gid]: gid, [contextHeaders.branch]: `${branchId}` };
  return {
    branches,
    context: {
      gid,
      branchId,
      get phase() {
        return phase;
      },
      signal: new AbortController().signal,
      headers: async () => headers,
      afterCommit: () => refuseHook(gid),
      afterRollback: () => refuseHook(gid),
    },
  };
}

function refuseHook(gid: Gid): never {
  const detail = 'hooks belong to the initiator: this process only joined and learns no outcome';
  throw new SettleError('INVALID_REQUEST', detail, { gid });
}
