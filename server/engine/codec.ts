/**
 * Between the log's rows and the core's records. An unknown kind of record or of branch
 * (written by a newer server) makes its gid unreadable, and that gid alone.
 */
import type { BranchKind } from '../../client-sdk/protocol/index.ts';
import { apply } from '../core/apply.ts';
import type { LogRecord } from '../core/record.ts';
import type { Transaction } from '../core/transaction.ts';
import type { IndexRow, LogRow } from '../log/log.ts';

const kinds: Readonly<Record<LogRecord['kind'], true>> = {
  begun: true,
  submitted: true,
  registered: true,
  decided: true,
  done: true,
  attempted: true,
  attention: true,
};

const branchKinds: Readonly<Record<BranchKind, true>> = { tcc: true, at: true };

/** State read back from rows; `tx` is null when nothing was ever begun. Or why it cannot be read. */
export type Replayed =
  | { readonly ok: true; readonly tx: Transaction | null; readonly lastSeq: number }
  | { readonly ok: false; readonly reason: string };

/** Replays the rows of one gid, given in seq order. Checks that seq has no gap (S6). */
export function replay(rows: readonly LogRow[]): Replayed {
  let tx: Transaction | null = null;
  for (const [index, row] of rows.entries()) {
    if (row.seq !== index + 1) {
      return { ok: false, reason: `row ${index + 1} is missing: found seq ${row.seq}` };
    }
    try {
      for (const record of decode(row.records)) tx = apply(tx, record);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return { ok: false, reason: `row ${row.seq} cannot be read: ${why}` };
    }
  }
  return { ok: true, tx, lastSeq: rows.length };
}

function decode(text: string): readonly LogRecord[] {
  const records = JSON.parse(text) as readonly LogRecord[];
  for (const record of records) refuseUnknown(record);
  return records;
}

function refuseUnknown(record: LogRecord): void {
  if (!Object.hasOwn(kinds, record.kind)) throw new Error(`unknown record '${record.kind}'`);
  if (record.kind !== 'begun' && record.kind !== 'registered') return;
  for (const { kind } of record.branches) {
    if (!Object.hasOwn(branchKinds, kind)) throw new Error(`unknown kind of branch '${kind}'`);
  }
}

/** The search row that belongs to a state. */
export function indexRow(tx: Transaction, shard: number): IndexRow {
  const { gid, mode, name, cause, attention, startedAtMs, deadlineAtMs, finishedAtMs } = tx;
  const outcome = tx.phase === 'committed' || tx.phase === 'rolledBack' ? tx.phase : null;
  const { labels } = tx;
  return {
    gid,
    shard,
    mode,
    name,
    outcome,
    cause,
    attention,
    startedAtMs,
    deadlineAtMs,
    finishedAtMs,
    labels,
  };
}
