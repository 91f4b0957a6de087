/**
 * Which global transaction the running code belongs to, and how that travels: by AsyncLocalStorage
 * inside a process, by headers between services. How branches are registered lives in
 * `branch-caller.ts`.
 *
 * The storage is the one value that this package makes at import: `currentTransaction()` has to
 * find the transaction with nothing in hand. It holds no state itself; every value belongs to the
 * call chain that set it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { BranchCaller } from './branch-caller.ts';
import { SettleError } from './errors.ts';
import { refuseReserved } from './gid.ts';
import {
  type BranchId,
  contextHeaders,
  type Gid,
  isGid,
  type Phase,
  type Tracer,
} from './protocol/index.ts';
import type { Locals } from './resource/locals.ts';

/** Headers that carry the context to another service, lower case. */
export type ContextHeaders = Readonly<Record<string, string>>;

/** Headers as they arrive: a gid itself, a `Headers` object, or Node's plain object. */
export type HeadersOrGid =
  | Gid
  | { get(name: string): string | null }
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/** The global transaction that the running code takes part in. */
export interface TransactionContext {
  readonly gid: Gid;
  /** The branch whose `try` this code is; null in the initiator's own code. */
  readonly branchId: BranchId | null;
  /** As last heard from the coordinator; `active` until the decision is known. */
  readonly phase: Phase;
  /**
   * Aborts when the transaction can no longer commit: it failed, its caller aborted it, or its
   * deadline has passed. Hand it to slow calls. In a joined transaction it never aborts.
   */
  readonly signal: AbortSignal;
  /**
   * Headers for a request to another service. Resolves when the begin is durable, so that the
   * receiver can register branches at once. Rejects with the SettleError of a failed begin.
   */
  headers(): Promise<ContextHeaders>;
  /**
   * Called once the commit decision is known, before `transaction()` returns; awaited, in the
   * order of registration. What it throws is logged: the transaction stays committed. It runs at
   * most once: a process that dies takes its hooks with it. INVALID_REQUEST in a joined
   * transaction, whose outcome this process doesn't learn.
   */
  afterCommit(hook: () => unknown): void;
  /** The same for a rollback, once it is known to be decided. */
  afterRollback(hook: () => unknown): void;
}

/** What the storage holds: the context as users see it, and the way to add branches to it. */
export interface Scope {
  readonly context: TransactionContext;
  readonly branches: BranchCaller;
  /** Local transactions of resources, which end with it. */
  readonly locals: Locals;
  /** Of a try that runs in its caller's process: told what the handler threw. */
  failed?(error: unknown): void;
}

const storage = new AsyncLocalStorage<Scope | undefined>();

/** The global transaction that the running code takes part in, if any. */
export function currentTransaction(): TransactionContext | undefined {
  return storage.getStore()?.context;
}

/** As {@link currentTransaction}, for the SDK itself. */
export function currentScope(): Scope | undefined {
  return storage.getStore();
}

/** Runs with this scope; `undefined` runs outside of any. */
export function runInScope<T>(scope: Scope | undefined, work: () => T): T {
  // A run makes a map of all storages of the process: none for what is outside already.
  if (scope === undefined && storage.getStore() === undefined) return work();
  return storage.run(scope, work);
}

/**
 * The same transaction, seen from inside the `try` of one of its branches in this process. A class,
 * and its context another, because each branch makes one of them: what few handlers ask for is made
 * when they do.
 */
export class BranchScope implements Scope {
  readonly branches: BranchCaller;
  readonly #whole: Scope;
  readonly context: TransactionContext;
  /** What the handler threw; the answer to its call only keeps a text of it. */
  thrown: unknown;

  constructor(scope: Scope, branchId: BranchId) {
    this.branches = scope.branches;
    this.#whole = scope;
    this.context = new BranchContext(scope.context, branchId);
  }

  get locals(): Locals {
    return this.#whole.locals;
  }

  failed(error: unknown): void {
    this.thrown = error;
  }
}

/** Its functions are getters so that they can be taken out of it like those of any other context. */
class BranchContext implements TransactionContext {
  readonly gid: Gid;
  readonly branchId: BranchId;
  readonly #whole: TransactionContext;

  constructor(whole: TransactionContext, branchId: BranchId) {
    this.gid = whole.gid;
    this.branchId = branchId;
    this.#whole = whole;
  }

  get phase(): Phase {
    return this.#whole.phase;
  }

  get signal(): AbortSignal {
    return this.#whole.signal;
  }

  get headers(): TransactionContext['headers'] {
    return async () => ({
      ...(await this.#whole.headers()),
      [contextHeaders.branch]: `${this.branchId}`,
    });
  }

  get afterCommit(): TransactionContext['afterCommit'] {
    return this.#whole.afterCommit;
  }

  get afterRollback(): TransactionContext['afterRollback'] {
    return this.#whole.afterRollback;
  }
}

/**
 * The gid that the headers carry; null when they carry none. INVALID_REQUEST when it is no gid, or
 * one that no transaction can have.
 */
export function gidOf(from: HeadersOrGid): Gid | null {
  const value = typeof from === 'string' ? from : headerOf(from, contextHeaders.gid);
  if (value === null) return null;
  if (isGid(value)) {
    refuseReserved(value);
    return value;
  }
  const shown = JSON.stringify(value.slice(0, 80));
  throw new SettleError('INVALID_REQUEST', `${contextHeaders.gid} is ${shown}, which is not a gid`);
}

/** Where the running code is in a trace, for another service. */
export function traceHeader(tracer: Tracer | null): ContextHeaders {
  const traceparent = tracer?.active();
  return traceparent === undefined ? {} : { [contextHeaders.trace]: traceparent };
}

/** What {@link traceHeader} has sent along, not looked at yet. */
export function traceOf(from: HeadersOrGid): string | null {
  return typeof from === 'string' ? null : headerOf(from, contextHeaders.trace);
}

function headerOf(headers: Exclude<HeadersOrGid, string>, name: string): string | null {
  if (isHeadersObject(headers)) return headers.get(name);
  const value = headers[name];
  if (value === undefined) return null;
  return typeof value === 'string' ? value : (value[0] ?? null);
}

function isHeadersObject(
  headers: Exclude<HeadersOrGid, string>,
): headers is { get(name: string): string | null } {
  return typeof headers.get === 'function';
}
