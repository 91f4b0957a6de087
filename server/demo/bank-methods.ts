/**
 * What a bank offers, as definitions for the SDK: TCC methods `debit` and `credit`, and steps
 * `withdraw`, `fee` and `deposit` for the sagas of others. Each finds the shard by the account.
 */
import type { StepDefinition, TccDefinition } from '@settle/client';
import type { Kysely } from 'kysely';
import type { Json } from '../../client-sdk/protocol/index.ts';
import {
  type Entry,
  type LedgerTables,
  move,
  moveBack,
  release,
  reserve,
  type Side,
  settleReservation,
} from './ledger.ts';
import type { SagaInput } from './teller-methods.ts';

/** The database of a shard. */
export type ShardDatabase = Kysely<LedgerTables>;
/** Finds the shard of an account; throws for accounts that are kept elsewhere. */
export type KeeperOf = (account: string) => ShardDatabase;

/** Methods for transactions: `debit` holds the money aside, `credit` announces it. */
export function tccDefinition(
  side: Side,
  keeperOf: KeeperOf,
): TccDefinition<ShardDatabase, Entry, null> {
  return {
    db: ({ account }) => keeperOf(account),
    try: (trx, entry, call) => reserve(trx, side, entry, call),
    confirm: (trx, entry, call) => settleReservation(trx, side, entry, call),
    cancel: (trx, entry, call) => release(trx, side, entry, call),
  };
}

/** A step of the saga that moves money with a fee. */
export type SagaStepName = 'withdraw' | 'fee' | 'deposit';
/** The steps in their order. */
export const sagaSteps: readonly SagaStepName[] = ['withdraw', 'fee', 'deposit'];

/** Steps for sagas: money moves at once, and is moved back by undo. */
export function stepDefinition(
  name: SagaStepName,
  keeperOf: KeeperOf,
): StepDefinition<ShardDatabase, SagaInput, Readonly<Record<string, Json>>, null> {
  const side = name === 'withdraw' ? 'debit' : 'credit';
  return {
    db: (input) => keeperOf(entryOf(name, input).account),
    run: (trx, { input, call }) => move(trx, side, entryOf(name, input), call),
    undo: (trx, { input, call }) => moveBack(trx, side, entryOf(name, input), call),
  };
}

function entryOf(name: SagaStepName, input: SagaInput): Entry {
  const { from, fees, to, cents, feeCents } = input;
  switch (name) {
    case 'withdraw':
      return { account: from, cents: cents + feeCents };
    case 'fee':
      return { account: fees, cents: feeCents };
    case 'deposit':
      return { account: to, cents };
    default:
      throw new RangeError(`there is no step ${name satisfies never}`);
  }
}
