/** Rules about the shards: ledger join by gid, money, and nothing left behind. Pure. */
import { branchesOf, type ExpectedBranch } from '../../../server/demo/expected-branch.ts';
import { isOfAt } from './check-wallets.ts';
import type { Case, Violation } from './checker.ts';
import type { LedgerRow, ShardReading } from './evidence.ts';
import type { Transfer } from './transfers.ts';

/** All branches or none, each operation once, with the account and amount that were asked for. */
export function checkLedger({ evidence, transfers, states }: Case): readonly Violation[] {
  const rows = Map.groupBy(
    evidence.shards.flatMap(({ ledger }) => ledger),
    (row) => row.gid,
  );
  const violations: Violation[] = [];
  const found = (gid: string, what: string) => violations.push({ rule: 'ledger', gid, what });
  for (const gid of rows.keys()) {
    if (!transfers.has(gid)) found(gid, 'money moved for a transfer that nobody asked for');
    else if (!states.has(gid)) found(gid, 'money moved, and the log does not know it');
  }
  for (const [gid, transfer] of transfers) {
    const phase = states.get(gid)?.phase;
    // What is still open is for the residue rule to tell.
    if (phase !== 'committed' && phase !== 'rolledBack') continue;
    const own = rows.get(gid) ?? [];
    const branches = branchesOf(transfer);
    branches.forEach((branch, index) => {
      const number = index + 1;
      const done = own.filter((row) => row.branch_id === number);
      const wrong = wrongWith({ branch, phase, mode: transfer.mode }, done);
      if (wrong !== null) found(gid, `${phase}, but branch ${number} ${wrong}`);
    });
    const foreign = own.find((row) => row.branch_id > branches.length);
    if (foreign !== undefined) found(gid, `it has a row of branch ${foreign.branch_id}`);
  }
  return violations;
}

interface BranchCase {
  readonly branch: ExpectedBranch;
  readonly phase: 'committed' | 'rolledBack';
  readonly mode: Transfer['mode'];
}

function wrongWith({ branch, phase, mode }: BranchCase, rows: readonly LedgerRow[]): string | null {
  const operations = rows.map((row) => row.operation).sort();
  const done = operations.join('+');
  const right = {
    transaction: { committed: ['confirm+try'], rolledBack: ['', 'cancel+try'] },
    saga: { committed: ['run'], rolledBack: ['', 'run+undo'] },
  }[mode][phase];
  if (!right.includes(done)) return `did ${done === '' ? 'nothing' : done}`;
  const stranger = rows.find((row) => row.account !== branch.account || row.cents !== branch.cents);
  if (stranger !== undefined) return `changed ${stranger.account} for ${stranger.cents} cents`;
  const change = rows.reduce((sum, row) => sum + row.change, 0);
  const expected = phase === 'committed' ? branch.change : 0;
  return change === expected ? null : `changed ${branch.account} by ${change} cents`;
}

/** Each account against its ledger, and all money against what there was. */
export function checkMoney({ evidence }: Case): readonly Violation[] {
  const violations: Violation[] = [];
  const found = (what: string) => violations.push({ rule: 'money', gid: null, what });
  let grown = 0;
  for (const { accounts, ledger } of evidence.shards) {
    for (const { account, opening, cents, held } of accounts) {
      const change = ledger
        .filter((row) => row.account === account)
        .reduce((sum, row) => sum + row.change, 0);
      grown += cents + held - opening;
      if (cents + held === opening + change) continue;
      found(`${account} has ${cents + held} cents, its ledger says ${opening + change}`);
    }
  }
  if (grown !== 0) found(`the total has changed by ${grown} cents`);
  return violations;
}

/** Nothing is open, reserved, or held, and no barrier row is without meaning. */
export function checkResidue(known: Case): readonly Violation[] {
  const violations: Violation[] = [];
  const found = (gid: string | null, what: string) =>
    violations.push({ rule: 'residue', gid, what });
  for (const [gid, { phase }] of known.states) {
    if (phase !== 'committed' && phase !== 'rolledBack') found(gid, `it is still ${phase}`);
  }
  for (const reading of known.evidence.shards) {
    for (const { gid, branch_id } of reading.reservations) {
      found(gid, `branch ${branch_id} left a reservation in shard ${reading.shard}`);
    }
    for (const { account, held } of reading.accounts) {
      if (held !== 0) found(null, `${account} still holds ${held} cents`);
    }
    for (const { gid, what } of meaninglessRows(known, reading)) found(gid, what);
  }
  return violations;
}

/** `done` means a ledger row, `blocked` a branch of a transfer that rolled back before its try. */
function meaninglessRows({ states }: Case, { barrier, ledger }: ShardReading) {
  const keyOf = (row: { gid: string; branch_id: number; operation: string }) =>
    `${row.gid}/${row.branch_id}/${row.operation}`;
  const inLedger = new Set(ledger.map(keyOf));
  return barrier.flatMap((row) => {
    const { gid, state } = row;
    if (isOfAt(row.operation)) return [];
    if (state === 'done' && !inLedger.has(keyOf(row))) {
      return [{ gid, what: `${keyOf(row)} is in the barrier and not in the ledger` }];
    }
    if (state === 'blocked' && states.get(gid)?.phase !== 'rolledBack') {
      return [{ gid, what: `${keyOf(row)} is blocked, and it did not roll back` }];
    }
    return [];
  });
}
