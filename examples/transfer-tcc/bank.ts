/**
 * The bank: a service with two TCC methods over sharded accounts. Runs as a process of its own. It
 * needs no port: the coordinator reaches it over the channel that `connect` opened. Invariant: the
 * money of an account, `cents` + `held`, only changes in `confirm`.
 */
import { connect, TerminalError } from '@settle/client';
import type { Transaction } from 'kysely';
import { ready, serviceSettings } from '../processes.ts';
import { type BankTables, openShards, type ShardUrls, shardOf } from './shards.ts';

/** What `main.ts` gives it. */
export interface BankSettings {
  readonly url: string;
  readonly shards: ShardUrls;
}

/** Input of both methods. */
export interface Entry {
  readonly account: string;
  readonly cents: number;
}

const { url, shards: urls } = serviceSettings<BankSettings>();
const shards = openShards(urls);
const settle = await connect({ url, service: 'bank' });

settle.tcc('debit', {
  db: ({ account }: Entry) => shardOf(shards, account),
  try: async (trx, { account, cents }) => {
    const { numUpdatedRows } = await trx
      .updateTable('account')
      .set((row) => ({ cents: row('cents', '-', cents), held: row('held', '+', cents) }))
      .where('id', '=', account)
      .where('cents', '>=', cents)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) throw new TerminalError(`${account} has not enough money`);
  },
  confirm: (trx, { account, cents }) => add(trx, account, { held: -cents }),
  cancel: (trx, { account, cents }) => add(trx, account, { cents, held: -cents }),
});

settle.tcc('credit', {
  db: ({ account }: Entry) => shardOf(shards, account),
  try: async (trx, { account, cents }) => {
    const { numUpdatedRows } = await trx
      .updateTable('account')
      .set((row) => ({ announced: row('announced', '+', cents) }))
      .where('id', '=', account)
      .where('is_open', '=', 1)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) throw new TerminalError(`${account} is closed`);
  },
  confirm: (trx, { account, cents }) => add(trx, account, { cents, announced: -cents }),
  cancel: (trx, { account, cents }) => add(trx, account, { announced: -cents }),
});

type Change = Partial<Pick<BankTables['account'], 'cents' | 'held' | 'announced'>>;

async function add(
  trx: Transaction<BankTables>,
  account: string,
  { cents = 0, held = 0, announced = 0 }: Change,
): Promise<void> {
  await trx
    .updateTable('account')
    .set((row) => ({
      cents: row('cents', '+', cents),
      held: row('held', '+', held),
      announced: row('announced', '+', announced),
    }))
    .where('id', '=', account)
    .execute();
}

await settle.ready();
ready();
