/**
 * The barrier: the guard row that a participant writes in its own database, in the transaction of
 * the business code. Databases are behind `Barrier`; here are only the rules. Invariant: for one
 * (gid, branchId, operation) the business code takes effect at most once, and never after its
 * own cancel or undo. The insert comes first: whoever holds the row decides, everyone else waits
 * for it inside the database and then reads what became of it.
 *
 * ```
 *   try/run      insert own row ── taken ─► blocked: refused · done: the stored result
 *        └─ business, result, commit
 *   cancel/undo  insert FORWARD row as blocked ── it worked ─► commit: nothing had happened
 *        └─ taken ─► blocked: done · done: insert own row ── taken ─► done
 *                                               └─ business, commit
 *   confirm      insert own row ── taken ─► done
 *        └─ forward row is done? no: refused, rolled back · yes: business, commit
 * ```
 */
import { SettleError, TerminalError } from '../errors.ts';
import {
  type BranchId,
  type Call,
  type CallAnswer,
  type Gid,
  isGid,
  type Json,
  type Operation,
} from '../protocol/index.ts';
import { answerOfError, encodeResult } from './answer.ts';

/** `blocked`: a forward row that was taken by its cancel or undo before it came itself. */
export type BarrierState = 'done' | 'blocked';

/** The operations that business code takes part in; those of at branches belong to resources. */
export type GuardedOperation = Exclude<Operation, 'commit' | 'rollback'>;

/** A call of a tcc method or of a step. */
export interface GuardedCall extends Call {
  readonly operation: GuardedOperation;
}

/** Primary key of a row of `settle_barrier`. */
export interface BarrierKey {
  readonly gid: Gid;
  readonly branchId: BranchId;
  /** `prepare`: the local transaction of an at branch; a resource writes it into its own commit. */
  readonly operation: Operation | 'prepare';
}

/** What is read back of a row. */
export interface BarrierRow {
  readonly operation: string;
  readonly state: string;
  /** JSON text; null stands for the result null. */
  readonly result: string | null;
}

/** One open transaction of the participant's database, as the rules need it. */
export interface LocalTransaction<Trx> {
  /** What the business code gets. */
  readonly trx: Trx;
  /**
   * Inserts the row. False when it is taken by a committed transaction; waits as long as an open
   * one holds it. Must not end the transaction when the row is taken.
   */
  insert(key: BarrierKey, state: BarrierState): Promise<boolean>;
  /** Rows of the branch (at most three), including one that `insert` has just waited for. */
  read(gid: Gid, branchId: BranchId): Promise<readonly BarrierRow[]>;
  /**
   * Called after the business code: keeps the result in the row unless it is null, and throws
   * when the database has silently ended the transaction that the row was inserted in.
   */
  finish(key: BarrierKey, result: string | null): Promise<void>;
}

/** A participant's database. Implementations live in `databases/`; your own may follow them. */
export interface Barrier<Trx> {
  /**
   * Runs `work` in one local transaction and commits it; a throw of `work` rolls back and is
   * rethrown. Isolation is READ COMMITTED or stricter. When the commit itself throws, its outcome
   * is unknown: the next call of the same operation finds the row, or does not.
   */
  transact<T>(work: (local: LocalTransaction<Trx>) => Promise<T>): Promise<T>;
}

/** The business code of one operation; `forward` is the result of its try or run. */
export type Work<Trx> = (trx: Trx, forward: Json | undefined) => unknown;

const forwardOperations = {
  try: 'try',
  confirm: 'try',
  cancel: 'try',
  run: 'run',
  undo: 'run',
} as const satisfies Record<GuardedOperation, GuardedOperation>;

/** The operation whose effect this one keeps or takes back: `try` for tcc, `run` for steps. */
export function forwardOf(operation: GuardedOperation): 'try' | 'run' {
  return forwardOperations[operation];
}

/** Whether the barrier has rules for this call. */
export function isGuarded(call: Call): call is GuardedCall {
  return Object.hasOwn(forwardOperations, call.operation);
}

/**
 * Performs a call at most once. Never rejects: errors of the business code and of the database
 * become answers. A lost commit is `unknown`, and asking again tells the truth.
 */
export async function guard<Trx>(
  barrier: Barrier<Trx>,
  call: GuardedCall,
  work: Work<Trx>,
): Promise<CallAnswer> {
  try {
    if (!isGid(call.gid)) throw new TerminalError('the gid is outside its grammar');
    return await barrier.transact((local) => pass(local, call, work));
  } catch (error) {
    return answerOfError(error);
  }
}

function pass<Trx>(
  local: LocalTransaction<Trx>,
  call: GuardedCall,
  work: Work<Trx>,
): Promise<CallAnswer> {
  switch (call.operation) {
    case 'try':
    case 'run':
      return passForward(local, call, work);
    case 'confirm':
      return passConfirm(local, call, work);
    case 'cancel':
    case 'undo':
      return passBackward(local, call, work);
    default:
      throw new TerminalError(`unknown operation "${call.operation satisfies never}"`);
  }
}

async function passForward<Trx>(
  local: LocalTransaction<Trx>,
  call: GuardedCall,
  work: Work<Trx>,
): Promise<CallAnswer> {
  const own = keyOf(call, call.operation);
  if (!(await local.insert(own, 'done'))) {
    const row = rowOf(await readBranch(local, call), call.operation);
    if (row.state === 'blocked') {
      throw new SettleError('BARRIER_BLOCKED', `${call.operation} came after its own undoing`);
    }
    return done(storedResult(row));
  }
  const { value, text } = encodeResult(await work(local.trx, undefined));
  await local.finish(own, text);
  return done(value);
}

async function passConfirm<Trx>(
  local: LocalTransaction<Trx>,
  call: GuardedCall,
  work: Work<Trx>,
): Promise<CallAnswer> {
  const own = keyOf(call, 'confirm');
  if (!(await local.insert(own, 'done'))) return done(null);
  const rows = await readBranch(local, call);
  const forward = rows.find((row) => row.operation === 'try');
  // Both throw so that the row just inserted goes away again: nothing is written.
  if (forward?.state !== 'done') {
    throw new TerminalError(
      `confirm without a try in this database: ${forward === undefined ? 'is it the wrong one?' : 'it was cancelled'}`,
    );
  }
  refuseAfter('cancel', rows);
  await work(local.trx, storedResult(forward));
  await local.finish(own, null);
  return done(null);
}

async function passBackward<Trx>(
  local: LocalTransaction<Trx>,
  call: GuardedCall,
  work: Work<Trx>,
): Promise<CallAnswer> {
  const forward = forwardOf(call.operation);
  // This insert waits for a forward operation that is still open, so both orders end well.
  if (await local.insert(keyOf(call, forward), 'blocked')) return done(null);
  const rows = await readBranch(local, call);
  const forwardRow = rowOf(rows, forward);
  if (forwardRow.state === 'blocked') return done(null);
  refuseAfter('confirm', rows);
  const own = keyOf(call, call.operation);
  if (!(await local.insert(own, 'done'))) return done(null);
  await work(local.trx, storedResult(forwardRow));
  await local.finish(own, null);
  return done(null);
}

/**
 * A decision never changes, so confirm and cancel of one branch cannot both be asked. Should a
 * coordinator ever come back with an old copy of its log, this stops it where the money is. It
 * costs no round trip; two at the very same moment are not seen, which the coordinator prevents.
 */
function refuseAfter(opposite: GuardedOperation, rows: readonly BarrierRow[]): void {
  if (rows.some((row) => row.operation === opposite)) {
    throw new TerminalError(`the branch has its ${opposite} already: a decision never changes`);
  }
}

function keyOf(call: Call, operation: GuardedOperation): BarrierKey {
  return { gid: call.gid, branchId: call.branchId, operation };
}

function readBranch<Trx>(local: LocalTransaction<Trx>, call: Call): Promise<readonly BarrierRow[]> {
  return local.read(call.gid, call.branchId);
}

function rowOf(rows: readonly BarrierRow[], operation: GuardedOperation): BarrierRow {
  const row = rows.find((candidate) => candidate.operation === operation);
  // Taken, yet not there: the database reads from a snapshot older than the row. Asked again, the
  // snapshot is newer; so this is `unknown`, never an answer.
  if (row === undefined) throw new Error(`the barrier row of ${operation} is not visible yet`);
  return row;
}

function storedResult(row: BarrierRow): Json {
  // The row was written by `finish` from a checked value: this is where JSON text becomes Json.
  return row.result === null ? null : (JSON.parse(row.result) as Json);
}

function done(result: Json): CallAnswer {
  return { outcome: 'done', result };
}
