/**
 * A global transaction from the initiator's side, up to its decision (`decision.ts`).
 *
 * ```
 *  callback returns ─► calls still running end ─► commit ──► known: hooks, value
 *      │                    └─ one has failed ─┐     └─────► not known: UNKNOWN, it may commit
 *  callback throws, signal aborts ─────────────┴► rollback ► known: hooks ─► the error is rethrown
 * ```
 * Guards: commit is sent only when every branch that was started has ended well.
 */
import type { Client } from './client.ts';
import { currentScope, runInScope, type Scope, type TransactionContext } from './context.ts';
import { commit, rollBack } from './decision.ts';
import { type Duration, durationMs } from './duration.ts';
import { SettleError } from './errors.ts';
import { gidGiven } from './gid.ts';
import { OpenTransaction, type Plan } from './open-transaction.ts';
import { type Gid, limits } from './protocol/index.ts';
import { inSpan } from './spans.ts';

/** How a global transaction runs. */
export interface TransactionOptions {
  /**
   * Default: a new one. Give your own (an order's id, say) to carry on after a crash of this
   * process: the same gid, options and first calls begin the same transaction, and tries that
   * were done answer again. If it was decided meanwhile, it rejects with ROLLED_BACK or
   * ALREADY_COMMITTED. Two processes must not run one gid at the same time. None that begins
   * with `settle.`.
   */
  readonly gid?: Gid;
  /** For people and for search; default `transaction`. */
  readonly name?: string;
  /** Undecided after this time, it rolls back: 10 ms .. 30 days, default 30 s. */
  readonly timeout?: Duration;
  /** For search: at most 16 of at most 128 characters. */
  readonly labels?: Readonly<Record<string, string>>;
  /**
   * Aborting rolls back and rejects with `signal.reason`, without waiting for the callback. It has
   * no effect once the commit has been sent.
   */
  readonly signal?: AbortSignal;
  /**
   * `completed` (default): returns when every branch is confirmed (or cancelled), at the latest
   * `waitMs` after the decision. `decided`: when the decision is durable. Both are a success.
   */
  readonly wait?: 'completed' | 'decided';
  /** 0..60,000, default 2,000. */
  readonly waitMs?: number;
}

const defaults = { timeoutMs: 30_000, waitMs: 2_000, waitMsMax: 60_000 } as const;

/**
 * Runs the callback in a new global transaction, commits it, and gives the callback's value. Inside
 * another transaction it joins that one instead: the outer one decides, the options are ignored,
 * and a throw dooms the outer one even when it is caught.
 *
 * Rejects with what the callback threw; with the error of a branch that failed, even when it was
 * caught; with `signal.reason`; or with SettleError ROLLED_BACK (the deadline won; `cause` tells),
 * UNKNOWN (it may still commit: ask `settle.get(gid)`), UNREACHABLE and other codes of the begin
 * or the commit, which then was not taken: it rolls back at its deadline.
 */
export async function runTransaction<T>(
  client: Client,
  options: TransactionOptions,
  callback: (tx: TransactionContext) => T | Promise<T>,
): Promise<T> {
  const outer = currentScope();
  if (outer !== undefined) return joinOuter(outer, callback);
  const plan = planOf(options);
  plan.signal?.throwIfAborted();
  const { tracer } = client;
  if (tracer === null) return runNew(client, plan, callback);
  const attributes = { 'settle.gid': plan.gid, 'settle.mode': 'transaction' };
  const span = { name: `settle.transaction ${plan.name}`, kind: 'internal', attributes } as const;
  return inSpan(tracer, span, ({ traceparent }) =>
    runNew(client, { ...plan, traceparent }, callback),
  );
}

async function runNew<T>(
  client: Client,
  plan: Plan,
  callback: (tx: TransactionContext) => T | Promise<T>,
): Promise<T> {
  const global = new OpenTransaction(client, plan);
  const work = runBranches(global, callback);
  let value: T;
  try {
    value = await untilAborted(plan.signal, work);
    if (global.loneCommit === null) plan.signal?.throwIfAborted();
  } catch (thrown) {
    const error = reasonFor(global, thrown);
    global.abort(error);
    await global.abandonLocals();
    if (global.loneCommit === null) {
      await rollBack(client, global, error, plan.signal?.aborted === true);
      throw error;
    }
    // Its commit, on one database alone, was on its way already: what became of it counts.
    value = await work;
  }
  global.end(isOver);
  await commit(client, global);
  return value;
}

/** What is refused because all is over by then is no reason: that is what ended it. */
function reasonFor({ branches }: OpenTransaction, thrown: unknown): unknown {
  const isRefusal = thrown instanceof SettleError && thrown.code === 'NO_TRANSACTION';
  return isRefusal && branches.doomed !== null ? branches.doomed.error : thrown;
}

/** Propagation "required": the code runs in the transaction that is there already. */
async function joinOuter<T>(
  outer: Scope,
  callback: (tx: TransactionContext) => T | Promise<T>,
): Promise<T> {
  try {
    return await callback(outer.context);
  } catch (error) {
    outer.branches.doom(error);
    throw error;
  }
}

/** The callback, and every call it started, awaited or not. Rejects when one of them failed. */
async function runBranches<T>(
  global: OpenTransaction,
  callback: (tx: TransactionContext) => T | Promise<T>,
): Promise<T> {
  const value = await runInScope(global, () => callback(global.context));
  await global.branches.settled();
  if (global.branches.doomed !== null) throw global.branches.doomed.error;
  await global.finishLocals();
  return value;
}

function untilAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (signal === undefined) return work;
  const { promise, reject } = Promise.withResolvers<never>();
  const aborted = (): void => reject(signal.reason);
  // The work has started: it may have aborted the signal itself, and that event is over.
  if (signal.aborted) aborted();
  else signal.addEventListener('abort', aborted, { once: true });
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', aborted));
}

function isOver(gid: Gid): SettleError {
  return new SettleError('INVALID_REQUEST', 'this transaction is over', { gid });
}

function planOf(options: TransactionOptions): Plan {
  const { gid, timeout = defaults.timeoutMs, waitMs = defaults.waitMs } = options;
  return {
    gid: gidGiven('gid', gid),
    name: options.name ?? 'transaction',
    timeoutMs: durationMs('timeout', timeout, {
      min: limits.timeoutMsMin,
      max: limits.timeoutMsMax,
    }),
    labels: options.labels,
    signal: options.signal,
    wait: options.wait ?? 'completed',
    waitMs: durationMs('waitMs', waitMs, { min: 0, max: defaults.waitMsMax }),
    traceparent: undefined,
  };
}
