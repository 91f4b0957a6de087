/**
 * S10: money is constant. While transfers are between their decision and their end it may be off, by
 * at most their amounts together; a saga that runs is such a transfer from its first step on.
 */
import type { Transaction } from '../../server/core/transaction.ts';
import type { Bank, BankPayload } from './bank.ts';

/** The bookkeeper of one run. */
export interface Money {
  /** A row of the transaction has landed. */
  became(tx: Transaction): void;
  /** An operation of that gid has taken effect. */
  moved(gid: string): void;
  /** All is over: nothing is missing, nothing is reserved. */
  checkEnd(): void;
}

/** Counts what is there now and holds the banks to it. */
export function createMoney(
  banks: readonly Bank[],
  fail: (rule: string, gid: string, detail: string) => void,
): Money {
  const amounts = new Map<string, number>();
  let slack = 0;
  const before = total();

  function total(): number {
    let sum = 0;
    for (const bank of banks) {
      for (const cents of bank.balance.values()) sum += cents;
      for (const { cents } of bank.held.values()) sum += cents;
      // What an at branch has changed counts once its undo row is gone.
      for (const { cents } of bank.undo) sum -= cents;
    }
    return sum;
  }

  function check(gid: string): void {
    const off = Math.abs(total() - before);
    if (off > slack) fail('S10', gid, `${off} off, but only ${slack} are on the way`);
  }

  return {
    became(tx) {
      const amount = isOnTheWay(tx) ? amountOf(tx) : 0;
      const known = amounts.get(tx.gid) ?? 0;
      if (amount === known) return;
      amounts.set(tx.gid, amount);
      slack += amount - known;
      if (amount < known) check(tx.gid);
    },
    moved: check,
    checkEnd() {
      for (const bank of banks) {
        for (const [key, { cents }] of bank.held) {
          fail('L2', key.slice(0, key.indexOf('/')), `${cents} still held at ${bank.name}`);
        }
        for (const { gid, account } of bank.undo) {
          fail('L2', gid, `${account} of ${bank.name} is still locked`);
        }
      }
      if (total() !== before) fail('S10', '-', `money was ${before} and is ${total()}`);
    },
  };
}

function isOnTheWay(tx: Transaction): boolean {
  return tx.mode === 'saga' ? tx.finishedAtMs === null : tx.phase === 'committing';
}

function amountOf(tx: Transaction): number {
  if (tx.mode === 'saga') return (tx.input as unknown as { debit: BankPayload }).debit.cents;
  // Branches of kind at have no payload, so the initiator says it here.
  return Number(tx.labels['cents'] ?? 0);
}
