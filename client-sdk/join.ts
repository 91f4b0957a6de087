/**
 * Taking part in a global transaction that was begun elsewhere: by a service that was called with
 * its headers, or by the `try` of one of its branches. Guards: who joins never decides.
 */
import { createBranchCaller } from './branch-caller.ts';
import type { Client } from './client.ts';
import {
  currentScope,
  gidOf,
  type HeadersOrGid,
  runInScope,
  type Scope,
  type TransactionContext,
  traceHeader,
  traceOf,
} from './context.ts';
import { SettleError } from './errors.ts';
import {
  type BranchId,
  contextHeaders,
  type Gid,
  type Phase,
  type Tracer,
} from './protocol/index.ts';
import { Locals } from './resource/locals.ts';
import { inSpan, parentOf } from './spans.ts';

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
  const { tracer } = client;
  const join = () => runJoined(joinedScope(client, gid, null), work);
  if (tracer === null) return join();
  const parent = parentOf(tracer, traceOf(from));
  const attributes = { 'settle.gid': gid };
  return inSpan(tracer, { name: 'settle.join', kind: 'internal', parent, attributes }, join);
}

/** Runs the work in a scope of its own and waits for the calls that it started. */
export async function runJoined<T>(scope: Scope, work: () => T | Promise<T>): Promise<T> {
  const { branches, locals } = scope;
  try {
    const value = await runInScope(scope, work);
    await branches.settled();
    if (branches.doomed !== null) throw branches.doomed.error;
    await locals.finish(false);
    return value;
  } catch (error) {
    await locals.abandon();
    throw error;
  } finally {
    branches.end(workIsOver);
  }
}

/** The view of one that takes part. `branchId`: whose `try` it is; null in a service's own code. */
export function joinedScope(client: Client, gid: Gid, branchId: BranchId | null): Scope {
  const context = new JoinedContext(gid, branchId, client.tracer);
  const branches = createBranchCaller(client, {
    gid,
    begin: null,
    answered(answer) {
      context.phase = answer.phase;
    },
  });
  return { branches, context, locals: new Locals(gid, branches) };
}

/** As for the other contexts: what few ask for is made when they do, and can be taken out of it. */
class JoinedContext implements TransactionContext {
  readonly gid: Gid;
  readonly branchId: BranchId | null;
  readonly #tracer: Tracer | null;
  phase: Phase = 'active';
  #signal: AbortSignal | null = null;

  constructor(gid: Gid, branchId: BranchId | null, tracer: Tracer | null) {
    this.gid = gid;
    this.branchId = branchId;
    this.#tracer = tracer;
  }

  get signal(): AbortSignal {
    this.#signal ??= new AbortController().signal;
    return this.#signal;
  }

  get headers(): TransactionContext['headers'] {
    const { gid, branchId } = this;
    const tracer = this.#tracer;
    const own = branchId === null ? {} : { [contextHeaders.branch]: `${branchId}` };
    return async () => ({ [contextHeaders.gid]: gid, ...own, ...traceHeader(tracer) });
  }

  get afterCommit(): TransactionContext['afterCommit'] {
    return () => refuseHook(this.gid);
  }

  get afterRollback(): TransactionContext['afterRollback'] {
    return () => refuseHook(this.gid);
  }
}

function workIsOver(gid: Gid): SettleError {
  return new SettleError('INVALID_REQUEST', 'the work that joined is over', { gid });
}

function refuseHook(gid: Gid): never {
  const detail = 'hooks belong to the initiator: this process only joined and learns no outcome';
  throw new SettleError('INVALID_REQUEST', detail, { gid });
}
