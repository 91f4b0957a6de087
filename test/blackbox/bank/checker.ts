/**
 * The judge: pure, over what was read at the end and what the processes wrote down. Its rules:
 *
 * - ledger: each gid did all branches or none, each operation once, never confirm and cancel;
 * - money: every account is its opening plus its ledger, and the total is what it was;
 * - reads: a total seen meanwhile differs by no more than what was then between decision and done
 *   (saga: between submit and done); nothing held is negative, nothing free below what undo took;
 * - wallets: each gid of kind `at` did all legs or none, as decided, or as told of one database alone;
 * - versions: the entries of a wallet follow each other without a gap and end in what it is;
 * - purses: each is its opening and the legs of what was committed, each of them once;
 * - undo: no undo row, no local transaction; barrier rows of kind `at` agree with the outcome;
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
import {
  checkPurses,
  checkUndo,
  checkVersions,
  checkWallets,
  type Entries,
  entriesByGid,
} from './check-wallets.ts';
import type { Evidence } from './evidence.ts';
import type { Transfer } from './transfers.ts';
import type { WalletTransfer } from './wallet-transfers.ts';

export type Rule =
  | 'ledger'
  | 'money'
  | 'wallets'
  | 'versions'
  | 'purses'
  | 'undo'
  | 'reads'
  | 'replies'
  | 'residue'
  | 'log'
  | 'api'
  | 'crash';

/** Something that must not be. `gid`: null when it is not about one transfer. */
export interface Violation {
  readonly rule: Rule;
  readonly gid: string | null;
  readonly what: string;
}

/** The evidence, looked up by gid. */
export interface Case {
  readonly evidence: Evidence;
  /** Those between accounts, by TCC or saga. */
  readonly transfers: ReadonlyMap<string, Transfer>;
  /** Those between wallets, by kind `at`. */
  readonly walletTransfers: ReadonlyMap<string, WalletTransfer>;
  readonly entries: Entries;
  readonly rows: ReadonlyMap<string, readonly LogRow[]>;
  /** What the rows of a gid replay to; a gid that cannot be replayed is missing. */
  readonly states: ReadonlyMap<string, Transaction>;
}

/** What became of transfers. */
export interface Counts {
  readonly transfers: number;
  readonly committed: number;
  /** Rolled back, or never begun. */
  readonly rolledBack: number;
  /** Those whose initiator was told nothing for certain. */
  readonly unknown: number;
}

/** The kinds of transfers. */
export type Kind = 'tcc' | 'saga' | 'at';

/** Everything holds when `violations` is empty. */
export interface Finding extends Counts {
  readonly kinds: Readonly<Record<Kind, Counts>>;
  /** Of kind `at`: given up because another one had the same rows. */
  readonly lockConflicts: number;
  /** Of kind `at`: were committed locally somewhere, and have been taken back from undo rows. */
  readonly undone: number;
  readonly violations: readonly Violation[];
}

/** Finds all violations, not just the first. */
export function check(evidence: Evidence): Finding {
  const known = openCase(evidence);
  const asked = [...known.transfers.values(), ...known.walletTransfers.values()];
  const count = (transfers: typeof asked) => countOf(known, transfers);
  return {
    ...count(asked),
    kinds: {
      tcc: count(asked.filter(({ mode }) => mode === 'transaction')),
      saga: count(asked.filter(({ mode }) => mode === 'saga')),
      at: count(asked.filter(({ mode }) => mode === 'at')),
    },
    lockConflicts: evidence.history.filter(
      ({ f, type, value }) => f === 'transfer' && type === 'fail' && value === 'LOCK_CONFLICT',
    ).length,
    undone: new Set(
      evidence.shards
        .flatMap(({ barrier }) => barrier)
        .flatMap(({ gid, operation }) => (operation === 'rollback' ? [gid] : [])),
    ).size,
    violations: [
      ...checkLedger(known),
      ...checkMoney(known),
      ...checkWallets(known),
      ...checkVersions(known),
      ...checkPurses(known),
      ...checkUndo(known),
      ...checkReads(known),
      ...checkReplies(known),
      ...checkResidue(known),
      ...checkLog(known),
      ...checkApi(known),
      ...evidence.crashes.map((what): Violation => ({ rule: 'crash', gid: null, what })),
    ],
  };
}

function countOf(known: Case, transfers: readonly (Transfer | WalletTransfer)[]): Counts {
  const told = new Set(
    known.evidence.history.flatMap(({ f, type, gid }) =>
      f === 'transfer' && (type === 'ok' || type === 'fail') ? [gid] : [],
    ),
  );
  const outcomes = transfers.map((transfer) => outcomeOf(known, transfer));
  return {
    transfers: transfers.length,
    committed: outcomes.filter((outcome) => outcome === 'committed').length,
    rolledBack: outcomes.filter((outcome) => outcome === 'rolledBack').length,
    unknown: transfers.filter(({ gid }) => !told.has(gid)).length,
  };
}

/** The log's; of what one database did alone, which the log never hears of, what is in it. */
function outcomeOf({ states, rows, entries }: Case, transfer: Transfer | WalletTransfer) {
  const { gid } = transfer;
  if (transfer.mode === 'at' && transfer.route === 'alone') {
    return entries.has(gid) ? 'committed' : 'rolledBack';
  }
  return rows.has(gid) ? states.get(gid)?.phase : 'rolledBack';
}

function openCase(evidence: Evidence): Case {
  const transfers = new Map<string, Transfer>();
  const walletTransfers = new Map<string, WalletTransfer>();
  for (const line of evidence.history) {
    if (line.f !== 'transfer' || line.type !== 'invoke') continue;
    const { value } = line;
    if (value.mode === 'at') walletTransfers.set(value.gid, value);
    else transfers.set(value.gid, value);
  }
  const rows = Map.groupBy(evidence.rows, (row) => row.gid);
  const states = new Map<string, Transaction>();
  for (const [gid, own] of rows) {
    const replayed = replay(own);
    if (replayed.ok && replayed.tx !== null) states.set(gid, replayed.tx);
  }
  const entries = entriesByGid(evidence.shards);
  return { evidence, transfers, walletTransfers, entries, rows, states };
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

/** History and log rows by time, then what is in the shards, which has no times. */
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
  const kept = evidence.shards.flatMap(({ shard, entries, undo, barrier }) => [
    ...entries
      .filter((row) => row.gid === gid)
      .map((row) => `entry ${shard}: ${JSON.stringify(row)}`),
    ...undo.filter((row) => row.gid === gid).map((row) => `undo ${shard}: ${JSON.stringify(row)}`),
    ...barrier
      .filter((row) => row.gid === gid)
      .map((row) => `barrier ${shard}: ${JSON.stringify(row)}`),
  ]);
  const timed = [...told, ...logged].sort((one, other) => one.t - other.t);
  return [
    ...timed.map(({ t, text }) => `${new Date(t).toISOString()} ${text}`),
    ...ledger,
    ...kept,
  ];
}
