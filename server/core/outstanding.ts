/**
 * What the world still owes a transaction, derived from its state alone. New effects are those that
 * were not outstanding before; recovery's effects are all of them.
 */
import type { Effect } from './effect.ts';
import { saga } from './modes/saga.ts';
import { twoPhase } from './modes/transaction.ts';
import type { Transaction } from './transaction.ts';

/** Effects owed now, in a stable order, keys unique. Empty for a finished transaction. */
export function outstanding(tx: Transaction): readonly Effect[] {
  return tx.mode === 'transaction' ? twoPhase.outstanding(tx) : saga.outstanding(tx);
}
