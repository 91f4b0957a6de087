/**
 * The one way in: an event meets a transaction and gives zero or one record, the next state and a
 * reply. Pure, never throws. Common rules (idempotent beginning, unknown gid) live here; what a mode
 * decides lives in `modes/`.
 */
import type { BranchId } from '../../client-sdk/protocol/index.ts';
import { apply } from './apply.ts';
import { shortDetail } from './detail.ts';
import type { TxEvent } from './event.ts';
import { saga } from './modes/saga.ts';
import { twoPhase } from './modes/transaction.ts';
import { outstanding } from './outstanding.ts';
import type { Transaction } from './transaction.ts';
import { accepted, lazy, nothing, refused, type Verdict } from './verdict.ts';

export type { Reply, Urgency } from './verdict.ts';

/** The outcome of an event: the verdict and the state after it. */
export interface Step extends Verdict {
  /** Null only when nothing was ever begun under the gid. */
  readonly next: Transaction | null;
}

/**
 * Takes one event. Safe to repeat: an event that asks for what is so already adds no record.
 * Refusals, in this order: NOT_FOUND, CONFLICT, then those of the mode.
 */
export function step(tx: Transaction | null, event: TxEvent): Step {
  const verdict = judge(tx, event);
  const next = verdict.record === null ? tx : apply(tx, verdict.record);
  return { ...verdict, next };
}

function judge(tx: Transaction | null, event: TxEvent): Verdict {
  if (event.kind === 'begin' || event.kind === 'submit') {
    if (tx !== null) return repeatedBeginning(tx, event.content);
    return event.kind === 'begin' ? twoPhase.begin(event) : saga.begin(event);
  }
  if (tx === null) return refused('NOT_FOUND', 'nothing was begun under this gid');
  if (event.kind === 'attention') return raise(tx, event);
  return tx.mode === 'transaction' ? twoPhase.step(tx, event) : saga.step(tx, event);
}

/** The first attention stays until what it is about succeeds. One that comes after that is too late. */
function raise(tx: Transaction, event: Extract<TxEvent, { kind: 'attention' }>): Verdict {
  if (tx.attention !== null || tx.finishedAtMs !== null) return nothing;
  const { reason, branchId, atMs } = event;
  const isOwed = (id: BranchId) => outstanding(tx).some((effect) => effect.branchId === id);
  if (branchId !== null && !isOwed(branchId)) return nothing;
  const attention = { reason, branchId, detail: shortDetail(event.detail), atMs };
  return lazy({ kind: 'attention', attention, atMs });
}

/** Begin is idempotent by gid and content: the first content wins, for ever. */
function repeatedBeginning(tx: Transaction, content: string): Verdict {
  if (tx.content !== content) {
    return refused('CONFLICT', `gid ${tx.gid} was begun before with other content`);
  }
  if (tx.mode === 'saga') return accepted();
  return accepted(twoPhase.branchIdsOf(tx, null));
}
