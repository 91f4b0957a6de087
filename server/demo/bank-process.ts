/**
 * A participant process: a service with two shards of accounts, each a SQLite file of its own.
 * What it offers is in `bank-methods.ts`, the business in `ledger.ts`; the barrier does the rest.
 */
import { join } from 'node:path';
import { nodeSqlite } from '@settle/client/sqlite';
import { Kysely } from 'kysely';
import {
  type KeeperOf,
  type ShardDatabase,
  sagaSteps,
  stepDefinition,
  tccDefinition,
} from './bank-methods.ts';
import { connectPatiently, endGracefully } from './connected.ts';
import { groupCommitDialect } from './group-commit-dialect.ts';
import type { LedgerTables } from './ledger.ts';
import { type BankSettings, childSettings, tellDemo } from './messages.ts';
import { type Shard, shardFile, shardOf, shardsOf } from './workload.ts';

async function main(): Promise<void> {
  const { bank, url, folder } = childSettings<BankSettings>();
  const shards = new Map<Shard, ShardDatabase>();
  for (const shard of shardsOf(bank)) {
    const dialect = groupCommitDialect(nodeSqlite(join(folder, shardFile(shard))));
    shards.set(shard, new Kysely<LedgerTables>({ dialect }));
  }
  const keeperOf: KeeperOf = (account) => {
    const db = shards.get(shardOf(account));
    if (db === undefined) throw new Error(`${bank} does not keep account ${account}`);
    return db;
  };
  const settle = await connectPatiently({ url, service: bank });
  for (const side of ['debit', 'credit'] as const) settle.tcc(side, tccDefinition(side, keeperOf));
  for (const step of sagaSteps) settle.step(step, stepDefinition(step, keeperOf));
  await settle.ready();
  tellDemo({ kind: 'ready' });
  endGracefully(async () => {
    await settle.close();
    for (const db of shards.values()) await db.destroy();
  });
}

await main();
