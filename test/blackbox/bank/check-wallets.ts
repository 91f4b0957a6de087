/**
 * Rules about kind `at`: entries of wallets join by gid with what was asked, decided and told; each
 * wallet is the sum of its entries, one after the other; and nothing is left of branches. Pure.
 */
import { isPurse } from './cast.ts';
import type { Case, Violation } from './checker.ts';
import type { ShardReading, WalletEntry } from './evidence.ts';
import { markOf } from './purses.ts';
import { type Leg, legsOf, type WalletTransfer } from './wallet-transfers.ts';

/** Entries by gid. */
export type Entries = ReadonlyMap<string, readonly WalletEntry[]>;

/** All entries of all shards. */
export function entriesByGid(readings: readonly ShardReading[]): Entries {
  return Map.groupBy(
    readings.flatMap(({ entries }) => entries),
    ({ gid }) => gid,
  );
}

/** All legs or none: as the log decided, or, of what stayed in one database, as was told. */
export function checkWallets(known: Case): readonly Violation[] {
  const { evidence, walletTransfers, entries, states } = known;
  const violations: Violation[] = [];
  const found = (gid: string, what: string) => violations.push({ rule: 'wallets', gid, what });
  for (const gid of entries.keys()) {
    if (!walletTransfers.has(gid)) found(gid, 'wallets changed, and nobody asked for it');
  }
  const told = new Map(
    evidence.history.flatMap(({ f, gid, type }) =>
      f === 'transfer' && type !== 'invoke' && gid !== null ? [[gid, type] as const] : [],
    ),
  );
  for (const [gid, transfer] of walletTransfers) {
    const phase = states.get(gid)?.phase;
    if (transfer.route === 'alone' && phase !== undefined) {
      found(gid, `one database alone changed, yet the log has it as ${phase}`);
    }
    const done = amountsOf(entries.get(gid) ?? []);
    const asked = amountsOf(legsOf(transfer).filter(({ wallet }) => !isPurse(wallet)));
    const expected = expectedOf(transfer, phase, told.get(gid));
    const isRight = expected === 'all' ? done === asked : done === '';
    const isEither = expected === 'either' && done === asked;
    if (expected !== null && !isRight && !isEither) {
      found(
        gid,
        `${phase ?? 'not in the log'}: it was asked for ${asked}, its entries are ${done}`,
      );
    }
  }
  return violations;
}

/** Null: it is still open, which is for the residue rule to tell. */
function expectedOf(
  { route, story }: WalletTransfer,
  phase: string | undefined,
  told: 'ok' | 'fail' | 'info' | undefined,
): 'all' | 'none' | 'either' | null {
  if (route === 'alone') {
    if (told === 'ok') return 'all';
    return told === 'fail' || story !== 'pay' ? 'none' : 'either';
  }
  if (phase === 'committed') return 'all';
  return phase === 'rolledBack' || phase === undefined ? 'none' : null;
}

/** In any order: two services, and two shards, have none in common. */
function amountsOf(legs: readonly Leg[]): string {
  return legs
    .map(({ wallet, amount }) => `${wallet} ${amount}`)
    .sort()
    .join(', ');
}

/**
 * A purse is its opening and the legs of all that was committed, each once: the marks tell them apart.
 * What is still open, which is for the residue rule to tell, leaves its purses untold.
 */
export function checkPurses({ evidence, walletTransfers, states }: Case): readonly Violation[] {
  const expected = new Map<string, { cents: number; version: number; mark: number }>();
  const open = new Set<string>();
  for (const [gid, transfer] of walletTransfers) {
    const phase = states.get(gid)?.phase;
    for (const leg of legsOf(transfer)) {
      if (phase !== undefined && phase !== 'committed' && phase !== 'rolledBack') {
        open.add(leg.wallet);
      }
      if (phase !== 'committed') continue;
      const { cents, version, mark } = expected.get(leg.wallet) ?? nothingDone;
      const after = {
        cents: cents + leg.amount,
        version: version + 1,
        mark: mark + markOf(gid, leg),
      };
      expected.set(leg.wallet, after);
    }
  }
  return evidence.shards
    .flatMap(({ purses }) => purses)
    .flatMap(({ purse, opening, cents, version, mark }): readonly Violation[] => {
      if (open.has(purse)) return [];
      const is = JSON.stringify({ cents: cents - opening, version, mark: Number(mark) });
      const should = JSON.stringify(expected.get(purse) ?? nothingDone);
      const what = `${purse} has changed by ${is}, what was committed is ${should}`;
      return is === should ? [] : [{ rule: 'purses', gid: null, what }];
    });
}

const nothingDone = { cents: 0, version: 0, mark: 0 };

/**
 * The entries of a wallet have the versions 1 to its own, each continues the one before, and the last
 * is the wallet: no change was lost, made on top of one that was taken back, or taken back by halves.
 */
export function checkVersions({ evidence }: Case): readonly Violation[] {
  const violations: Violation[] = [];
  const found = (gid: string | null, what: string) =>
    violations.push({ rule: 'versions', gid, what });
  let grown = 0;
  for (const { wallets, purses, entries } of evidence.shards) {
    for (const { cents, opening } of purses) grown += cents - opening;
    const byWallet = Map.groupBy(entries, ({ wallet }) => wallet);
    for (const { wallet, opening, cents, version } of wallets) {
      grown += cents - opening;
      const own = (byWallet.get(wallet) ?? []).sort((one, other) => one.version - other.version);
      let expected = { cents: opening, version: 0 };
      for (const entry of own) {
        expected = { cents: expected.cents + entry.amount, version: expected.version + 1 };
        if (isSame(entry, expected)) continue;
        found(entry.gid, `it left ${wallet} as ${textOf(entry)}, and not as ${textOf(expected)}`);
        expected = entry;
      }
      if (isSame({ cents, version }, expected)) continue;
      found(
        null,
        `${wallet} is ${textOf({ cents, version })}, its entries say ${textOf(expected)}`,
      );
    }
  }
  if (grown !== 0) found(null, `the total of all wallets and purses has changed by ${grown} cents`);
  return violations;
}

interface Balance {
  readonly cents: number;
  readonly version: number;
}

function isSame(one: Balance, other: Balance): boolean {
  return one.cents === other.cents && one.version === other.version;
}

function textOf({ cents, version }: Balance): string {
  return `${cents} cents at version ${version}`;
}

/** No undo row, no local transaction, and barrier rows of kind `at` that agree with the outcome. */
export function checkUndo(known: Case): readonly Violation[] {
  const violations: Violation[] = [];
  const found = (gid: string | null, what: string) => violations.push({ rule: 'undo', gid, what });
  for (const { shard, undo, sessions } of known.evidence.shards) {
    for (const { gid, table_name, row_key } of undo) {
      found(gid, `an undo row of ${table_name} ${row_key} is left in shard ${shard}`);
    }
    if (sessions > 0) found(null, `${sessions} local transactions are left in shard ${shard}`);
  }
  const rows = new Map<string, string>();
  for (const { gid, branch_id, operation, state } of known.evidence.shards.flatMap(
    ({ barrier }) => barrier,
  )) {
    if (!isOfAt(operation)) continue;
    rows.set(`${gid}/${branch_id}/${operation}`, state);
    const tx = known.states.get(gid);
    const branches = tx?.mode === 'transaction' ? tx.branches : [];
    if (!branches.some((branch) => branch.branchId === branch_id && branch.kind === 'at')) {
      found(gid, `it did ${operation} of branch ${branch_id}, which the log does not have`);
    }
  }
  for (const tx of known.states.values()) {
    if (tx.mode !== 'transaction') continue;
    for (const { branchId, kind } of tx.branches) {
      if (kind !== 'at') continue;
      const state = (operation: string) => rows.get(`${tx.gid}/${branchId}/${operation}`) ?? 'none';
      const way = `prepare ${state('prepare')}, rollback ${state('rollback')}`;
      if (isWay(tx.phase, way)) continue;
      found(tx.gid, `it is ${tx.phase}, and the barrier rows of branch ${branchId} are: ${way}`);
    }
  }
  return violations;
}

/** Whether the row is of kind `at`: the other kinds have other operations. */
export function isOfAt(operation: string): boolean {
  return operation === 'prepare' || operation === 'rollback';
}

/** Which barrier rows a branch may have in the end. */
function isWay(phase: string, way: string): boolean {
  if (phase === 'committed') return way === 'prepare done, rollback none';
  if (phase !== 'rolledBack') return true;
  return way === 'prepare done, rollback done' || way === 'prepare blocked, rollback none';
}
