/**
 * Mode `saga`: the steps decide.
 *
 * ```
 *                         last step done (no pivot)
 *  submit ──► active ─────────────────────────────────────────────► committed
 *               ├─ pivot done ──► committing ──── last step done ──► committed
 *               └─ refused, attempts used up, deadline, rollback ──► rollingBack ──► rolledBack
 * ```
 *
 * Invariants: a step is asked only when all steps in its `after` are done. Rollback undoes every step
 * that was ever asked, whatever it answered, for a late duplicate of it may still take effect; the
 * barrier makes an undo without run a no-op. While the pivot is asked, only its own refusal can roll
 * back.
 *
 * Records of single steps are lazy, so a crash may lose the last of them, and with them the knowledge
 * that a later step was asked. Two rules make that safe: what makes the pivot runnable is urgent, and
 * a saga that has crossed a term (see `undoOrder`) undoes all steps that are not known to be done.
 */
import type { BranchId, Cause, Json } from '../../../client-sdk/protocol/index.ts';
import { errorOf, shortDetail } from '../detail.ts';
import { type Effect, keyOf } from '../effect.ts';
import type { OperationResult, TxEvent } from '../event.ts';
import type { DoneOperation, LogRecord } from '../record.ts';
import { ancestorsOf, planSaga } from '../saga-plan.ts';
import type { Saga, SagaStep } from '../transaction.ts';
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
type Later = Exclude<TxEvent, { kind: 'begin' | 'submit' | 'attention' }>;
type RecordOf<K extends LogRecord['kind']> = Extract<LogRecord, { kind: K }>;
type LaterRecord = Exclude<LogRecord, { kind: 'begun' | 'submitted' | 'attention' }>;

/** The rules of mode `saga`: `begin` and `step` judge events, `submitted` and `apply` build state. */
export const saga = { begin, step, submitted, apply, outstanding };

function begin(event: Event<'submit'>): Verdict {
  const plan = planSaga(event.steps);
  if (!plan.ok) return refused(plan.code, plan.detail);
  const { gid, name, content, epoch, labels, timeoutMs, traceparent, input, atMs } = event;
  const deadlineAtMs = timeoutMs === null ? null : atMs + timeoutMs;
  const { steps } = plan;
  return urgent({
    kind: 'submitted',
    gid,
    name,
    content,
    epoch,
    labels,
    deadlineAtMs,
    traceparent,
    input,
    steps,
    atMs,
  });
}

function step(tx: Saga, event: Later): Verdict {
  switch (event.kind) {
    case 'register':
      return refused('WRONG_MODE', 'a saga has its steps from the beginning');
    case 'decide':
      return decide(tx, event);
    case 'deadline':
      if (tx.phase !== 'active' || isPivotAsked(tx)) return nothing;
      return decisive(rollback(tx, event, { kind: 'deadline' }));
    case 'results':
      return takeResults(tx, event);
    case 'settle':
      return settle(tx, event);
  }
}

function decide(tx: Saga, event: Event<'decide'>): Verdict {
  if (event.direction === 'commit') {
    return refused('WRONG_MODE', 'a saga commits by itself when its steps are done');
  }
  if (tx.phase === 'rollingBack' || tx.phase === 'rolledBack') return accepted();
  if (tx.phase !== 'active') return refused('ALREADY_COMMITTED', `the saga is ${tx.phase}`);
  if (isPivotAsked(tx)) return refused('PIVOT_STARTED', 'only its refusal can roll back now');
  const cause: Cause = {
    kind: event.by ?? 'initiator',
    ...(event.reason === null ? {} : { detail: shortDetail(event.reason) }),
  };
  return urgent(rollback(tx, event, cause));
}

function settle(tx: Saga, event: Event<'settle'>): Verdict {
  const { owed, result, operator, atMs } = event;
  if (owed === null) {
    if (tx.phase === 'active')
      return refused('NOTHING_OWED', 'it is not decided: roll it back first');
    const done = owedToTheEnd(tx).map((s) => settled(tx, s.branchId, null));
    return done.length === 0 ? accepted() : urgent({ kind: 'done', done, operator, atMs });
  }
  const { branchId, operation } = owed;
  const isOwed =
    operation === owedOperation(tx) && owedSteps(tx).some((s) => s.branchId === branchId);
  if (isOwed)
    return urgent({ kind: 'done', done: [settled(tx, branchId, result)], operator, atMs });
  const state = tx.steps[branchId - 1]?.state;
  const isDone = operation === 'run' ? state !== 'pending' : state === 'undone';
  return state !== undefined && isDone ? accepted() : notAsked(owed);
}

/** All that will be asked, in an order in which it could be. */
function owedToTheEnd(tx: Saga): readonly SagaStep[] {
  if (tx.phase === 'rollingBack') {
    return tx.undo.map((branchId) => stepOf(tx, branchId)).filter((s) => s.state !== 'undone');
  }
  // Steps come after those that they wait for.
  return tx.phase === 'committing' ? tx.steps.filter((s) => s.state === 'pending') : [];
}

function settled(tx: Saga, branchId: BranchId, result: Json): DoneOperation {
  const operation = owedOperation(tx);
  return operation === 'run' ? { branchId, operation, result } : { branchId, operation };
}

/** The engine hands over a saga's results one by one; should more come, `done` goes first. */
function takeResults(tx: Saga, event: Event<'results'>): Verdict {
  const operation = owedOperation(tx);
  const owed = new Set(owedSteps(tx).map((s) => s.branchId));
  const open = event.results.filter((r) => r.operation === operation && owed.has(r.branchId));
  // `delete` lets only the first of two equal answers through: a step is done once.
  const done = open.filter((r) => r.outcome === 'done' && owed.delete(r.branchId));
  if (done.length > 0) return takeDone(tx, done, event.atMs);
  const [result] = open;
  if (result === undefined) return nothing;
  const detail = shortDetail(`${result.operation} ${result.outcome}: ${errorOf(result)}`);
  const { branchId } = result;
  if (result.operation === 'run' && tx.phase === 'active') {
    if (result.outcome === 'refused') {
      return decisive(rollback(tx, event, { kind: 'refused', branchId, detail }));
    }
    return takeUnknown(tx, result, event);
  }
  // Forward after the pivot and undo must succeed: a refusal is asked again and shown to a human.
  if (result.outcome !== 'refused' || tx.attention !== null) return nothing;
  const { atMs } = event;
  return lazy({
    kind: 'attention',
    attention: { reason: 'refused', branchId, detail, atMs },
    atMs,
  });
}

function takeDone(tx: Saga, results: readonly OperationResult[], atMs: number): Verdict {
  const done: readonly DoneOperation[] = results.map(({ branchId, operation, result }) =>
    operation === 'run' ? { branchId, operation, result: result ?? null } : { branchId, operation },
  );
  const record: RecordOf<'done'> = { kind: 'done', done, atMs };
  // Lost, a lazy record would let a deadline roll back beside a pivot that was asked.
  const hasPivot = tx.steps.some((s) => s.isPivot);
  const startsPivot = hasPivot && isPivotAsked(apply(tx, record)) && !isPivotAsked(tx);
  return startsPivot ? decisive(record) : lazy(record);
}

function takeUnknown(tx: Saga, result: OperationResult, event: Event<'results'>): Verdict {
  const { branchId } = result;
  const asked = stepOf(tx, branchId);
  // Nobody can tell whether the pivot happened, so it is asked until it answers.
  if (asked.isPivot) return nothing;
  const error = shortDetail(errorOf(result));
  if (asked.attempts + 1 < asked.attemptsMax) {
    return lazy({ kind: 'attempted', branchId, error, atMs: event.atMs });
  }
  const detail = shortDetail(
    `attempt ${asked.attempts + 1} ended unknown and was the last: ${error}`,
  );
  return decisive(rollback(tx, event, { kind: 'attempts', branchId, detail }));
}

function rollback(tx: Saga, event: Later, cause: Cause): LogRecord {
  const undo = undoOrder(tx, event.epoch);
  return { kind: 'decided', direction: 'rollback', cause, undo, atMs: event.atMs };
}

/**
 * Steps asked but not known to be done first (the latest asked, so undone first), then the done ones
 * in reverse completion order. In a later term than the one that began it, steps that look as if they
 * had never been asked may have been: their predecessors' lazy records can be lost.
 */
function undoOrder(tx: Saga, epoch: number): readonly BranchId[] {
  const mayHaveRun = epoch === tx.epoch ? (s: SagaStep) => isAsked(tx, s) : inLaterTerm(tx);
  const inDoubt = tx.steps
    .filter((s) => s.state === 'pending' && mayHaveRun(s))
    .map((s) => s.branchId);
  return [...inDoubt.reverse(), ...[...tx.completed].reverse()];
}

/** All but a pivot that is not asked, and what follows it: the record that lets it run is urgent. */
function inLaterTerm(tx: Saga): (s: SagaStep) => boolean {
  const pivot = tx.steps.find((s) => s.isPivot);
  if (pivot === undefined || isAsked(tx, pivot)) return () => true;
  const before = ancestorsOf(tx.steps, pivot);
  return (s) => before.has(s.branchId);
}

function submitted(record: RecordOf<'submitted'>): Saga {
  const { gid, name, content, epoch, labels, deadlineAtMs, traceparent, input, atMs } = record;
  return {
    mode: 'saga',
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
    input,
    steps: record.steps.map((s) => ({
      ...s,
      attempts: 0,
      lastError: null,
      state: 'pending',
      result: null,
    })),
    completed: [],
    undo: [],
  };
}

function apply(tx: Saga, record: LaterRecord): Saga {
  switch (record.kind) {
    case 'decided':
      return {
        ...tx,
        phase: 'rollingBack',
        cause: record.cause,
        decidedAtMs: record.atMs,
        undo: record.undo ?? [],
      };
    case 'attempted':
      return replaceStep(tx, record.branchId, (s) => ({
        ...s,
        attempts: s.attempts + 1,
        lastError: record.error,
      }));
    case 'done':
      return record.done.reduce((state, done) => applyDone(state, done, record.atMs), tx);
    case 'registered':
      return tx; // Branches are registered in mode `transaction` only.
  }
}

function applyDone(before: Saga, done: DoneOperation, atMs: number): Saga {
  const attention = before.attention?.branchId === done.branchId ? null : before.attention;
  if (done.operation !== 'run') {
    const tx = replaceStep(before, done.branchId, (s) => ({ ...s, state: 'undone' }));
    const isLast = tx.undo.at(-1) === done.branchId;
    if (!isLast) return { ...tx, attention };
    return { ...tx, phase: 'rolledBack', attention: null, finishedAtMs: atMs };
  }
  const result = done.result ?? null;
  const tx = replaceStep(before, done.branchId, (s) => ({ ...s, state: 'done', result }));
  const completed = [...tx.completed, done.branchId];
  const isDecision = tx.phase === 'active';
  if (completed.length === tx.steps.length) {
    return {
      ...tx,
      completed,
      phase: 'committed',
      attention: null,
      finishedAtMs: atMs,
      ...(isDecision && { cause: { kind: 'completed' }, decidedAtMs: atMs }),
    };
  }
  if (!stepOf(tx, done.branchId).isPivot) return { ...tx, completed, attention };
  const { branchId } = done;
  return {
    ...tx,
    completed,
    attention,
    phase: 'committing',
    cause: { kind: 'completed', branchId },
    decidedAtMs: atMs,
  };
}

function outstanding(tx: Saga): readonly Effect[] {
  const effectOf = owedOperation(tx) === 'undo' ? undoEffect : runEffect;
  return owedSteps(tx).map((s) => effectOf(tx, s));
}

function owedOperation(tx: Saga): 'run' | 'undo' {
  return tx.phase === 'rollingBack' ? 'undo' : 'run';
}

/** The steps to run now, or the one to undo next. */
function owedSteps(tx: Saga): readonly SagaStep[] {
  if (tx.phase === 'rollingBack') {
    const next = tx.undo.find((branchId) => stepOf(tx, branchId).state !== 'undone');
    return next === undefined ? [] : [stepOf(tx, next)];
  }
  if (tx.phase === 'rolledBack') return [];
  return tx.steps.filter((s) => isAsked(tx, s));
}

function runEffect(tx: Saga, s: SagaStep): Effect {
  const { branchId, participant } = s;
  const results = resultsBefore(tx, s);
  return {
    key: keyOf({ branchId, operation: 'run' }),
    branchId,
    operation: 'run',
    participant,
    payload: tx.input,
    results,
  };
}

function undoEffect(tx: Saga, s: SagaStep): Effect {
  const { branchId, participant } = s;
  const effect: Effect = {
    key: keyOf({ branchId, operation: 'undo' }),
    branchId,
    operation: 'undo',
    participant,
    payload: tx.input,
    results: resultsBefore(tx, s),
  };
  return s.state === 'done' ? { ...effect, result: s.result } : effect;
}

/** Only ancestors' results: the others' depend on timing, and a repeated call must carry the same. */
function resultsBefore(tx: Saga, s: SagaStep): Readonly<Record<string, Json>> {
  if (s.after.length === 0) return {};
  const ancestors = ancestorsOf(tx.steps, s);
  return Object.fromEntries(
    tx.steps
      .filter((other) => ancestors.has(other.branchId) && tx.completed.includes(other.branchId))
      .map((other) => [other.name, other.result]),
  );
}

/** Not done, and everything before it is. */
function isAsked(tx: Saga, s: SagaStep): boolean {
  return s.state === 'pending' && s.after.every((id) => stepOf(tx, id).state === 'done');
}

function isPivotAsked(tx: Saga): boolean {
  return tx.steps.some((s) => s.isPivot && isAsked(tx, s));
}

function replaceStep(tx: Saga, branchId: BranchId, change: (s: SagaStep) => SagaStep): Saga {
  return { ...tx, steps: tx.steps.map((s) => (s.branchId === branchId ? change(s) : s)) };
}

/** Steps are numbered from 1 in their order. */
function stepOf(tx: Saga, branchId: BranchId): SagaStep {
  return tx.steps[branchId - 1] as SagaStep;
}
