/** Rules about the log itself: its rows, its index, its terms, and what the API makes of them. Pure. */
import type { LogRecord } from '../../../server/core/record.ts';
import type { Transaction } from '../../../server/core/transaction.ts';
import { replay } from '../../../server/engine/codec.ts';
import { type IndexRow, type LogRow, shardOf } from '../../../server/log/log.ts';
import type { Case, Violation } from './checker.ts';

/** Invariants of the real tables. */
export function checkLog({ evidence, rows }: Case): readonly Violation[] {
  const violations: Violation[] = [];
  const found = (gid: string | null, what: string) => violations.push({ rule: 'log', gid, what });
  const terms = new Set(evidence.terms.map((term) => term.epoch));
  const index = new Map(evidence.index.map((row) => [row.gid, row]));
  for (const [gid, own] of rows) {
    for (const what of wrongRows(own, terms)) found(gid, what);
    const replayed = replay(own);
    if (!replayed.ok) found(gid, `it cannot be replayed: ${replayed.reason}`);
    else if (replayed.tx === null) found(gid, 'its rows replay to nothing');
    else for (const what of wrongIndex(replayed.tx, index.get(gid))) found(gid, what);
  }
  for (const { gid } of evidence.index) {
    if (!rows.has(gid)) found(gid, 'the index has it, the log does not');
  }
  if (terms.size !== evidence.terms.length) found(null, 'an epoch was given twice');
  const running = evidence.terms.filter((term) => !term.isOver);
  if (running.length !== 1) found(null, `${running.length} terms run at once`);
  return violations;
}

function wrongRows(rows: readonly LogRow[], terms: ReadonlySet<number>): readonly string[] {
  const wrong: string[] = [];
  let epoch = 0;
  rows.forEach((row, place) => {
    if (row.seq !== place + 1) wrong.push(`row ${place + 1} has seq ${row.seq}`);
    if (row.epoch < epoch) wrong.push(`seq ${row.seq} is of epoch ${row.epoch}, after ${epoch}`);
    if (!terms.has(row.epoch)) wrong.push(`seq ${row.seq} is of epoch ${row.epoch}, never given`);
    if (row.shard !== shardOf(row.gid)) wrong.push(`seq ${row.seq} is in shard ${row.shard}`);
    epoch = Math.max(epoch, row.epoch);
  });
  const records = rows.flatMap(recordsOf);
  const decisions = records.filter((record) => record.kind === 'decided');
  if (decisions.length > 1) wrong.push(`it was decided ${decisions.length} times`);
  for (const record of records) {
    if (record.kind !== 'attention' || record.attention.reason === 'retries') continue;
    wrong.push(`attention: ${record.attention.reason}: ${record.attention.detail}`);
  }
  return wrong;
}

/** Empty for what is no JSON: then replay fails, and says so. */
function recordsOf(row: LogRow): readonly LogRecord[] {
  try {
    // Parse boundary: the engine wrote it.
    return JSON.parse(row.records) as readonly LogRecord[];
  } catch {
    return [];
  }
}

function wrongIndex(tx: Transaction, row: IndexRow | undefined): readonly string[] {
  if (row === undefined) return ['the log has it, the index does not'];
  const outcome = tx.phase === 'committed' || tx.phase === 'rolledBack' ? tx.phase : null;
  if (row.outcome === outcome) return [];
  return [`its rows replay to ${tx.phase}, its index row says ${row.outcome ?? 'open'}`];
}

/** What the coordinator lists equals what the rows replay to. */
export function checkApi({ evidence, states }: Case): readonly Violation[] {
  const violations: Violation[] = [];
  const found = (gid: string, what: string) => violations.push({ rule: 'api', gid, what });
  const listed = new Map(evidence.api.map((summary) => [summary.gid, summary]));
  for (const [gid, tx] of states) {
    const summary = listed.get(gid);
    if (summary === undefined) {
      found(gid, 'the coordinator does not list it');
      continue;
    }
    for (const field of [
      'phase',
      'cause',
      'startedAtMs',
      'deadlineAtMs',
      'finishedAtMs',
    ] as const) {
      const [said, so] = [JSON.stringify(summary[field]), JSON.stringify(tx[field])];
      if (said !== so) found(gid, `the coordinator says ${field} ${said}, its rows say ${so}`);
    }
  }
  for (const gid of listed.keys()) {
    if (!states.has(gid)) found(gid, 'the coordinator lists it, the log does not have it');
  }
  return violations;
}
