/**
 * Branches of one global transaction, as one process adds them: registered in batches, then tried.
 * The decision lives in `transaction.ts`. Guards: no try before its registration is durable; a
 * branch that did not end well dooms the transaction, even when its error was caught.
 */
import { randomUUID } from 'node:crypto';
import { askWhyRolledBack, type Client } from './client.ts';
import { SettleError } from './errors.ts';
import type {
  BeginRequest,
  BranchId,
  BranchSpec,
  Gid,
  TransactionAnswer,
} from './protocol/index.ts';

/** Adds branches to one global transaction. */
export interface BranchCaller {
  /**
   * Performs one call: `work` checks its input, has the branch registered by `enlist` (calls of the
   * same tick share one begin or one registration), and tries it. Whatever it rejects with dooms
   * the transaction; a rejection that nobody awaits is told by `doomed` and by nothing else.
   */
  call<T>(work: (registry: Registry) => Promise<T>): Promise<T>;
  /** Resolves when the begin is durable; sends it, if that has not happened yet. */
  begun(): Promise<void>;
  /** Resolves when no begin is under way, whatever became of it. */
  beginEnded(): Promise<void>;
  /** It cannot commit any more, because of this error. The first one stays. */
  doom(error: unknown): void;
  readonly doomed: { readonly error: unknown } | null;
  /** Resolves when every call so far has ended, well or not. */
  settled(): Promise<void>;
  /**
   * Takes no more calls; those that were not sent yet and later ones reject with what `why` makes.
   * A function, because mostly there are none of them, and an error costs 5 µs for its stack.
   */
  end(why: (gid: Gid) => unknown): void;
  /** What the coordinator may know of it. `unknown`: the begin was sent, its answer was lost. */
  readonly knowledge: 'none' | 'beginning' | 'begun' | 'unknown';
}

/** Where a call has its branch registered. */
export interface Registry {
  /** Resolves with the branch's id once its registration is durable. */
  enlist(spec: BranchSpec): Promise<BranchId>;
}

/** The transaction whose branches they are. */
export interface BranchOwner {
  readonly gid: Gid;
  /** How it begins, with its first branches; null when it was begun elsewhere. */
  readonly begin: ((branches: readonly BranchSpec[]) => BeginRequest) | null;
  /** Told of every answer of the coordinator. */
  answered(answer: TransactionAnswer): void;
}

/** Nothing is sent before the first call. */
export function createBranchCaller(client: Client, owner: BranchOwner): BranchCaller {
  return new Branches(client, owner);
}

interface Waiting {
  readonly spec: BranchSpec;
  readonly resolve: (branchId: BranchId) => void;
  readonly reject: (error: unknown) => void;
}

/** A class, because each transaction makes one: its functions are made once. */
class Branches implements BranchCaller, Registry {
  doomed: { readonly error: unknown } | null = null;
  knowledge: BranchCaller['knowledge'];
  readonly #client: Client;
  readonly #owner: BranchOwner;
  #running = 0;
  /** Of those who wait until nothing runs. */
  #idle: PromiseWithResolvers<void> | null = null;
  #waiting: Waiting[] = [];
  #beginning: Promise<TransactionAnswer> | null = null;
  #isScheduled = false;
  #whyEnded: ((gid: Gid) => unknown) | null = null;

  constructor(client: Client, owner: BranchOwner) {
    this.#client = client;
    this.#owner = owner;
    this.knowledge = owner.begin === null ? 'begun' : 'none';
  }

  call<T>(work: (registry: Registry) => Promise<T>): Promise<T> {
    this.#running += 1;
    const outcome = work(this).catch(this.#fail);
    // Also what makes it a rejection that somebody has seen.
    outcome.then(this.#over, this.#over);
    return outcome;
  }

  async begun(): Promise<void> {
    if (this.knowledge === 'begun') return;
    if (this.#whyEnded !== null) throw this.#whyEnded(this.#owner.gid);
    if (this.#waiting.length > 0) void this.#flush();
    this.#beginning ??= this.#begin([]);
    this.#owner.answered(await this.#beginning);
  }

  async beginEnded(): Promise<void> {
    await Promise.allSettled([this.#beginning]);
  }

  doom(error: unknown): void {
    this.doomed ??= { error };
  }

  async settled(): Promise<void> {
    while (this.#running > 0) {
      this.#idle ??= Promise.withResolvers<void>();
      await this.#idle.promise;
      // What the end of a call leads to may be another call: let it come first.
      await null;
    }
  }

  end(why: (gid: Gid) => unknown): void {
    this.#whyEnded ??= why;
    if (this.#waiting.length === 0) return;
    const batch = this.#waiting;
    this.#waiting = [];
    const error = why(this.#owner.gid);
    for (const one of batch) one.reject(error);
  }

  enlist(spec: BranchSpec): Promise<BranchId> {
    if (this.#whyEnded !== null) return Promise.reject(this.#whyEnded(this.#owner.gid));
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      atEndOfMicrotasks(() => void this.#flush());
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ spec, resolve, reject });
    });
  }

  readonly #over = (): void => {
    this.#running -= 1;
    if (this.#running > 0) return;
    this.#idle?.resolve();
    this.#idle = null;
  };

  readonly #fail = async (error: unknown): Promise<never> => {
    const isLate = error instanceof SettleError && error.code === 'ALREADY_ROLLED_BACK';
    const reason = isLate ? await askWhyRolledBack(this.#client, this.#owner.gid) : error;
    this.doom(reason);
    throw reason;
  };

  /** One begin or one registration for all that wait. Never rejects: each of them is told. */
  async #flush(): Promise<void> {
    this.#isScheduled = false;
    const batch = this.#waiting;
    if (batch.length === 0) return;
    this.#waiting = [];
    try {
      const answer = await this.#send(batch.map((one) => one.spec));
      const branchIds = await this.#take(answer, batch.length);
      batch.forEach((one, index) => {
        one.resolve(branchIds[index] ?? 0);
      });
    } catch (error) {
      for (const one of batch) one.reject(error);
    }
  }

  #send(branches: readonly BranchSpec[]): Promise<TransactionAnswer> {
    const isFirst = this.#owner.begin !== null && this.#beginning === null;
    if (!isFirst) return this.#register(branches);
    this.#beginning = this.#begin(branches);
    return this.#beginning;
  }

  async #begin(branches: readonly BranchSpec[]): Promise<TransactionAnswer> {
    const { channel, requestTimeoutMs } = this.#client;
    const owner = this.#owner;
    this.knowledge = 'beginning';
    try {
      const body = owner.begin?.(branches) ?? { gid: owner.gid, branches };
      const answer = await channel.request('begin', body, { timeoutMs: requestTimeoutMs });
      this.knowledge = 'begun';
      return answer;
    } catch (error) {
      this.knowledge = isUntaken(error) ? 'none' : 'unknown';
      throw error;
    }
  }

  async #register(branches: readonly BranchSpec[]): Promise<TransactionAnswer> {
    await this.#beginning;
    const { channel, requestTimeoutMs } = this.#client;
    const body = { gid: this.#owner.gid, request: randomUUID(), branches };
    return channel.request('register', body, { timeoutMs: requestTimeoutMs });
  }

  async #take(answer: TransactionAnswer, count: number): Promise<readonly BranchId[]> {
    const { gid } = this.#owner;
    const client = this.#client;
    const branchIds = answer.branchIds ?? [];
    if (branchIds.length !== count) {
      throw new SettleError('INTERNAL', 'the answer has another number of branch ids', { gid });
    }
    this.#owner.answered(answer);
    if (answer.phase === 'committing' || answer.phase === 'committed') {
      throw new SettleError('ALREADY_COMMITTED', 'by an earlier run with this gid', { gid });
    }
    // The deadline may have come before a begin that had to be sent again: no try may run then.
    if (answer.phase !== 'active') throw await askWhyRolledBack(client, gid);
    return branchIds;
  }
}

/** Whether the coordinator certainly keeps nothing of a request that failed like this. */
function isUntaken(error: unknown): boolean {
  return error instanceof SettleError && error.code !== 'UNKNOWN' && error.code !== 'INTERNAL';
}

/**
 * Calls back when the code that runs now, and all the microtasks it leads to, have run: the earliest
 * point that still catches `Promise.all([a(), b()])` when a and b first go through a few promises
 * (a schema's validation). The tick is queued from a microtask because ticks that are queued from
 * other code run before the microtasks. `setImmediate` would catch the same, but the frame writer
 * already waits for one, and an immediate queued by an immediate costs another turn of the loop:
 * 310 against 190 µs for a whole transaction with the line to itself (medians of six runs, busy
 * machine); the processor time was the same.
 */
function atEndOfMicrotasks(callback: () => void): void {
  queueMicrotask(() => process.nextTick(callback));
}
