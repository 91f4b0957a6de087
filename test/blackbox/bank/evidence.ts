/**
 * What the checker judges: everything that can be read once all is quiet, and how it is read. The
 * shards and the log's tables are read directly, past participants and coordinator.
 */

import { sql } from 'kysely';
import pg from 'pg';
import type { ListAnswer, TransactionSummary } from '../../../client-sdk/protocol/index.ts';
import type { IndexRow, LogRow } from '../../../server/log/log.ts';
import {
  type IndexRowStored,
  indexRowOf,
  type LogRowStored,
  logRowOf,
} from '../../../server/log/log-queries.ts';
import { type Shard, storeOf } from './cast.ts';
import type { HistoryLine } from './history.ts';
import type { ShardDatabase, ShardTables } from './shard-database.ts';

/** A row of a bank's ledger: what a branch did, written with the money. */
export type LedgerRow = ShardTables['ledger'];

/** One shard, as it is at the end. */
export interface ShardReading {
  readonly shard: Shard;
  readonly accounts: readonly Omit<ShardTables['account'], 'is_closed'>[];
  readonly reservations: readonly Pick<ShardTables['reservation'], 'gid' | 'branch_id'>[];
  readonly ledger: readonly LedgerRow[];
  readonly barrier: readonly ShardTables['settle_barrier'][];
  readonly wallets: readonly ShardTables['wallet'][];
  readonly entries: readonly WalletEntry[];
  readonly purses: readonly ShardTables['purse'][];
  readonly undo: readonly ShardTables['settle_undo'][];
  /** Local transactions that nobody ends. */
  readonly sessions: number;
}

/** What was done to a wallet, written with it. */
export type WalletEntry = Omit<ShardTables['wallet_entry'], 'entry'>;

/** A coordinator's term as the log has it. */
export interface TermRow {
  readonly epoch: number;
  readonly isOver: boolean;
}

/** All that there is to judge. */
export interface Evidence {
  readonly history: readonly HistoryLine[];
  readonly shards: readonly ShardReading[];
  /** All rows, by gid and seq. */
  readonly rows: readonly LogRow[];
  readonly index: readonly IndexRow[];
  readonly terms: readonly TermRow[];
  /** What the coordinator's lists say. */
  readonly api: readonly TransactionSummary[];
  /** Processes that ended although nobody had asked for it. */
  readonly crashes: readonly string[];
}

/** How many sessions of a shard are in a local transaction and do nothing. */
export async function countSessions(shard: Shard, db: ShardDatabase): Promise<number> {
  const count = storeOf[shard] === 'mysql' ? mysqlSessions : postgresSessions;
  const { rows } = await count.execute(db);
  return Number(rows[0]?.count);
}

interface Count {
  readonly count: number | string;
}

const postgresSessions = sql<Count>`select count(*) as count
  from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
    and state like 'idle in transaction%'`;

const mysqlSessions = sql<Count>`select count(*) as count
  from information_schema.innodb_trx t
  join information_schema.processlist p on p.id = t.trx_mysql_thread_id
  where p.db = database() and p.id <> connection_id() and p.command = 'Sleep'`;

/** Reads one shard, its tables in one snapshot. */
export async function readShard(shard: Shard, db: ShardDatabase): Promise<ShardReading> {
  const sessions = await countSessions(shard, db);
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (trx) => ({
      ...{ shard, sessions },
      accounts: await trx
        .selectFrom('account')
        .select(['account', 'opening', 'cents', 'held'])
        .execute(),
      reservations: await trx.selectFrom('reservation').select(['gid', 'branch_id']).execute(),
      ledger: await trx.selectFrom('ledger').selectAll().execute(),
      barrier: await trx
        .selectFrom('settle_barrier')
        .select(['gid', 'branch_id', 'operation', 'state'])
        .execute(),
      wallets: await trx.selectFrom('wallet').selectAll().execute(),
      entries: await trx
        .selectFrom('wallet_entry')
        .select(['gid', 'wallet', 'amount', 'cents', 'version'])
        .execute(),
      purses: await trx.selectFrom('purse').selectAll().execute(),
      undo: await trx.selectFrom('settle_undo').select(['gid', 'table_name', 'row_key']).execute(),
    }));
}

/** A connection to the log's database that survives its kills: each question connects anew. */
async function onLog<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** How many gids the log has without an outcome. */
export function countOpen(logUrl: string): Promise<number> {
  return onLog(logUrl, async (client) => {
    const { rows } = await client.query<{ readonly count: string }>(
      'select count(*) from open_transaction',
    );
    return Number(rows[0]?.count);
  });
}

/** Reads the log's tables in one snapshot. */
export function readLog(logUrl: string): Promise<Pick<Evidence, 'rows' | 'index' | 'terms'>> {
  return onLog(logUrl, async (client) => {
    await client.query('begin isolation level repeatable read read only');
    const rows = await client.query<LogRowStored>(
      'select * from transaction_log order by gid, seq',
    );
    const index = await client.query<IndexRowStored>(
      'select * from open_transaction union all select * from global_transaction',
    );
    const terms = await client.query<{ readonly epoch: string; readonly is_over: boolean }>(
      `select epoch, ended_at_ms is not null as is_over from coordinator_node order by epoch`,
    );
    return {
      rows: rows.rows.map(logRowOf),
      index: index.rows.map(indexRowOf),
      terms: terms.rows.map(({ epoch, is_over }) => ({ epoch: Number(epoch), isOver: is_over })),
    };
  });
}

/** All that the coordinator lists. Throws when it does not answer. */
export async function readApi(url: string): Promise<readonly TransactionSummary[]> {
  const found: TransactionSummary[] = [];
  let cursor: string | null = null;
  do {
    const page: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const response = await fetch(`${url}/v1/transactions?limit=500${page}`);
    if (!response.ok) throw new Error(`the coordinator's list answered ${response.status}`);
    // Parse boundary: the body is documented in /openapi.json.
    const answer = (await response.json()) as ListAnswer;
    found.push(...answer.transactions);
    cursor = answer.nextCursor;
  } while (cursor !== null);
  return found;
}
