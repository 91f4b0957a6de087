/**
 * Mode `transaction`: two phases, the initiator decides.
 *
 * ```
 *            register*                     confirm (at: commit) of every branch
 *  begin ──► active ──commit────────────► committing  ──────────► committed
 *              └─────rollback, deadline─► rollingBack ──────────► rolledBack
 *                                          cancel (at: rollback) of every branch
 * ```
 *
 * Invariant: phase-two effects exist only after the one `decided` record, and ask each branch what
 * its kind can do. Every registered branch is asked, also one whose phase one refused or never ran:
 * the participant's barrier makes that a no-op.
 */
import type {
  BranchId,
  BranchKind,
  Cause,
  Direction,
  Operation,
  Phase,
} from '../../../client-sdk/protocol/index.ts';
import { limits } from '../../../client-sdk/protocol/index.ts';
import { errorOf, shortDetail } from '../detail.ts';
import { type Effect, keyOf } from '../effect.ts';
import type { TxEvent } from '../event.ts';
import type { BranchRecord, DoneOperation, LogRecord } from '../record.ts';
import type { Branch, TwoPhase } from '../transaction.ts';
import {
  accepted,
  decisive,
  lazy,
  notAsked,
  nothing,
  refused,
  urgent,
  type Verdict,
} from '../verdict.ts';

type Event<K extends TxEvent['kind']> = Extract<TxEvent, { kind: K }>;
type Record<K extends LogRecord['kind']> = Extract<LogRecord, { kind: K }>;
type Later = Exclude<TxEvent, { kind: 'begin' | 'submit' | 'attention' }>;
type LaterRecord = Exclude<LogRecord, { kind: 'begun' | 'submitted' | 'attention' }>;

/** The rules of mode `transaction`: `begin` and `step` judge events, `begun` and `apply` build state. */
export const twoPhase = { begin, step, begun, apply, outstanding, branchIdsOf };

/** What phase two asks of a branch of each kind. */
const operations = {
  tcc: { commit: 'confirm', rollback: 'cancel' },
  at: { commit: 'commit', rollback: 'rollback' },
} as const satisfies { [kind in BranchKind]: { [direction in Direction]: Operation } };

function begin(event: Event<'begin'>): Verdict {
  const branches = numbered(event.branches, 0);
  if (branches.length > limits.branchesMax) return tooManyBranches();
  const { gid, name, content, epoch, labels, timeoutMs, traceparent, atMs } = event;
  const deadlineAtMs = timeoutMs === null ? null : atMs + timeoutMs;
  return urgent(
    {
      kind: 'begun',
      gid,
      name,
      content,
      epoch,
      labels,
      deadlineAtMs,
      traceparent,
      branches,
      atMs,
    },
    branches.map((branch) => branch.branchId),
  );
}

function step(tx: TwoPhase, event: Later): Verdict {
  switch (event.kind) {
    case 'register':
      return register(tx, event);
    case 'decide':
      return decide(tx, event);
    case 'deadline':
      if (tx.phase !== 'active') return nothing;
      return decisive({
        kind: 'decided',
        direction: 'rollback',
        cause: { kind: 'deadline' },
        atMs: event.atMs,
      });
    case 'results':
      return takeResults(tx, event);
    case 'settle':
      return settle(tx, event);
  }
}

function register(tx: TwoPhase, event: Event<'register'>): Verdict {
  const { request, content, atMs } = event;
  if (tx.phase !== 'active') return decidedOtherwise(tx.phase);
  // Own properties only: a request may be called `constructor`.
  if (Object.hasOwn(tx.requests, request)) {
    if (tx.requests[request] === content) return accepted(branchIdsOf(tx, request));
    return refused('CONFLICT', `register request ${request} was used before with other branches`);
  }
  const branches = numbered(event.branches, tx.branches.length);
  if (tx.branches.length + branches.length > limits.branchesMax) return tooManyBranches();
  return urgent(
    { kind: 'registered', request, content, branches, atMs },
    branches.map((branch) => branch.branchId),
  );
}

function decide(tx: TwoPhase, event: Event<'decide'>): Verdict {
  if (tx.phase !== 'active') {
    return directionOf(tx.phase) === event.direction ? accepted() : decidedOtherwise(tx.phase);
  }
  const cause: Cause = {
    kind: event.by ?? 'initiator',
    ...(event.reason === null ? {} : { detail: shortDetail(event.reason) }),
  };
  return urgent({ kind: 'decided', direction: event.direction, cause, atMs: event.atMs });
}

function takeResults(tx: TwoPhase, event: Event<'results'>): Verdict {
  const owed = new Map(outstanding(tx).map((effect) => [effect.branchId, effect.operation]));
  const open = event.results.filter((r) => owed.get(r.branchId) === r.operation);
  // `delete` lets only the first of two equal answers through.
  const done: DoneOperation[] = open
    .filter((r) => r.outcome === 'done' && owed.delete(r.branchId))
    .map(({ branchId, operation }) => ({ branchId, operation }));
  const { atMs } = event;
  if (done.length > 0) return lazy({ kind: 'done', done, atMs });
  // A refusal changes nothing about the decision: it is asked again, but a human should look.
  const refusal = open.find((result) => result.outcome === 'refused');
  if (refusal === undefined || tx.attention !== null) return nothing;
  const { branchId } = refusal;
  const detail = shortDetail(`${refusal.operation} was refused: ${errorOf(refusal)}`);
  return lazy({
    kind: 'attention',
    attention: { reason: 'refused', branchId, detail, atMs },
    atMs,
  });
}

function settle(tx: TwoPhase, event: Event<'settle'>): Verdict {
  if (tx.phase === 'active')
    return refused('NOTHING_OWED', 'it is not decided: roll it back first');
  const { owed, operator, atMs } = event;
  const { phase, branches } = tx;
  const open = outstanding(tx).filter((effect) => owed === null || effect.key === keyOf(owed));
  if (open.length === 0) {
    const isDone = ({ branchId, kind }: Branch) =>
      branchId === owed?.branchId && operations[kind][directionOf(phase)] === owed.operation;
    return owed === null || branches.some(isDone) ? accepted() : notAsked(owed);
  }
  const done = open.map(({ branchId, operation }) => ({ branchId, operation }));
  return urgent({ kind: 'done', done, operator, atMs });
}

function begun(record: Record<'begun'>): TwoPhase {
  const { gid, name, content, epoch, labels, deadlineAtMs, traceparent, atMs } = record;
  return {
    mode: 'transaction',
    gid,
    name,
    content,
    epoch,
    labels,
    phase: 'active',
    cause: null,
    attention: null,
    startedAtMs: atMs,
    deadlineAtMs,
    decidedAtMs: null,
    finishedAtMs: null,
    traceparent,
    branches: opened(record.branches, null),
    requests: {},
  };
}

function apply(tx: TwoPhase, record: LaterRecord): TwoPhase {
  switch (record.kind) {
    case 'registered':
      return {
        ...tx,
        branches: [...tx.branches, ...opened(record.branches, record.request)],
        requests: { ...tx.requests, [record.request]: record.content },
      };
    case 'decided':
      return finishIfDone(
        {
          ...tx,
          phase: record.direction === 'commit' ? 'committing' : 'rollingBack',
          cause: record.cause,
          decidedAtMs: record.atMs,
        },
        record.atMs,
      );
    case 'done': {
      const isDone = (branchId: BranchId) => record.done.some((one) => one.branchId === branchId);
      const branches = tx.branches.map((branch) =>
        isDone(branch.branchId) ? { ...branch, isFinished: true } : branch,
      );
      const stuckId = tx.attention?.branchId ?? null;
      const solved = stuckId !== null && isDone(stuckId);
      const attention = solved ? null : tx.attention;
      return finishIfDone({ ...tx, branches, attention }, record.atMs);
    }
    case 'attempted':
      return tx; // Attempts are counted for saga steps only.
  }
}

function finishIfDone(tx: TwoPhase, atMs: number): TwoPhase {
  if (!tx.branches.every((branch) => branch.isFinished)) return tx;
  const phase = tx.phase === 'committing' ? 'committed' : 'rolledBack';
  return { ...tx, phase, attention: null, finishedAtMs: atMs };
}

function outstanding(tx: TwoPhase): readonly Effect[] {
  if (tx.phase === 'active') return [];
  const direction = directionOf(tx.phase);
  return tx.branches
    .filter((branch) => !branch.isFinished)
    .map(({ branchId, kind, participant, payload }) => {
      const operation = operations[kind][direction];
      return { key: keyOf({ branchId, operation }), branchId, operation, participant, payload };
    });
}

/** Ids of the branches that a register request (null: the begin) brought, in its order. */
function branchIdsOf(tx: TwoPhase, request: string | null): readonly BranchId[] {
  return tx.branches.filter((branch) => branch.request === request).map((b) => b.branchId);
}

function directionOf(phase: Exclude<Phase, 'active'>): Direction {
  return phase === 'committing' || phase === 'committed' ? 'commit' : 'rollback';
}

function decidedOtherwise(phase: Exclude<Phase, 'active'>): Verdict {
  return directionOf(phase) === 'commit'
    ? refused('ALREADY_COMMITTED', `the transaction is ${phase}`)
    : refused('ALREADY_ROLLED_BACK', `the transaction is ${phase}`);
}

function tooManyBranches(): Verdict {
  return refused('LIMIT_EXCEEDED', `a transaction has at most ${limits.branchesMax} branches`);
}

function numbered(specs: Event<'begin'>['branches'], count: number): readonly BranchRecord[] {
  return specs.map((spec, index) => ({
    branchId: count + index + 1,
    kind: spec.kind ?? 'tcc',
    participant: spec.participant,
    payload: spec.payload ?? null,
  }));
}

function opened(branches: readonly BranchRecord[], request: string | null): readonly Branch[] {
  return branches.map((branch) => ({ ...branch, request, isFinished: false }));
}
