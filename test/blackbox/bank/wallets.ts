/**
 * What an office does to wallets: plain SQL that knows nothing of branches, undo or locks. Invariant:
 * each change of a wallet counts its version up and writes an entry, in the same local transaction.
 */
import { isPurse, type Shard, shardOf } from './cast.ts';
import type { Purses } from './purses.ts';
import type { ShardDatabase } from './shard-database.ts';
import type { Leg } from './wallet-transfers.ts';

/** A wallet has not enough money. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

/** Changes wallets under one gid. */
export interface Changes {
  readonly gid: string;
  readonly legs: readonly Leg[];
  readonly isLocking: boolean;
}

/** A shard as offices have it. */
export interface OfficeShard {
  readonly db: ShardDatabase;
  readonly purses: Purses;
}

/** One leg after the other. Throws Refused, and what the databases and the SDK throw. */
export async function changeWallets(
  shards: ReadonlyMap<Shard, OfficeShard>,
  { gid, legs, isLocking }: Changes,
): Promise<void> {
  for (const leg of legs) {
    const shard = shards.get(shardOf(leg.wallet));
    if (shard === undefined) throw new Error(`no shard of ${leg.wallet} is open`);
    const { db, purses } = shard;
    if (isPurse(leg.wallet)) {
      if (!(await purses.change(gid, leg))) throw notEnough(leg.wallet);
      continue;
    }
    if (isLocking) await lockAndWrite(db, leg);
    else await changeAtOnce(db, leg);
    await note(db, gid, leg);
  }
}

/** Computed here, from what the lock has shown: an update in between would be lost. */
async function lockAndWrite(db: ShardDatabase, { wallet, amount }: Leg): Promise<void> {
  const row = await db
    .selectFrom('wallet')
    .select(['cents', 'version'])
    .where('wallet', '=', wallet)
    .forUpdate()
    .executeTakeFirstOrThrow();
  if (row.cents + amount < 0) throw notEnough(wallet);
  await db
    .updateTable('wallet')
    .set({ cents: row.cents + amount, version: row.version + 1 })
    .where('wallet', '=', wallet)
    .execute();
}

async function changeAtOnce(db: ShardDatabase, { wallet, amount }: Leg): Promise<void> {
  const changed = await db
    .updateTable('wallet')
    .set((row) => ({ cents: row('cents', '+', amount), version: row('version', '+', 1) }))
    .where('wallet', '=', wallet)
    .where('cents', '>=', Math.max(0, -amount))
    .executeTakeFirst();
  if (changed.numUpdatedRows !== 1n) throw notEnough(wallet);
}

async function note(db: ShardDatabase, gid: string, { wallet, amount }: Leg): Promise<void> {
  const { cents, version } = await db
    .selectFrom('wallet')
    .select(['cents', 'version'])
    .where('wallet', '=', wallet)
    .executeTakeFirstOrThrow();
  await db.insertInto('wallet_entry').values({ gid, wallet, amount, cents, version }).execute();
}

function notEnough(wallet: string): Refused {
  return new Refused(`${wallet} has not enough`);
}
