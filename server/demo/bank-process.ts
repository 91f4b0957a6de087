/**
 * A participant process: a service with two shards of accounts, each a SQLite file of its own. It
 * offers TCC methods `debit` and `credit`, and steps `withdraw`, `fee` and `deposit` for sagas of
 * others. The business is in `ledger.ts`; the barrier does the rest.
 */
import { join } from 'node:path';
import type { Settle } from '@settle/client';
import { nodeSqlite } from '@settle/client/sqlite';
import { Kysely, SqliteDialect } from 'kysely';
import { connectPatiently, endGracefully } from './connected.ts';
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
import { type BankSettings, childSettings, tellDemo } from './messages.ts';
import type { SagaInput } from './teller-methods.ts';
import { type Shard, shardFile, shardOf, shardsOf } from './workload.ts';

type ShardOf = (account: string) => Kysely<LedgerTables>;

async function main(): Promise<void> {
  const { bank, url, folder } = childSettings<BankSettings>();
  const shards = new Map<Shard, Kysely<LedgerTables>>();
  for (const shard of shardsOf(bank)) {
    const database = nodeSqlite(join(folder, shardFile(shard)));
    shards.set(shard, new Kysely<LedgerTables>({ dialect: new SqliteDialect({ database }) }));
  }
  const keeperOf: ShardOf = (account) => {
    const db = shards.get(shardOf(account));
    if (db === undefined) throw new Error(`${bank} does not keep account ${account}`);
    return db;
  };
  const settle = await connectPatiently({ url, service: bank });
  for (const side of ['debit', 'credit'] as const) offerTcc(settle, side, keeperOf);
  offerSteps(settle, keeperOf);
  await settle.ready();
  tellDemo({ kind: 'ready' });
  endGracefully(async () => {
    await settle.close();
    for (const db of shards.values()) await db.destroy();
  });
}

function offerTcc(settle: Settle, side: Side, keeperOf: ShardOf): void {
  settle.tcc(side, {
    db: (entry: Entry) => keeperOf(entry.account),
    try: (trx, entry, call) => reserve(trx, side, entry, call),
    confirm: (trx, entry, call) => settleReservation(trx, side, entry, call),
    cancel: (trx, entry, call) => release(trx, side, entry, call),
  });
}

function offerSteps(settle: Settle, keeperOf: ShardOf): void {
  const offer = (name: string, side: Side, entryOf: (input: SagaInput) => Entry): void => {
    settle.step(name, {
      db: (input: SagaInput) => keeperOf(entryOf(input).account),
      run: (trx, { input, call }) => move(trx, side, entryOf(input), call),
      undo: (trx, { input, call }) => moveBack(trx, side, entryOf(input), call),
    });
  };
  offer('withdraw', 'debit', ({ from, cents, feeCents }) => ({
    account: from,
    cents: cents + feeCents,
  }));
  offer('fee', 'credit', ({ fees, feeCents }) => ({ account: fees, cents: feeCents }));
  offer('deposit', 'credit', ({ to, cents }) => ({ account: to, cents }));
}

await main();
