/**
 * Reads the shards' files as they are: the check believes neither participants nor coordinator
 * about money. Read-only; nothing is judged here.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { BranchId, Gid } from '../../client-sdk/protocol/index.ts';
import { type Shard, shardCount, shardFile } from './workload.ts';

/** An account as its shard has it. Its money is `cents + held`. */
export interface AccountRow {
  readonly account: string;
  readonly opening: number;
  readonly cents: number;
  readonly held: number;
}

/** What a branch did to an account. */
export interface LedgerRow {
  readonly gid: Gid;
  readonly branchId: BranchId;
  readonly operation: string;
  readonly account: string;
  readonly cents: number;
  readonly change: number;
}

/** Key of a reservation or of a row of the barrier. */
export interface BranchKey {
  readonly gid: Gid;
  readonly branchId: BranchId;
  readonly operation: string;
}

/** Everything a shard has that the check asks about. */
export interface ShardReading {
  readonly shard: Shard;
  readonly accounts: readonly AccountRow[];
  readonly reservations: readonly BranchKey[];
  readonly ledger: readonly LedgerRow[];
  /** Rows of the barrier whose operation took effect. */
  readonly done: readonly BranchKey[];
}

/** Reads all shards of a folder, each in one snapshot. Throws what SQLite throws. */
export function readShards(folder: string): readonly ShardReading[] {
  return Array.from({ length: shardCount }, (_, shard) => readShard(folder, shard));
}

function readShard(folder: string, shard: Shard): ShardReading {
  const db = new DatabaseSync(join(folder, shardFile(shard)), { readOnly: true, timeout: 10_000 });
  try {
    db.exec('begin');
    // Parse boundary: the tables are strict and were created by `createShard`.
    const rows = <Row>(sql: string): readonly Row[] => db.prepare(sql).all() as unknown as Row[];
    return {
      shard,
      accounts: rows<AccountRow>('select account, opening, cents, held from account'),
      reservations: rows<BranchKey>(
        `select gid, branch_id as "branchId", 'try' as operation from reservation`,
      ),
      ledger: rows<LedgerRow>(
        'select gid, branch_id as "branchId", operation, account, cents, change from ledger',
      ),
      done: rows<BranchKey>(
        `select gid, branch_id as "branchId", operation from settle_barrier where state = 'done'`,
      ),
    };
  } finally {
    db.close();
  }
}

/** All money of the shards, in cents: free and held. */
export function moneyOf(shards: readonly ShardReading[]): number {
  return shards
    .flatMap((shard) => shard.accounts)
    .reduce((sum, { cents, held }) => sum + cents + held, 0);
}
