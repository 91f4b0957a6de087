/**
 * What may be shown of a transaction that is in memory. Invariant: nothing is shown that a crash
 * could take back, but the end of phase two, which is told before its record is durable.
 */
import type { Transaction } from '../core/transaction.ts';
import type { Mailbox } from './mailbox.ts';

/** Null: nothing of it is durable yet, or nothing was begun. */
export function shownTx(mailbox: Mailbox): Transaction | null {
  const tx = mailbox.isClosed ? beforeUrgent(mailbox) : mailbox.tx;
  if (tx === null || tx.phase === 'active' || mailbox.isDecisionDurable) return tx;
  // The last step of a saga decides it by a lazy record.
  return { ...tx, phase: 'active', cause: null, decidedAtMs: null, finishedAtMs: null };
}

/** As it was before the urgent record that is on its way to the log. */
function beforeUrgent({ queuedRow, flyingRow }: Mailbox): Transaction | null {
  return (queuedRow?.held ?? flyingRow?.held)?.before ?? null;
}

/** A slot was lost: what is believed of it may never have been. */
export function isDoubtful(mailbox: Mailbox): boolean {
  return mailbox.state === 'loading' && mailbox.tx !== null;
}
