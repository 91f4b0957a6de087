/**
 * What an operator does to one transaction: an event like any other, or a shorter wait. A dry run
 * takes the same event over the state as it is, and forgets what would have become of it. Nothing
 * here knows who he is allowed to be; that is for those who ask.
 */
import {
  type BranchId,
  type Gid,
  isDirtyRowError,
  type Json,
  type OperatorAction,
  type Phase,
} from '../../client-sdk/protocol/index.ts';
import type { OperationResult, Operator, TxEvent } from '../core/event.ts';
import { outstanding } from '../core/outstanding.ts';
import { step } from '../core/step.ts';
import type { Transaction } from '../core/transaction.ts';
import { refusal } from './admission.ts';
import type { Calls } from './calls.ts';
import type { Answer, Answered } from './coordinator.ts';
import type { Mailbox } from './mailbox.ts';

/** One action on one transaction. */
export interface OperateRequest {
  readonly gid: Gid;
  readonly action: OperatorAction;
  /** `skip`: which one, as it was seen to be owed. */
  readonly owed: {
    readonly branchId: BranchId;
    readonly operation: OperationResult['operation'];
  } | null;
  readonly result: Json;
  readonly operator: Operator;
  readonly dryRun: boolean;
}

/** What became of it, durable; of a dry run, what would. */
export interface OperateAnswer {
  readonly gid: Gid;
  readonly name: string;
  readonly before: Phase;
  readonly after: Phase;
}

/** What it needs of the engine. */
export interface OperatePorts {
  readonly calls: Calls;
  readonly stamp: () => Pick<TxEvent, 'atMs' | 'epoch'>;
  /** Looks at a transaction in its turn; `answered` hears why not. */
  readonly look: (
    gid: Gid,
    answered: Answered<OperateAnswer>,
    found: (mailbox: Mailbox, tx: Transaction) => void,
  ) => void;
  /** Brings the event, and answers the phase once that is durable. */
  readonly enter: (
    mailbox: Mailbox,
    event: TxEvent,
    answered: Answered<{ readonly phase: Phase }>,
  ) => void;
}

/**
 * Does it. NOTHING_OWED when nothing is owed, or something else than was seen; AT_DIRTY_ROW when it would
 * end a branch whose rows are to be resolved.
 */
export function operate(
  { calls, stamp, look, enter }: OperatePorts,
  request: OperateRequest,
  answered: Answered<OperateAnswer>,
): void {
  look(request.gid, answered, (mailbox, tx) => {
    const shown = (after: Phase): Answer<OperateAnswer> => {
      const { gid, name, phase: before } = tx;
      return { ok: true, body: { gid, name, before, after } };
    };
    if (request.action === 'retry') {
      if (outstanding(tx).length === 0)
        return answered(refusal('NOTHING_OWED', `it is ${tx.phase}`));
      if (!request.dryRun) calls.hastenAll(mailbox);
      return answered(shown(tx.phase));
    }
    const dirty = dirtyAmong(mailbox, tx, request);
    if (dirty !== null) return answered(refusal('AT_DIRTY_ROW', dirty));
    const event = eventOf(request, stamp());
    if (!request.dryRun) {
      return enter(mailbox, event, (answer) =>
        answered(answer.ok ? shown(answer.body.phase) : answer),
      );
    }
    const { reply, next } = step(tx, event);
    if (reply.kind === 'refused') return answered(refusal(reply.code, reply.detail));
    answered(shown(next?.phase ?? tx.phase));
  });
}

/**
 * Why it may not count as done; null: it may. Undo rows are the locks of their rows: with the branch
 * ended by word alone nobody would take them away any more. As long as the participant answers, its
 * dirty rows are resolved there, which ends the branch; one that is gone may be skipped.
 */
function dirtyAmong(
  { calls }: Mailbox,
  { attention }: Transaction,
  { action, owed }: OperateRequest,
): string | null {
  if (action !== 'skip' && action !== 'resolve') return null;
  for (const { effect, lastError } of calls.values()) {
    const { branchId, operation } = effect;
    // Of the kinds of branches only `at` has it.
    if (operation !== 'rollback') continue;
    if (action === 'skip' && branchId !== owed?.branchId) continue;
    // Before the first attempt of a term the attention tells what the term before has heard.
    const inherited = attention?.branchId === branchId ? attention.detail : '';
    if (!isDirtyRowError(lastError ?? inherited)) continue;
    return `branch ${branchId}: its undo rows would hold their rows for ever; resolve them instead (to leave the rows as they are: keep)`;
  }
  return null;
}

function eventOf(
  { action, owed, result, operator }: OperateRequest,
  stamp: Pick<TxEvent, 'atMs' | 'epoch'>,
): TxEvent {
  if (action === 'rollback') {
    const reason = `${operator.who}: ${operator.reason}`;
    return { kind: 'decide', direction: 'rollback', reason, by: 'operator', ...stamp };
  }
  return { kind: 'settle', owed: action === 'skip' ? owed : null, result, operator, ...stamp };
}
