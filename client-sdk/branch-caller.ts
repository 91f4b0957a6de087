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
  call<T>(work: (enlist: Enlist) => Promise<T>): Promise<T>;
  /** Resolves when the begin is durable; sends it, if that has not happened yet. */
  begun(): Promise<void>;
  /** Resolves when no begin is under way, whatever became of it. */
  beginEnded(): Promise<void>;
  /** It cannot commit any more, because of this error. The first one stays. */
  doom(error: unknown): void;
  readonly doomed: { readonly error: unknown } | null;
  /** Resolves when every call so far has ended, well or not. */
  settled(): Promise<void>;
  /** Takes no more calls; those that were not sent yet and later ones reject with this error. */
  end(error: unknown): void;
  /** What the coordinator may know of it. `unknown`: the begin was sent, its answer was lost. */
  readonly knowledge: 'none' | 'beginning' | 'begun' | 'unknown';
}

/** Resolves with the branch's id once its registration is durable. */
export type Enlist = (spec: BranchSpec) => Promise<BranchId>;

/** Settings of a branch caller. */
export interface BranchCallerOptions {
  readonly gid: Gid;
  /** How it begins, with the first branches; null when it was begun elsewhere. */
  readonly begin: Omit<BeginRequest, 'branches'> | null;
  /** Told of every answer of the coordinator. */
  readonly answered: (answer: TransactionAnswer) => void;
}

interface Waiting {
  readonly spec: BranchSpec;
  readonly resolve: (branchId: BranchId) => void;
  readonly reject: (error: unknown) => void;
}

/** Nothing is sent before the first call. */
export function createBranchCaller(client: Client, options: BranchCallerOptions): BranchCaller {
  const { gid, begin, answered } = options;
  const timeouts = { timeoutMs: client.requestTimeoutMs };
  const running = new Set<Promise<unknown>>();
  let waiting: Waiting[] = [];
  let beginning: Promise<TransactionAnswer> | null = null;
  let knowledge: BranchCaller['knowledge'] = begin === null ? 'begun' : 'none';
  let isScheduled = false;
  let doomed: { readonly error: unknown } | null = null;
  let ended: { readonly error: unknown } | null = null;

  function sendBegin(branches: readonly BranchSpec[]): Promise<TransactionAnswer> {
    knowledge = 'beginning';
    beginning = client.channel.request('begin', { gid, ...begin, branches }, timeouts);
    beginning.then(
      () => {
        knowledge = 'begun';
      },
      (error: unknown) => {
        knowledge = isUntaken(error) ? 'none' : 'unknown';
      },
    );
    return beginning;
  }

  async function register(branches: readonly BranchSpec[]): Promise<TransactionAnswer> {
    await beginning;
    const body = { gid, request: randomUUID(), branches };
    return client.channel.request('register', body, timeouts);
  }

  /** One begin or one registration for all that wait. Never rejects: each of them is told. */
  async function flush(): Promise<void> {
    isScheduled = false;
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) return;
    const specs = batch.map((one) => one.spec);
    try {
      const isFirst = begin !== null && beginning === null;
      const answer = await (isFirst ? sendBegin(specs) : register(specs));
      const branchIds = await takeAnswer(answer, batch.length);
      batch.forEach((one, index) => {
        one.resolve(branchIds[index] ?? 0);
      });
    } catch (error) {
      for (const one of batch) one.reject(error);
    }
  }

  async function takeAnswer(
    answer: TransactionAnswer,
    count: number,
  ): Promise<readonly BranchId[]> {
    const branchIds = answer.branchIds ?? [];
    if (branchIds.length !== count) {
      throw new SettleError('INTERNAL', 'the answer has another number of branch ids', { gid });
    }
    answered(answer);
    if (answer.phase === 'committing' || answer.phase === 'committed') {
      throw new SettleError('ALREADY_COMMITTED', 'by an earlier run with this gid', { gid });
    }
    // The deadline may have come before a begin that had to be sent again: no try may run then.
    if (answer.phase !== 'active') throw await askWhyRolledBack(client, gid);
    return branchIds;
  }

  async function translated(error: unknown): Promise<unknown> {
    const isLate = error instanceof SettleError && error.code === 'ALREADY_ROLLED_BACK';
    return isLate ? askWhyRolledBack(client, gid) : error;
  }

  function enlist(spec: BranchSpec): Promise<BranchId> {
    if (ended !== null) return Promise.reject(ended.error);
    const { promise, resolve, reject } = Promise.withResolvers<BranchId>();
    waiting.push({ spec, resolve, reject });
    if (!isScheduled) {
      isScheduled = true;
      atEndOfMicrotasks(() => void flush());
    }
    return promise;
  }

  async function attempt<T>(work: (enlist: Enlist) => Promise<T>): Promise<T> {
    try {
      return await work(enlist);
    } catch (error) {
      const reason = await translated(error);
      doomed ??= { error: reason };
      throw reason;
    }
  }

  return {
    call(work) {
      const outcome = attempt(work);
      running.add(outcome);
      const over = (): unknown => running.delete(outcome);
      outcome.then(over, over);
      return outcome;
    },
    async begun() {
      if (knowledge === 'begun') return;
      if (ended !== null) throw ended.error;
      if (waiting.length > 0) void flush();
      beginning ??= sendBegin([]);
      answered(await beginning);
    },
    async beginEnded() {
      await Promise.allSettled([beginning]);
    },
    doom(error) {
      doomed ??= { error };
    },
    get doomed() {
      return doomed;
    },
    async settled() {
      while (running.size > 0) await Promise.allSettled(running);
    },
    end(error) {
      ended ??= { error };
      const batch = waiting;
      waiting = [];
      for (const one of batch) one.reject(error);
    },
    get knowledge() {
      return knowledge;
    },
  };
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
