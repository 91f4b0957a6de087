/**
 * The local transactions that end with a scope: those of a global transaction in its initiator, or
 * of the work that joined one. Invariants: nothing is committed locally before every branch is
 * registered and every undo row is written; an outcome that is not known is looked up, never guessed.
 */
import type { BranchCaller } from '../branch-caller.ts';
import { SettleError } from '../errors.ts';
import type { BranchId, Gid, Participant } from '../protocol/index.ts';
import type { BranchKey, PhaseOne } from './dialect.ts';
import type { EagerCommits, LocalTransaction, LoneCommit, Writer } from './local-transaction.ts';
import { ScopeWaits } from './waits.ts';

/** A resource, as scopes use it. */
export interface LocalSource {
  readonly participant: Participant;
  /** Opens a local transaction; throws what the driver throws. */
  begin(scope: LocalScope): Promise<LocalTransaction<unknown>>;
  /** Looks up, and settles for good, what became of a commit whose answer was lost. */
  settlePhaseOne(branch: BranchKey): Promise<PhaseOne>;
}

/** What a local transaction has of its scope. */
export interface LocalScope {
  readonly gid: Gid;
  readonly asBranch: EagerCommits['asBranch'];
  /** Told before each statement that changes or locks rows, by the local transaction of it. */
  readonly willWrite: (local: Writer) => void;
  readonly waits: ScopeWaits;
}

interface Entry {
  readonly source: LocalSource;
  readonly local: LocalTransaction<unknown>;
}

/** The local transactions of one scope. */
export class Locals {
  readonly #gid: Gid;
  readonly #branches: BranchCaller;
  readonly #waits: ScopeWaits;
  readonly #opened = new Map<LocalSource, Promise<LocalTransaction<unknown>>>();
  readonly #writing = new Map<LocalSource, Writer>();
  readonly #registered = new Map<LocalSource, Promise<BranchId>>();
  #isOver = false;
  #alone: LocalTransaction<unknown> | null = null;

  constructor(gid: Gid, branches: BranchCaller) {
    this.#gid = gid;
    this.#branches = branches;
    // Before its begin nobody else knows of the gid.
    this.#waits = new ScopeWaits(gid, () => branches.knowledge !== 'none');
  }

  /** The one of this resource; opened when it is first asked for. */
  of(source: LocalSource): Promise<LocalTransaction<unknown>> {
    const known = this.#opened.get(source);
    if (known !== undefined) return known;
    if (this.#isOver) return Promise.reject(overError(this.#gid));
    const opening = source.begin({
      gid: this.#gid,
      asBranch: (work) => this.#asBranch(this.#enlist(source), work),
      willWrite: (local) => this.#willWrite(source, local),
      waits: this.#waits,
    });
    this.#opened.set(source, opening);
    // Who asked for it hears of it; who ends the scope must not fail again because of it.
    opening.catch(() => this.#opened.delete(source));
    return opening;
  }

  /**
   * The work has ended well: makes what was done locally durable, as branches. With `mayBeAlone`,
   * and when only one resource has changed anything, as a plain local transaction. After a throw
   * call {@link abandon}; what is durable by then, the global rollback takes back.
   */
  async finish(mayBeAlone: boolean): Promise<void> {
    this.#isOver = true;
    const entries = await this.#entries();
    await all(entries, ({ local }) => local.close());
    const writers = entries.filter(({ local }) => local.hasSteps);
    const readers = entries.filter(({ local }) => !local.hasSteps);
    await all(readers, ({ local }) => local.commit());
    const [alone] = writers;
    if (alone === undefined) return;
    if (mayBeAlone && writers.length === 1) {
      this.#alone = alone.local;
      return commitAlone(alone.local, this.#gid);
    }
    await this.#commitBranches(writers);
  }

  /** Of a resource that was alone, once {@link abandon} or {@link finish} has ended. */
  get loneCommit(): LoneCommit | null {
    return this.#alone?.loneCommit ?? null;
  }

  /** Rolls back what is open. Never throws; safe to repeat. */
  async abandon(): Promise<void> {
    this.#isOver = true;
    const openings = await Promise.allSettled(this.#opened.values());
    const opened = openings.filter((opening) => opening.status === 'fulfilled');
    await Promise.all(opened.map(({ value }) => value.rollback()));
  }

  async #entries(): Promise<readonly Entry[]> {
    const opened = [...this.#opened].map(async ([source, local]) => ({
      source,
      local: await local,
    }));
    return Promise.all(opened);
  }

  /**
   * Each in one round trip when nobody can be in the way of any. Otherwise in two, undo rows first, so
   * that a conflict on one of them finds none of them committed.
   */
  async #commitBranches(writers: readonly Entry[]): Promise<void> {
    const branches = new Map<Entry, BranchKey>();
    const isFree = writers.every(({ local }) => local.isFree);
    await all(writers, (entry) =>
      this.#asBranch(this.#register(entry.source), async (branch) => {
        if (isFree && (await commitAtOnce(entry, branch))) return;
        await entry.local.insertUndo(branch);
        branches.set(entry, branch);
      }),
    );
    await all([...branches], ([{ source, local }, branch]) =>
      this.#branches.call(() =>
        orCommitted(source, branch, () => local.commitPhaseOne(branch), undefined),
      ),
    );
  }

  /**
   * When a second resource writes, none of them will be alone, and a branch is needed for each: the
   * begin is on its way while the statements run, and rows are locked for less long. One that has
   * nothing to commit in the end is a branch without undo rows. Not so when a row may be held: our end
   * waits for somebody's decision then, and that must not come behind our begin in the log (on one hot
   * row that took a quarter of the rate).
   */
  #willWrite(source: LocalSource, local: Writer): void {
    if (this.#writing.has(source)) return;
    this.#writing.set(source, local);
    if (this.#writing.size === 1 && this.#branches.knowledge === 'none') return;
    if (![...this.#writing.values()].every(({ isFree }) => isFree)) return;
    for (const one of this.#writing.keys()) void this.#register(one);
  }

  /** Once for each; its branch is that of the commit at the end. */
  #register(source: LocalSource): Promise<BranchId> {
    const known = this.#registered.get(source);
    if (known !== undefined) return known;
    const registered = this.#enlist(source);
    this.#registered.set(source, registered);
    return registered;
  }

  #enlist({ participant }: LocalSource): Promise<BranchId> {
    const spec = { kind: 'at', participant, payload: null } as const;
    return this.#branches.call((registry) => registry.enlist(spec));
  }

  /** Its failure dooms the transaction: nobody knows how far it came. */
  #asBranch(
    registered: Promise<BranchId>,
    work: (branch: BranchKey) => Promise<void>,
  ): Promise<void> {
    return this.#branches.call(async () => {
      await work({ gid: this.#gid, branchId: await registered });
    });
  }
}

function commitAtOnce({ source, local }: Entry, branch: BranchKey): Promise<boolean> {
  return orCommitted(source, branch, () => local.commitAtOnce(branch), true);
}

/** A commit that failed may have happened: then it gives `committed`. */
async function orCommitted<T>(
  source: LocalSource,
  branch: BranchKey,
  commit: () => Promise<T>,
  committed: T,
): Promise<T> {
  try {
    return await commit();
  } catch (error) {
    if ((await source.settlePhaseOne(branch)) === 'committed') return committed;
    throw error;
  }
}

/** No branch, no undo rows, nothing for the coordinator to do. */
async function commitAlone(local: LocalTransaction<unknown>, gid: Gid): Promise<void> {
  try {
    await local.commitAlone();
  } catch (error) {
    if (local.loneCommit !== 'unknown') throw error;
    const detail = 'the answer to the local commit was lost: look for its rows';
    throw new SettleError('UNKNOWN', detail, { gid, cause: error });
  }
}

/** Waits for all of them, then throws the first error. */
async function all<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const outcomes = await Promise.allSettled(items.map(work));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

function overError(gid: Gid): SettleError {
  return new SettleError('INVALID_REQUEST', 'this transaction is over', { gid });
}
