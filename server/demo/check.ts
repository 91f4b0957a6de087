/**
 * The judgement at the end: shards' rows, the coordinator's outcomes and the initiators' answers
 * against each other. Pure, so that a test can show that it fails when it should. What it guards
 * is the promise of Settle itself: all branches or none, and not a cent lost.
 */
import type { Cause, Gid, Phase } from '../../client-sdk/protocol/index.ts';
import { branchesOf, type ExpectedBranch } from './expected-branch.ts';
import { type LedgerRow, moneyOf, type ShardReading } from './shard-reading.ts';
import { isDoomed, type Run, shardOf, type Transfer, transferOf } from './workload.ts';

/** How a transfer ended, as the coordinator's API says. */
export interface Outcome {
  readonly phase: Phase;
  readonly cause: Cause['kind'] | null;
  readonly hasAttention: boolean;
}

/** What an initiator was told. `abandoned`: it did not stay to hear. */
export interface Told {
  readonly gid: Gid;
  readonly told: 'committed' | 'rolledBack' | 'abandoned';
}

/** What the check looks at. */
export interface Evidence {
  readonly run: Run;
  /** Cents at the start, over all shards. */
  readonly moneyBefore: number;
  readonly shards: readonly ShardReading[];
  /** By gid; a gid that the coordinator does not know is missing. */
  readonly outcomes: ReadonlyMap<Gid, Outcome>;
  readonly answers: readonly Told[];
}

/** Something that must not be. */
export interface Violation {
  /** Null when it is about an account, not about a transfer. */
  readonly gid: Gid | null;
  readonly what: string;
}

/** Money in cents. Everything holds when `violations` is empty. */
export interface Finding {
  readonly committed: number;
  readonly rolledBack: number;
  readonly open: number;
  readonly attention: number;
  readonly moneyBefore: number;
  readonly moneyAfter: number;
  /** Accounts with held money, and reservations that were never settled. */
  readonly residue: number;
  readonly conserved: boolean;
  readonly violations: readonly Violation[];
}

/** Looks at everything; finds all violations, not just the first. */
export function check(evidence: Evidence): Finding {
  const { run, moneyBefore, shards, outcomes, answers } = evidence;
  const transfers = Array.from({ length: run.transfers }, (_, index) => transferOf(run, index));
  const phases = transfers.map(({ gid }) => outcomes.get(gid)?.phase);
  const committed = phases.filter((phase) => phase === 'committed').length;
  const rolledBack = phases.filter((phase) => phase === 'rolledBack').length;
  const moneyAfter = moneyOf(shards);
  const residue = shards.reduce(
    (sum, { accounts, reservations }) =>
      sum + reservations.length + accounts.filter(({ held }) => held !== 0).length,
    0,
  );
  const conserved = moneyAfter === moneyBefore;
  const violations = [
    ...(conserved ? [] : [about(null, `${moneyAfter - moneyBefore} cents came from nowhere`)]),
    ...shards.flatMap(checkShard),
    ...checkTransfers(transfers, outcomes, shards),
    ...checkAnswers(transfers, outcomes, answers),
  ];
  return {
    committed,
    rolledBack,
    open: run.transfers - committed - rolledBack,
    attention: transfers.filter(({ gid }) => outcomes.get(gid)?.hasAttention === true).length,
    moneyBefore,
    moneyAfter,
    residue,
    conserved,
    violations,
  };
}

/** Within a shard: money against ledger, ledger against barrier, nothing left reserved. */
function checkShard(reading: ShardReading): readonly Violation[] {
  const { shard, accounts, reservations, ledger, done } = reading;
  const grown = new Map<string, number>();
  for (const { account, change } of ledger) {
    grown.set(account, (grown.get(account) ?? 0) + change);
  }
  const wrong = accounts.flatMap(({ account, opening, cents, held }) => {
    const expected = opening + (grown.get(account) ?? 0);
    if (cents + held === expected)
      return held === 0 ? [] : [about(null, `${account} holds ${held}`)];
    return [about(null, `${account} has ${cents + held} cents, its ledger says ${expected}`)];
  });
  const left = reservations.map(({ gid, branchId }) =>
    about(gid, `branch ${branchId} left a reservation in shard ${shard}`),
  );
  const inLedger = new Set(ledger.map(keyOf));
  const inBarrier = new Set(done.map(keyOf));
  const unwritten = done
    .filter((row) => !inLedger.has(keyOf(row)))
    .map((row) => about(row.gid, `${keyOf(row)} is in the barrier and not in the ledger`));
  const unguarded = ledger
    .filter((row) => !inBarrier.has(keyOf(row)))
    .map((row) => about(row.gid, `${keyOf(row)} is in the ledger and not in the barrier`));
  return [...wrong, ...left, ...unwritten, ...unguarded];
}

/** Between shards: each transfer is terminal, and did all of its branches or none. */
function checkTransfers(
  transfers: readonly Transfer[],
  outcomes: ReadonlyMap<Gid, Outcome>,
  shards: readonly ShardReading[],
): readonly Violation[] {
  const rows = new Map<Gid, PlacedRow[]>(transfers.map(({ gid }) => [gid, []]));
  const strangers: Violation[] = [];
  for (const { shard, ledger } of shards) {
    for (const row of ledger) {
      const known = rows.get(row.gid);
      if (known === undefined) strangers.push(about(row.gid, 'it is not of this run'));
      else known.push({ ...row, shard });
    }
  }
  const wrong = transfers.flatMap((transfer) =>
    checkTransfer(transfer, outcomes.get(transfer.gid), rows.get(transfer.gid) ?? []).map((what) =>
      about(transfer.gid, what),
    ),
  );
  return [...strangers, ...wrong];
}

interface PlacedRow extends LedgerRow {
  readonly shard: number;
}

function checkTransfer(
  transfer: Transfer,
  outcome: Outcome | undefined,
  rows: readonly PlacedRow[],
): readonly string[] {
  if (outcome === undefined) return ['the coordinator does not know it'];
  const { phase, cause, hasAttention } = outcome;
  if (phase !== 'committed' && phase !== 'rolledBack') return [`it is still ${phase}`];
  const wrong: string[] = [];
  if (hasAttention) wrong.push('it is finished and asks for attention');
  if (phase === 'committed' && isDoomed(transfer)) wrong.push(`${transfer.story}, yet committed`);
  if (transfer.story === 'abandoned' && cause !== 'deadline') {
    wrong.push(`abandoned, yet it ended by ${cause}`);
  }
  const expected = branchesOf(transfer);
  expected.forEach((branch, index) => {
    const own = rows.filter(({ branchId }) => branchId === index + 1);
    wrong.push(...checkBranch({ transfer, branch, number: index + 1, phase }, own));
  });
  const foreign = rows.filter(({ branchId }) => branchId > expected.length);
  return [...wrong, ...foreign.map(({ branchId }) => `it has a row of branch ${branchId}`)];
}

interface BranchCase {
  readonly transfer: Transfer;
  readonly branch: ExpectedBranch;
  readonly number: number;
  readonly phase: 'committed' | 'rolledBack';
}

function checkBranch(
  { transfer, branch, number, phase }: BranchCase,
  rows: readonly PlacedRow[],
): readonly string[] {
  const operations = rows.map(({ operation }) => operation).sort();
  const done = operations.join('+');
  const isTransaction = transfer.mode === 'transaction';
  const right =
    phase === 'committed'
      ? [isTransaction ? 'confirm+try' : 'run']
      : ['', isTransaction ? 'cancel+try' : 'run+undo'];
  const wrong = right.includes(done)
    ? []
    : [`${phase}, but branch ${number} did ${done === '' ? 'nothing' : done}`];
  const misplaced = rows.filter(
    ({ account, cents, shard }) =>
      account !== branch.account || cents !== branch.cents || shard !== shardOf(account),
  );
  const change = rows.reduce((sum, row) => sum + row.change, 0);
  if (misplaced.length > 0) wrong.push(`branch ${number} changed another account or amount`);
  if (change !== (phase === 'committed' ? branch.change : 0)) {
    wrong.push(`${phase}, but branch ${number} changed ${branch.account} by ${change} cents`);
  }
  return wrong;
}

/** Each initiator's answer against the outcome: nobody was told what is not so. */
function checkAnswers(
  transfers: readonly Transfer[],
  outcomes: ReadonlyMap<Gid, Outcome>,
  answers: readonly Told[],
): readonly Violation[] {
  const answered = new Set(answers.map(({ gid }) => gid));
  const missing = transfers
    .filter(({ gid }) => !answered.has(gid))
    .map(({ gid }) => about(gid, 'its initiator never had an answer'));
  const wrong = answers
    .filter(({ gid, told }) => told !== 'abandoned' && outcomes.get(gid)?.phase !== told)
    .map(({ gid, told }) =>
      about(gid, `its initiator was told ${told}, it is ${outcomes.get(gid)?.phase ?? 'unknown'}`),
    );
  return [...missing, ...wrong];
}

function about(gid: Gid | null, what: string): Violation {
  return { gid, what };
}

function keyOf(row: { readonly gid: Gid; readonly branchId: number; readonly operation: string }) {
  return `${row.gid}/${row.branchId}/${row.operation}`;
}
