/**
 * The judge: pure, over what was read at the end and what the processes wrote down. Its rules:
 *
 * - ledger: each gid did all branches or none, each operation once, never confirm and cancel;
 * - money: every account is its opening plus its ledger, and the total is what it was;
 * - reads: a total seen meanwhile differs by no more than what was then between decision and done
 *   (saga: between submit and done); nothing held is negative, nothing free below what undo took;
 * - replies: `ok` is committed, `fail` never is, `info` may be either; a doomed one never commits;
 * - residue: nothing open, reserved or held; barrier rows only where they mean something;
 * - log: seq without gaps, one decision, epochs that only grow, replay works and equals index and API;
 * - crash: no process ended by itself.
 */

import type { Transaction } from '../../../server/core/transaction.ts';
import { replay } from '../../../server/engine/codec.ts';
import type { LogRow } from '../../../server/log/log.ts';
import { checkReads, checkReplies } from './check-history.ts';
import { checkLedger, checkMoney, checkResidue } from './check-ledger.ts';
import { checkApi, checkLog } from './check-log.ts';
import type { Evidence } from './evidence.ts';
import type { Transfer } from './transfers.ts';

export type Rule = 'ledger' | 'money' | 'reads' | 'replies' | 'residue' | 'log' | 'api' | 'crash';

/** Something that must not be. `gid`: null when it is not about one transfer. */
export interface Violation {
  readonly rule: Rule;
  readonly gid: string | null;
  readonly what: string;
}

/** The evidence, looked up by gid. */
export interface Case {
  readonly evidence: Evidence;
  readonly transfers: ReadonlyMap<string, Transfer>;
  readonly rows: ReadonlyMap<string, readonly LogRow[]>;
  /** What the rows of a gid replay to; a gid that cannot be replayed is missing. */
  readonly states: ReadonlyMap<string, Transaction>;
}

/** Everything holds when `violations` is empty. */
export interface Finding {
  readonly transfers: number;
  readonly committed: number;
  /** Rolled back, or never begun. */
  readonly rolledBack: number;
  /** Those whose initiator was told nothing for certain. */
  readonly unknown: number;
  readonly violations: readonly Violation[];
}

/** Finds all violations, not just the first. */
export function check(evidence: Evidence): Finding {
  const known = openCase(evidence);
  const { transfers, states, rows } = known;
  const phases = [...transfers.keys()].map((gid) => states.get(gid)?.phase);
  const told = new Set(
    evidence.history.flatMap(({ f, type, gid }) =>
      f === 'transfer' && (type === 'ok' || type === 'fail') ? [gid] : [],
    ),
  );
  return {
    transfers: transfers.size,
    committed: phases.filter((phase) => phase === 'committed').length,
    rolledBack:
      phases.filter((phase) => phase === 'rolledBack').length +
      [...transfers.keys()].filter((gid) => !rows.has(gid)).length,
    unknown: [...transfers.keys()].filter((gid) => !told.has(gid)).length,
    violations: [
      ...checkLedger(known),
      ...checkMoney(known),
      ...checkReads(known),
      ...checkReplies(known),
      ...checkResidue(known),
      ...checkLog(known),
      ...checkApi(known),
      ...evidence.crashes.map((what): Violation => ({ rule: 'crash', gid: null, what })),
    ],
  };
}

function openCase(evidence: Evidence): Case {
  const transfers = new Map<string, Transfer>();
  for (const line of evidence.history) {
    if (line.f === 'transfer' && line.type === 'invoke') transfers.set(line.value.gid, line.value);
  }
  const rows = Map.groupBy(evidence.rows, (row) => row.gid);
  const states = new Map<string, Transaction>();
  for (const [gid, own] of rows) {
    const replayed = replay(own);
    if (replayed.ok && replayed.tx !== null) states.set(gid, replayed.tx);
  }
  return { evidence, transfers, rows, states };
}

/** The violation that takes the fewest lines to tell, with all that is known of its gid, by time. */
export function shortestWitness(evidence: Evidence, violations: readonly Violation[]): string[] {
  const stories = violations.map((violation) => ({
    violation,
    lines: violation.gid === null ? [] : storyOf(evidence, violation.gid),
  }));
  // A story without a gid has no lines to show, so it is told only when there is nothing better.
  const cost = (lines: readonly string[]): number => lines.length || Number.MAX_SAFE_INTEGER;
  const [shortest] = stories.sort((one, other) => cost(one.lines) - cost(other.lines));
  if (shortest === undefined) return [];
  const { rule, gid, what } = shortest.violation;
  return [`${rule}: ${gid === null ? '' : `${gid}: `}${what}`, ...shortest.lines];
}

/** History and log rows by time, then the ledger, which has no times. */
function storyOf(evidence: Evidence, gid: string): readonly string[] {
  const told = evidence.history
    .filter((line) => line.gid === gid)
    .map(({ t, process, type, value }) => ({
      t,
      text: `${process} ${type} ${JSON.stringify(value)}`,
    }));
  const logged = evidence.rows
    .filter((row) => row.gid === gid)
    .map(({ atMs, seq, epoch, records }) => ({
      t: atMs,
      text: `log seq ${seq} epoch ${epoch} ${records}`,
    }));
  const ledger = evidence.shards.flatMap((shard) =>
    shard.ledger
      .filter((row) => row.gid === gid)
      .map(({ branch_id, operation, account, change }) => {
        return `ledger ${shard.shard}: branch ${branch_id} ${operation} ${account} ${change}`;
      }),
  );
  const timed = [...told, ...logged].sort((one, other) => one.t - other.t);
  return [...timed.map(({ t, text }) => `${new Date(t).toISOString()} ${text}`), ...ledger];
}
