/**
 * The one local transaction that a resource has in a global transaction of this process, from its
 * first statement to its end.
 *
 * ```
 *  open ──run*──► open ──close──► closed ──insertUndo──► prepared ──commitPhaseOne──► over
 *    │                              └── alone: no holder of others ──commit─────────► over
 *    └── a statement failed ─► failed (rollback to a savepoint heals it) ──rollback─► over
 * ```
 * With eager commits it commits as a branch whenever the user's own transaction does, or after a
 * statement outside of one, and begins anew with the next statement.
 * Invariants: every row that it has changed is in its steps, with the image it had before; nothing
 * is committed after a failure, or with a row of another gid that is not decided to commit.
 */
import { SettleError } from '../errors.ts';
import type { Gid } from '../protocol/index.ts';
import { giveBack } from './acquire.ts';
import type { HeldConnection, UserStatement } from './database.ts';
import { isWordOfDatabase } from './database-error.ts';
import type { BranchKey, CommitAtOnce, Dialect, PhaseOne } from './dialect.ts';
import type { Session } from './facts.ts';
import { Journal } from './journal.ts';
import { Line } from './line.ts';
import type { LocalSpans } from './local-spans.ts';
import { unsupported } from './refusal.ts';
import { runStatement } from './run-statement.ts';
import type { Owner, Turns } from './turns.ts';
import type { Holder } from './undo-store.ts';
import type { LocalWaits } from './waits.ts';

/** What a local transaction is made of. */
export interface LocalTransactionPorts<Native> {
  readonly gid: Gid;
  readonly dialect: Dialect;
  readonly connection: HeldConnection<Native>;
  readonly turns: Turns;
  readonly waits: LocalWaits;
  /**
   * Resolves when the other gid is decided to commit. Rejects with LOCK_CONFLICT when it rolls back
   * or is not decided in time.
   */
  readonly untilCommitted: (holder: Holder) => Promise<void>;
  /** Told before each statement that changes or locks rows, unless it commits eagerly. */
  readonly willWrite: (local: Writer) => void;
  /** Null: it commits at the end of the scope. */
  readonly eager: EagerCommits | null;
  /** Null: nobody looks. */
  readonly spans: LocalSpans | null;
}

/** A local transaction, as who hears of its writes sees it. */
export type Writer = Pick<LocalTransaction<unknown>, 'isFree'>;

/** How a commit without the coordinator ended. */
export type LoneCommit = 'committed' | 'unknown';

/** What a local transaction needs that commits whenever the user's own does. */
export interface EagerCommits {
  /** Begins anew on the same connection. */
  begin(): Promise<void>;
  /** Registers a branch, durably, and works for it; a failure dooms the global transaction. */
  asBranch(work: (branch: BranchKey) => Promise<void>): Promise<void>;
  /** Finds out what became of a commit whose answer was lost. */
  settlePhaseOne(branch: BranchKey): Promise<PhaseOne>;
}

/** Times that the locks of others are looked at before it is given up: each time somebody was faster. */
const conflictsMax = 16;

/** One local transaction; begun already. */
export class LocalTransaction<Native> {
  readonly #ports: LocalTransactionPorts<Native>;
  readonly #journal = new Journal();
  readonly #line: Line<Native>;
  /** Whether the database has a transaction of ours open. */
  #isBegun = true;
  #isClosed = false;
  #isOver = false;
  /** From the moment on when somebody wants it rolled back. */
  #isGivenUp = false;
  /** What its end has sent last. */
  #sent: Promise<unknown> = Promise.resolve();
  #isLetGo = false;
  #loneCommit: LoneCommit | null = null;

  constructor(ports: LocalTransactionPorts<Native>) {
    this.#ports = ports;
    const willWrite = (): void => ports.willWrite(this);
    this.#line = new Line({ ...ports, journal: this.#journal, willWrite });
  }

  /** What became of {@link commitAlone}; null: nothing of it is committed, or ever will be. */
  get loneCommit(): LoneCommit | null {
    return this.#loneCommit;
  }

  /** Whether it has changed or locked rows. */
  get hasSteps(): boolean {
    return this.#journal.steps.length > 0;
  }

  /** Whether nothing has failed and nobody can be in the way of what it has changed, until its end. */
  get isFree(): boolean {
    return this.#journal.isFree;
  }

  /**
   * Runs the user's statement and answers as his driver does. Throws what the driver throws,
   * AT_UNSUPPORTED_SQL before anything ran, LOCK_CONFLICT when the database gave up waiting.
   */
  run<Result>(owner: Owner, statement: UserStatement<Native, Result>): Promise<Result> {
    return this.#ports.turns.run(owner, async () => {
      if (this.#isClosed) throw overError();
      await this.#beginAgain();
      let result: Result;
      try {
        result = await runStatement(this.#line, { turns: this.#ports.turns, owner }, statement);
      } catch (error) {
        await this.#commitEagerly();
        throw error;
      }
      await this.#commitEagerly();
      return result;
    });
  }

  /** As the driver gives it, for what is no statement. */
  get native(): Native {
    return this.#ports.connection.native;
  }

  /** This owner is gone. What it has begun and not ended is taken back. */
  leave(owner: object): void {
    const { turns, connection, dialect } = this.#ports;
    const { begun } = this.#journal;
    if (!turns.isHeldBy(owner) || begun === undefined) return;
    const takenBack = turns.run(owner, async () => {
      try {
        await this.#line.failing(connection.query(dialect.statements.rollbackTo(begun.name)));
        this.#journal.heal(begun.name);
      } finally {
        this.#journal.forgetSavepoints();
        turns.free(owner);
      }
      await this.#commitEagerly();
    });
    takenBack.catch(nothing);
  }

  /**
   * Lets what was sent so far end, awaited by its sender or not, and takes no more: nothing of the
   * user's may run once the undo rows are written. Throws when a `begin` has no end.
   */
  async close(): Promise<void> {
    const { turns } = this.#ports;
    await turns.idle();
    const isHeld = turns.isHeld;
    this.#isClosed = true;
    turns.freeAll();
    if (!isHeld) return;
    const error = unsupported(
      'a local transaction that is open when the work ends',
      'await its commit or rollback',
    );
    this.#journal.fail(error);
    throw error;
  }

  /** Writes the undo rows, and with them takes the global locks. Throws as {@link run} does. */
  insertUndo(branch: BranchKey): Promise<void> {
    const { spans } = this.#ports;
    if (spans === null) return this.#insertUndo(branch);
    return spans.step('prepare', branch.branchId, () => this.#insertUndo(branch));
  }

  async #insertUndo(branch: BranchKey): Promise<void> {
    const { dialect } = this.#ports;
    this.#journal.refuseFailed();
    await this.#untilNoHolder(() =>
      dialect.undo.insert(this.#line.waiting, branch, this.#journal.steps),
    );
  }

  /**
   * Commits as a plain local transaction, which leaves no undo rows, once none of others is in the
   * way. Throws as {@link run} does, and what the driver throws when nobody knows what became of it.
   */
  commitAlone(): Promise<void> {
    const { spans } = this.#ports;
    if (spans === null) return this.#commitAlone();
    return spans.step('commitAlone', null, () => this.#commitAlone());
  }

  async #commitAlone(): Promise<void> {
    const { dialect, connection, gid } = this.#ports;
    this.#journal.refuseFailed();
    await this.#untilNoHolder(async () => {
      // Of rows that are known to be free nobody has to ask.
      const rows = this.#journal.isFree ? [] : this.#journal.steps;
      try {
        const holders = await dialect.undo.commitUnlessHeld(connection, gid, rows);
        this.#isOver = holders.length === 0;
        if (this.#isOver) this.#loneCommit = 'committed';
        return holders;
      } catch (error) {
        // The database says why it did not commit; without a word of it nobody knows.
        if (!isWordOfDatabase(error)) this.#loneCommit = 'unknown';
        throw error;
      }
    });
    connection.release();
  }

  /**
   * Writes the undo rows and commits as this branch, all in one round trip; only when {@link isFree}.
   * False: the database has no way to do it, and nothing has happened. Throws as {@link run} does, and
   * when it is not known to have happened.
   */
  async commitAtOnce(branch: BranchKey): Promise<boolean> {
    const { dialect, spans } = this.#ports;
    const { commitAtOnce } = dialect;
    this.#journal.refuseFailed();
    if (commitAtOnce === null) return false;
    const commit = () => this.#commitAtOnce(commitAtOnce, branch);
    return spans === null ? commit() : spans.step('commit', branch.branchId, commit);
  }

  async #commitAtOnce(commitAtOnce: CommitAtOnce, branch: BranchKey): Promise<boolean> {
    const isCommitted = await this.#unlessGivenUp(async () => {
      try {
        this.#isOver = await commitAtOnce(this.#line.waiting, branch, this.#journal.steps);
        return this.#isOver;
      } catch (error) {
        // Only what was sent: once it is given up, the connection is somebody else's.
        await this.#letGo(error);
        throw error;
      }
    });
    if (isCommitted) this.#ports.connection.release();
    return isCommitted;
  }

  /** Commits as this branch. Throws when that is not known to have happened. */
  commitPhaseOne(branch: BranchKey): Promise<void> {
    return this.#end((connection) => this.#commitBranch(connection, branch));
  }

  /** Commits what has changed nothing. */
  async commit(): Promise<void> {
    this.#journal.refuseFailed();
    await this.#end(async (connection) => {
      if (this.#isBegun) await this.#ports.dialect.barrier.commit(connection);
    });
  }

  /** Never throws: a connection that cannot roll back is thrown away, and the database does it. */
  async rollback(): Promise<void> {
    if (this.#isOver) return;
    const { turns } = this.#ports;
    this.#isClosed = true;
    this.#isGivenUp = true;
    turns.freeAll();
    // What takes several round trips would send its rest after the rollback, into no transaction.
    await turns.idle();
    await this.#sent.catch(nothing);
    if (this.#isOver) return;
    const back = this.#end(async (connection) => {
      if (!this.#isBegun) return;
      const { spans } = this.#ports;
      const taken = () => connection.query('rollback');
      await (spans === null ? taken() : spans.step('rollback', null, taken));
    });
    await back.catch(nothing);
  }

  async #beginAgain(): Promise<void> {
    const { eager } = this.#ports;
    if (this.#isBegun || eager === null) return;
    await this.#line.failing(eager.begin());
    this.#isBegun = true;
  }

  /** Nothing is left open of what the user has ended. What failed is taken back, and is no more. */
  async #commitEagerly(): Promise<void> {
    const { eager, turns, connection, dialect } = this.#ports;
    if (eager === null || turns.isHeld) return;
    try {
      if (this.#journal.failure !== null) await connection.query('rollback');
      else if (this.hasSteps) await eager.asBranch((branch) => this.#commitAs(branch, eager));
      else await dialect.barrier.commit(connection);
    } catch (error) {
      await this.#letGo(error);
      throw error;
    }
    this.#journal.clear();
    this.#isBegun = false;
  }

  async #commitAs(branch: BranchKey, eager: EagerCommits): Promise<void> {
    const { connection } = this.#ports;
    await this.insertUndo(branch);
    try {
      await this.#commitBranch(connection, branch);
    } catch (error) {
      await this.#letGo(error);
      if ((await eager.settlePhaseOne(branch)) !== 'committed') throw error;
    }
  }

  #commitBranch(connection: Session, branch: BranchKey): Promise<void> {
    const { dialect, spans } = this.#ports;
    const commit = () => dialect.barrier.commitPhaseOne(connection, branch);
    return spans === null ? commit() : spans.step('commit', branch.branchId, commit);
  }

  async #end(work: (connection: Session) => Promise<void>): Promise<void> {
    const { connection } = this.#ports;
    if (this.#isOver) throw overError();
    this.#isOver = true;
    try {
      await work(connection);
      connection.release();
    } catch (error) {
      await this.#letGo(error);
      throw error;
    }
  }

  /** Takes back what may be open, and no more statements: nobody knows what the connection holds. */
  async #letGo(error: unknown): Promise<void> {
    const { connection } = this.#ports;
    if (this.#isLetGo) return;
    this.#isLetGo = true;
    this.#isClosed = true;
    this.#isOver = true;
    this.#isBegun = false;
    this.#journal.fail(error);
    await giveBack(connection, error);
  }

  async #untilNoHolder(look: () => Promise<readonly Holder[]>): Promise<void> {
    const { dialect, untilCommitted } = this.#ports;
    for (let round = 0; round < conflictsMax; round += 1) {
      const holders = await this.#unlessGivenUp(look);
      if (holders.length === 0) return;
      const gids = new Map(holders.map((holder) => [holder.gid, holder]));
      await Promise.all([...gids.values()].map(untilCommitted));
      await this.#unlessGivenUp(() => dialect.undo.clear(this.#line.waiting, [...gids.keys()]));
    }
    throw new SettleError('LOCK_CONFLICT', 'others were faster, again and again');
  }

  /** Between two of them it may be given up: then the connection is somebody else's. */
  async #unlessGivenUp<T>(send: () => Promise<T>): Promise<T> {
    if (this.#isGivenUp || this.#isOver) throw overError();
    const sent = this.#line.asLockConflict(send());
    this.#sent = sent;
    return await sent;
  }
}

function overError(): SettleError {
  return new SettleError('NO_TRANSACTION', 'its local transaction is over');
}

function nothing(): void {}
