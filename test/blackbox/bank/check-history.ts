/** Rules about what the processes were told: replies of transfers, and balances seen meanwhile. Pure. */
import type { Phase } from '../../../client-sdk/protocol/index.ts';
import { moneyAtStart } from './cast.ts';
import type { Case, Violation } from './checker.ts';
import type { AccountSeen, HistoryLine } from './history.ts';
import { isDoomed, type Transfer } from './transfers.ts';

/** Replies against the log, whose outcomes the ledger rule holds against the money. */
export function checkReplies({
  evidence,
  transfers,
  walletTransfers,
  states,
}: Case): readonly Violation[] {
  const violations: Violation[] = [];
  const found = (gid: string, what: string) => violations.push({ rule: 'replies', gid, what });
  for (const line of evidence.history) {
    if (line.f !== 'transfer' || line.gid === null) continue;
    // The log never hears of it: its reply is held against its entries.
    if (walletTransfers.get(line.gid)?.route === 'alone') continue;
    const phase = states.get(line.gid)?.phase;
    if (line.type === 'ok' && !isCommit(phase)) {
      found(line.gid, `its initiator was told committed, it is ${phase ?? 'not in the log'}`);
    }
    // A gid that is not in the log was never begun, and nobody can begin it any more.
    if (line.type === 'fail' && phase !== undefined && !isRollback(phase)) {
      found(line.gid, `its initiator was told ${line.value}, it is ${phase}`);
    }
  }
  for (const [gid, { story }] of [...transfers, ...walletTransfers]) {
    if (!isDoomed(story) || !isCommit(states.get(gid)?.phase)) continue;
    found(gid, `its story is "${story}", so nobody can have committed it, yet it is committed`);
  }
  return violations;
}

/** The decision says so, whether or not all branches have been told: that is for residue. */
function isCommit(phase: Phase | undefined): boolean {
  return phase === 'committing' || phase === 'committed';
}

function isRollback(phase: Phase | undefined): boolean {
  return phase === 'rollingBack' || phase === 'rolledBack';
}

/** When money of a transfer may be on its way, in milliseconds since 1970. */
interface Journey {
  readonly fromMs: number;
  readonly toMs: number;
  /** The total may be so much smaller, or larger, meanwhile. */
  readonly paid: number;
  readonly received: number;
}

type ReadLine = Extract<HistoryLine, { readonly f: 'read'; readonly type: 'ok' }>;

/** Totals seen by the readers, against what was on its way while they looked. */
export function checkReads(known: Case): readonly Violation[] {
  const violations: Violation[] = [];
  const found = (what: string) => violations.push({ rule: 'reads', gid: null, what });
  const journeys = journeysOf(known);
  const undone = undoneByAccount(known);
  const invokes = new Map<string, number>();
  for (const line of known.evidence.history) {
    if (line.f !== 'read') continue;
    if (line.type === 'invoke') {
      invokes.set(`${line.process}/${line.value}`, line.t);
      continue;
    }
    const fromMs = invokes.get(`${line.process}/${line.value.number}`) ?? line.t;
    const wrong = wrongTotal(line, fromMs, journeys);
    if (wrong !== null) found(wrong);
    for (const { account, cents, held } of line.value.accounts) {
      if (held < 0) found(`${account} was seen to hold ${held} cents`);
      const least = -(undone.get(account) ?? 0);
      if (cents < least) found(`${account} was seen with ${cents} cents, undo explains ${least}`);
    }
  }
  return violations;
}

function wrongTotal(line: ReadLine, fromMs: number, journeys: readonly Journey[]): string | null {
  const total = totalOf(line.value.accounts);
  let least = moneyAtStart;
  let most = moneyAtStart;
  for (const journey of journeys) {
    if (journey.toMs < fromMs || journey.fromMs > line.t) continue;
    least -= journey.paid;
    most += journey.received;
  }
  if (total >= least && total <= most) return null;
  return `${line.process} saw a total of ${total} at ${line.t}; ${least} to ${most} can be explained`;
}

function totalOf(accounts: readonly AccountSeen[]): number {
  return accounts.reduce((sum, { cents, held }) => sum + cents + held, 0);
}

/**
 * A decision is stamped before it is durable and the end after the last participant has answered,
 * all on one machine, so the money moves within. A transaction that rolls back moves none.
 */
function journeysOf({ transfers, states }: Case): readonly Journey[] {
  return [...states.values()].flatMap((tx) => {
    const transfer = transfers.get(tx.gid);
    if (transfer === undefined) return [];
    const toMs = tx.finishedAtMs ?? Number.POSITIVE_INFINITY;
    if (tx.mode === 'saga') return [{ fromMs: tx.startedAtMs, toMs, ...amountsOf(transfer) }];
    if (!isCommit(tx.phase)) return [];
    return [{ fromMs: tx.decidedAtMs ?? tx.startedAtMs, toMs, ...amountsOf(transfer) }];
  });
}

function amountsOf({ cents, feeCents }: Transfer) {
  return { paid: cents + feeCents, received: cents + feeCents };
}

/** What undo took from accounts: a saga's money may have been spent before it was taken back. */
function undoneByAccount({ evidence }: Case): ReadonlyMap<string, number> {
  const undone = new Map<string, number>();
  for (const { operation, account, change } of evidence.shards.flatMap((shard) => shard.ledger)) {
    if (operation !== 'undo' || change >= 0) continue;
    undone.set(account, (undone.get(account) ?? 0) - change);
  }
  return undone;
}
