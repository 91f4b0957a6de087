/**
 * What must hold after every event, whatever happened: S1-S5 and S13 of the design, that repeats are
 * harmless, and that nothing that is open owes nothing. Each check names what it guards.
 */
import { strict as assert } from 'node:assert';
import type { Direction } from '../../client-sdk/protocol/index.ts';
import { type Effect, keyOf } from '../../server/core/effect.ts';
import type { TxEvent } from '../../server/core/event.ts';
import type { LogRecord } from '../../server/core/record.ts';
import { type Reply, type Step, step } from '../../server/core/step.ts';
import type { Transaction, TwoPhase } from '../../server/core/transaction.ts';

/** What the world outside knows; no crash takes it back. */
export interface Witness {
  /** The direction that an initiator was told. */
  told: Direction | null;
  /** The decision as it was first seen, as text. */
  decision: string | null;
  /** Keys of all effects that ever went out. */
  readonly asked: Set<string>;
}

/** One step by itself: urgency fits the reply, and the same event again changes nothing. */
export function checkStep(before: Transaction | null, event: TxEvent, result: Step): void {
  if (result.record === null) assert.equal(result.next, before, 'no record, but a new state');
  else {
    const isAnswered = result.reply.kind !== 'none';
    assert.ok(
      !isAnswered || result.urgency === 'urgent',
      'S4: a reply before its record is durable',
    );
    assert.notEqual(result.reply.kind, 'refused', 'a refusal must not write a record');
  }
  if (!isRepeatable(event)) return;
  const again = step(result.next, event);
  assert.equal(again.record, null, 'the same event again wrote a record');
  if (result.reply.kind !== 'refused') assert.deepEqual(again.reply, result.reply, 'other reply');
}

/**
 * Unknown outcomes are counted, so a second one is news; a refusal is too. Of several results one may
 * become owed through the others, so only single ones are repeated.
 */
function isRepeatable(event: TxEvent): boolean {
  if (event.kind !== 'results') return true;
  return event.results.length === 1 && event.results[0]?.outcome === 'done';
}

/** S4: what an initiator hears agrees with all that it will ever hear. */
export function checkReply(witness: Witness, event: TxEvent, reply: Reply): void {
  const direction = toldBy(event, reply);
  if (direction === null) return;
  assert.ok(witness.told === null || witness.told === direction, `S4: told ${witness.told} before`);
  witness.told = direction;
}

function toldBy(event: TxEvent, reply: Reply): Direction | null {
  if (reply.kind === 'refused' && reply.code === 'ALREADY_COMMITTED') return 'commit';
  if (reply.kind === 'refused' && reply.code === 'ALREADY_ROLLED_BACK') return 'rollback';
  return reply.kind === 'accepted' && event.kind === 'decide' ? event.direction : null;
}

/** A state, its records and what it owes. */
export function checkState(
  witness: Witness,
  tx: Transaction,
  records: readonly LogRecord[],
  owed: readonly Effect[],
): void {
  checkDecision(witness, tx, records);
  const keys = owed.map((effect) => effect.key);
  assert.equal(new Set(keys).size, keys.length, 'effect keys are not unique');
  const back = keys.filter(isBackward);
  assert.ok(back.length === 0 || back.length === keys.length, 'S2: both directions owed at once');
  for (const key of keys) witness.asked.add(key);
  const isFinished = tx.phase === 'committed' || tx.phase === 'rolledBack';
  assert.equal(isFinished, tx.finishedAtMs !== null, 'finished, but when?');
  if (isFinished) {
    assert.deepEqual(keys, [], 'S13: a finished transaction owes something');
    assert.equal(tx.attention, null, 'a finished transaction needs nobody');
  } else {
    const isWaiting = tx.mode === 'transaction' && tx.phase === 'active';
    assert.ok(isWaiting || keys.length > 0, 'L1: it is open, owes nothing and so can never end');
  }
  checkOperations(witness, tx, records, keys);
}

function checkDecision(witness: Witness, tx: Transaction, records: readonly LogRecord[]): void {
  const decisions = records.filter((record) => record.kind === 'decided');
  assert.ok(decisions.length <= 1, 'S1: two decision records');
  const isDecided = tx.phase !== 'active';
  assert.equal(isDecided, tx.cause !== null, 'decided, but why?');
  assert.equal(isDecided, tx.decidedAtMs !== null, 'decided, but when?');
  if (!isDecided) {
    assert.equal(witness.told, null, 'S4: told a decision that is not there');
    assert.equal(witness.decision, null, 'S1: a decision was taken back');
    return;
  }
  const direction = directionOf(tx);
  const decision = JSON.stringify([direction, tx.cause, tx.decidedAtMs]);
  witness.decision ??= decision;
  assert.equal(decision, witness.decision, 'S1: the decision has changed');
  assert.ok(witness.told === null || witness.told === direction, `S4: told ${witness.told}`);
}

/** S2 and S3 over the whole life, and the promise of a rollback: what was asked is undone. */
function checkOperations(
  witness: Witness,
  tx: Transaction,
  records: readonly LogRecord[],
  keys: readonly string[],
): void {
  const hasDecision = records.some((record) => record.kind === 'decided');
  const isPhaseTwo = keys.some((key) => !key.endsWith(':run'));
  assert.ok(hasDecision || !isPhaseTwo, 'S3: phase two before its decision');
  if (tx.mode === 'transaction') return checkKinds(witness, tx, records);
  const asked = [...witness.asked];
  if (directionOf(tx) === 'commit') {
    assert.ok(!asked.some(isBackward), 'S2: undone, and committed all the same');
  }
  const pivot = tx.steps.find((candidate) => candidate.isPivot);
  if (directionOf(tx) === 'rollback' && pivot && witness.asked.has(`${pivot.branchId}:run`)) {
    const { kind, branchId } = tx.cause ?? {};
    assert.deepEqual(
      [kind, branchId],
      ['refused', pivot.branchId],
      'only the pivot can turn back now',
    );
  }
  if (tx.phase !== 'rolledBack') return;
  for (const { branchId, state } of tx.steps) {
    if (!witness.asked.has(`${branchId}:run`)) continue;
    assert.equal(state, 'undone', `step ${branchId} was asked and never undone`);
  }
}

/** S2: each branch is asked, and believed to have done, what its kind does for the decision. */
function checkKinds(witness: Witness, tx: TwoPhase, records: readonly LogRecord[]): void {
  const direction = directionOf(tx);
  const fitting = tx.branches.map(({ branchId, kind }) => {
    const [forth, back] = kind === 'at' ? ['commit', 'rollback'] : ['confirm', 'cancel'];
    return `${branchId}:${direction === 'commit' ? forth : back}`;
  });
  const done = records.flatMap((record) => (record.kind === 'done' ? record.done : []));
  for (const key of [...witness.asked, ...done.map(keyOf)]) {
    assert.ok(fitting.includes(key), `S2: ${key} of a transaction that is to ${direction}`);
  }
}

function isBackward(key: string): boolean {
  return /:(?:cancel|rollback|undo)$/.test(key);
}

function directionOf(tx: Transaction): Direction | null {
  if (tx.phase === 'active') return null;
  return tx.phase === 'committing' || tx.phase === 'committed' ? 'commit' : 'rollback';
}
