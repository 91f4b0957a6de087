/**
 * One global transaction that this process has started, from its first branch to its end: what is
 * known of it, who looks at its signal, what its hooks are. What happens when lives in
 * `transaction.ts`. Invariant: once it is over it holds no timer and no listener.
 */
import { type BranchCaller, type BranchOwner, createBranchCaller } from './branch-caller.ts';
import type { Client } from './client.ts';
import { type Scope, type TransactionContext, traceHeader } from './context.ts';
import type { Hook, Undecided } from './decision.ts';
import { SettleError } from './errors.ts';
import {
  type BeginRequest,
  type BranchSpec,
  contextHeaders,
  type Gid,
  type Phase,
  type Traceparent,
  type Tracer,
  type TransactionAnswer,
} from './protocol/index.ts';
import type { LoneCommit } from './resource/local-transaction.ts';
import { Locals } from './resource/locals.ts';

/** The options of a transaction, checked and complete. */
export interface Plan {
  readonly gid: Gid;
  readonly name: string;
  readonly timeoutMs: number;
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly signal: AbortSignal | undefined;
  readonly wait: 'completed' | 'decided';
  readonly waitMs: number;
  /** Of its span, if it has one: what comes of it belongs there. */
  readonly traceparent: Traceparent | undefined;
}

/** Node's timers take no longer delay. */
const timerMsMax = 2_147_483_647;

/**
 * The transaction. Most callbacks never look at its signal, so the signal, and the timer of the
 * deadline that it tells of, are made when somebody does.
 */
export class OpenTransaction implements Scope, Undecided, BranchOwner {
  readonly gid: Gid;
  readonly plan: Plan;
  readonly branches: BranchCaller;
  readonly tracer: Tracer | null;
  readonly context: TransactionContext;
  readonly hooks: Hook[] = [];
  /** As last heard from the coordinator. */
  phase: Phase = 'active';
  #controller: AbortController | null = null;
  /** Why it failed, for a signal that is asked for later. */
  #failure: { readonly error: unknown } | null = null;
  /** When the begin was answered, on the clock of `performance.now()`. */
  #begunAtMs: number | null = null;
  #deadline: NodeJS.Timeout | undefined;
  #locals: Locals | null = null;
  #localsDeadline: NodeJS.Timeout | undefined;
  #isOver = false;
  readonly #aborted: (() => void) | null = null;

  constructor(client: Client, plan: Plan) {
    this.gid = plan.gid;
    this.plan = plan;
    this.tracer = client.tracer;
    this.branches = createBranchCaller(client, this);
    this.context = new InitiatorContext(this);
    const { signal } = plan;
    if (signal === undefined) return;
    this.#aborted = () => this.#fail(signal.reason);
    signal.addEventListener('abort', this.#aborted, { once: true });
  }

  begin(branches: readonly BranchSpec[]): BeginRequest {
    const { gid, name, timeoutMs, labels, traceparent } = this.plan;
    const plain = { gid, name, timeoutMs, branches };
    const body = traceparent === undefined ? plain : { ...plain, traceparent };
    return labels === undefined ? body : { ...body, labels };
  }

  answered(answer: TransactionAnswer): void {
    this.phase = answer.phase;
    this.#begunAtMs ??= performance.now();
    this.#watchDeadline();
  }

  /** As users see it: `TransactionContext.signal`. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#failure !== null) this.#controller.abort(this.#failure.error);
      else this.#watchDeadline();
    }
    return this.#controller.signal;
  }

  /**
   * Most transactions have none: made when the first resource asks. From then on the deadline is kept
   * here, too: for one that is alone nobody else does, and what is decided to roll back elsewhere may
   * need the very rows that our local transactions hold.
   */
  get locals(): Locals {
    if (this.#locals === null) {
      this.#locals = new Locals(this.gid, this.branches);
      const ms = Math.min(this.plan.timeoutMs, timerMsMax);
      if (!this.#isOver) this.#localsDeadline = setTimeout(this.#localsAreLate, ms);
    }
    return this.#locals;
  }

  readonly #localsAreLate = (): void => {
    const error = deadlinePassed(this.gid, this.plan.timeoutMs);
    this.branches.doom(error);
    this.#fail(error);
    void this.abandonLocals();
  };

  /** Commits what resources have done, as branches, or alone when the coordinator knows of nothing. */
  async finishLocals(): Promise<void> {
    clearTimeout(this.#localsDeadline);
    await this.#locals?.finish(this.branches.knowledge === 'none');
  }

  /** What became of the commit on one database alone; null: there was none, or it did not happen. */
  get loneCommit(): LoneCommit | null {
    return this.#locals?.loneCommit ?? null;
  }

  /** Takes back what resources have not committed. Never throws. */
  async abandonLocals(): Promise<void> {
    await this.#locals?.abandon();
  }

  /** No more branches, no more timers. Later calls of branches reject with what `why` makes. */
  end(why: (gid: Gid) => unknown): void {
    this.#isOver = true;
    this.branches.end(why);
    clearTimeout(this.#deadline);
    clearTimeout(this.#localsDeadline);
    if (this.#aborted !== null) this.plan.signal?.removeEventListener('abort', this.#aborted);
  }

  /** The same, and whoever listens to the signal hears that it is over. */
  abort(error: unknown): void {
    this.end(() => error);
    this.#fail(error);
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#controller?.abort(error);
  }

  /**
   * The coordinator started its clock earlier than we do: when this fires, its deadline has passed,
   * and only this initiator could have committed. So it is certain to roll back.
   */
  #watchDeadline(): void {
    const begunAtMs = this.#begunAtMs;
    if (this.#isOver || this.#controller === null || begunAtMs === null) return;
    if (this.#deadline !== undefined) return;
    const { gid, timeoutMs } = this.plan;
    const passed = (): void => this.#fail(deadlinePassed(gid, timeoutMs));
    const leftMs = begunAtMs + timeoutMs - performance.now();
    if (leftMs <= 0) passed();
    else this.#deadline = setTimeout(passed, Math.min(Math.ceil(leftMs), timerMsMax));
  }
}

function deadlinePassed(gid: Gid, timeoutMs: number): SettleError {
  return new SettleError('ROLLED_BACK', `the deadline of ${timeoutMs} ms has passed`, { gid });
}

/** Its functions are getters so that they can be taken out of it like those of any other context. */
class InitiatorContext implements TransactionContext {
  readonly gid: Gid;
  readonly branchId = null;
  readonly #transaction: OpenTransaction;

  constructor(transaction: OpenTransaction) {
    this.gid = transaction.gid;
    this.#transaction = transaction;
  }

  get phase(): Phase {
    return this.#transaction.phase;
  }

  get signal(): AbortSignal {
    return this.#transaction.signal;
  }

  get headers(): TransactionContext['headers'] {
    const { gid, branches, tracer } = this.#transaction;
    return async () => {
      await branches.begun();
      return { [contextHeaders.gid]: gid, ...traceHeader(tracer) };
    };
  }

  get afterCommit(): TransactionContext['afterCommit'] {
    const { hooks } = this.#transaction;
    return (run) => void hooks.push({ direction: 'commit', run });
  }

  get afterRollback(): TransactionContext['afterRollback'] {
    const { hooks } = this.#transaction;
    return (run) => void hooks.push({ direction: 'rollback', run });
  }
}
