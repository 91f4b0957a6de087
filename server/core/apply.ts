/**
 * The only place where state changes: a record meets a state and gives the next. Replaying a gid's
 * records through `apply` gives the state that the engine has in memory (invariant S5).
 */
import { saga } from './modes/saga.ts';
import { twoPhase } from './modes/transaction.ts';
import type { LogRecord } from './record.ts';
import type { Transaction } from './transaction.ts';

/**
 * Applies one record. The first record of a gid is `begun` or `submitted`, and only the first; else
 * it throws, because the log is not what this code wrote. A record that does not belong to the mode
 * changes nothing.
 */
export function apply(tx: Transaction | null, record: LogRecord): Transaction {
  if (record.kind === 'begun' || record.kind === 'submitted') {
    if (tx !== null) throw new Error(`'${record.kind}' can only be the first record of a gid`);
    return record.kind === 'begun' ? twoPhase.begun(record) : saga.submitted(record);
  }
  if (tx === null) throw new Error(`the first record of a gid cannot be '${record.kind}'`);
  if (record.kind === 'attention') return { ...tx, attention: record.attention };
  return tx.mode === 'transaction' ? twoPhase.apply(tx, record) : saga.apply(tx, record);
}
