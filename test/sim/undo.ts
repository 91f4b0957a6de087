/**
 * Branches of kind at at a bank. Phase one is a local transaction that the initiator commits itself
 * (`prepare`); it leaves an undo row, which is the lock on its account. Phase two takes the rows of the
 * gid away (`commit`) or writes the accounts back (`rollback`). Invariant: no account is changed, and
 * none is written back, under an undo row of another gid. The rules are those of docs/internals/at.md.
 */
import type { CallAnswer, Json } from '../../client-sdk/protocol/index.ts';
import type { Bank, BankCall, BankRules, Watch } from './bank.ts';

/** The one method of the resource that a bank's database is. */
export const resourceMethod = 'at.accounts';

/** What the local transaction of an at branch does: a change that may be negative. */
export interface LocalChange {
  readonly account: string;
  readonly cents: number;
}

/** An account changed once, in the order of the changes. */
export interface UndoRow extends LocalChange {
  readonly gid: string;
  readonly before: number;
  readonly after: number;
}

const done: CallAnswer = { outcome: 'done', result: null };
const refused = (error: string): CallAnswer => ({ outcome: 'refused', error });

/** Performs one operation of an at branch as one local transaction. */
export function performLocal(
  bank: Bank,
  call: BankCall,
  rules: BankRules,
  watch: Watch,
): CallAnswer {
  switch (call.operation) {
    case 'prepare':
      return prepare(bank, call, rules, watch);
    case 'commit':
    case 'rollback':
      return finish(bank, call, rules, watch);
    default:
      return {
        outcome: 'unknown',
        error: `METHOD_NOT_OFFERED: no ${call.operation} of a resource`,
      };
  }
}

function prepare(bank: Bank, call: BankCall, rules: BankRules, watch: Watch): CallAnswer {
  const { gid, branchId, operation } = call;
  const guard = bank.guards.get(keyOf(call, 'prepare'));
  if (guard?.state === 'blocked' && rules.guardsHanging) return refused('BARRIER_BLOCKED');
  if (guard?.state === 'done' && rules.dedupes) return done;
  if (watch.isUnwilling()) return refused('not today');
  const { account, cents } = changeOf(call.payload);
  const holder = bank.undo.find((row) => row.account === account && row.gid !== gid);
  if (holder !== undefined && rules.locks) return refused(`LOCK_CONFLICT: ${holder.gid}`);
  const before = bank.balance.get(account) ?? 0;
  const after = before + cents;
  if (after < 0) return refused('not enough money');
  bank.balance.set(account, after);
  bank.undo.push({ gid, account, cents, before, after });
  bank.guards.set(keyOf(call, 'prepare'), { state: 'done' });
  watch.executed({ gid, branchId, operation, isEmpty: false });
  return done;
}

/** The guard of a commit is only there so that the oracles count it once: a real one needs none. */
function finish(bank: Bank, call: BankCall, rules: BankRules, watch: Watch): CallAnswer {
  const { gid, branchId, operation } = call;
  if (bank.guards.has(keyOf(call, operation)) && rules.dedupes) return done;
  const prepared = bank.guards.get(keyOf(call, 'prepare'))?.state;
  if (operation === 'commit') {
    clear(bank, gid);
  } else {
    if (prepared !== 'done' && rules.guardsEmpty) {
      bank.guards.set(keyOf(call, 'prepare'), { state: 'blocked' });
      watch.executed({ gid, branchId, operation, isEmpty: true });
      return done;
    }
    if (!restore(bank, gid)) return refused('AT_DIRTY_ROW');
  }
  bank.guards.set(keyOf(call, operation), { state: 'done' });
  watch.executed({ gid, branchId, operation, isEmpty: false });
  return done;
}

function clear(bank: Bank, gid: string): void {
  const kept = bank.undo.filter((row) => row.gid !== gid);
  bank.undo.splice(0, bank.undo.length, ...kept);
}

/** Writes back all rows of the gid, newest first, whichever branch left them; or none of them. */
function restore(bank: Bank, gid: string): boolean {
  const balance = new Map(bank.balance);
  for (const row of bank.undo.toReversed()) {
    if (row.gid !== gid) continue;
    if (balance.get(row.account) !== row.after) return false;
    balance.set(row.account, row.before);
  }
  for (const [account, cents] of balance) bank.balance.set(account, cents);
  clear(bank, gid);
  return true;
}

function keyOf({ gid, branchId }: BankCall, operation: string): string {
  return `${gid}/${branchId}/${operation}`;
}

/** What the initiator's SQL says; no coordinator has a hand in it. */
function changeOf(payload: Json): LocalChange {
  return payload as unknown as LocalChange;
}
