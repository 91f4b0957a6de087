/**
 * What the branches of a transfer have to do to the accounts, for whoever checks a ledger. Pure;
 * which operations they are asked for, and what became of them, is not here.
 */
import type { Transfer } from './workload.ts';

/** What a branch has to have done, if it did anything. Money is in integer cents. */
export interface ExpectedBranch {
  readonly account: string;
  readonly cents: number;
  /** By how much its success changes the account's money. */
  readonly change: number;
}

/** The branches of a transfer in the order of their ids, from 1. */
export function branchesOf(
  transfer: Pick<Transfer, 'mode' | 'from' | 'to' | 'fees' | 'cents' | 'feeCents'>,
): readonly ExpectedBranch[] {
  const { mode, from, to, fees, cents, feeCents } = transfer;
  const paid = cents + feeCents;
  const debit = { account: from, cents: paid, change: -paid };
  const credit = { account: to, cents, change: cents };
  if (mode === 'transaction') return [debit, credit];
  return [debit, { account: fees, cents: feeCents, change: feeCents }, credit];
}
