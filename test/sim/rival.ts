/**
 * Rows that somebody else may have written: an operator's tool, or a coordinator that this code knows
 * nothing of. The fence keeps real coordinators apart, so only such a row can make an append conflict.
 */

import { apply } from '../../server/core/apply.ts';
import type { LogRecord } from '../../server/core/record.ts';
import type { Transaction } from '../../server/core/transaction.ts';
import { indexRow } from '../../server/engine/codec.ts';
import type { Append, LogRow } from '../../server/log/log.ts';

/**
 * A row for the slot of `row` that is in order after `tx`; null when there is none. A saga is only
 * ever brought under attention: what it must undo is known to its coordinator alone.
 */
export function rivalOf(row: LogRow, tx: Transaction | null, atMs: number): Append | null {
  if (tx === null || tx.finishedAtMs !== null) return null;
  const record = recordFor(row, tx, atMs);
  if (record === null) return null;
  const { gid, seq, shard, epoch } = row;
  const next = apply(tx, record);
  const records = JSON.stringify([record]);
  return {
    row: { gid, seq, shard, epoch, atMs, records },
    index: indexRow(next, shard),
  };
}

function recordFor(row: LogRow, tx: Transaction, atMs: number): LogRecord | null {
  const isDecision = row.records.includes('"kind":"decided"');
  if (tx.mode === 'transaction' && tx.phase === 'active' && isDecision) {
    const cause = { kind: 'operator' as const };
    return { kind: 'decided', direction: 'rollback', cause, atMs };
  }
  if (tx.attention !== null) return null;
  const attention = { reason: 'retries' as const, branchId: null, detail: 'planted', atMs };
  return { kind: 'attention', attention, atMs };
}
