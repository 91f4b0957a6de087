/**
 * The log on PostgreSQL. How rows are appended is in postgres-append.ts, how terms change in
 * postgres-term.ts; here are the connections and the reads.
 *
 * Invariants: (gid, seq) is the primary key, so a slot is given once; the share lock is held until
 * the commit, so who ends our term waits for our statements in flight, and none that comes later
 * writes anything. After any error the connection is thrown away, for nobody knows its state, and
 * the next append makes a new one; how often, the engine's retry decides.
 */
import type { CompiledQuery } from 'kysely';
import pg from 'pg';
import {
  type IndexRowStored,
  indexRowOf,
  type LogRowStored,
  logQueries,
  logRowOf,
} from './log-queries.ts';
import { appendPart } from './postgres-append.ts';
import { durabilityWarnings, endTerm, takeOver } from './postgres-term.ts';
import { searchBy, searchQueries } from './search-queries.ts';
import {
  answerAll,
  answerMsMaxDefault,
  appendInParts,
  createGate,
  type ServerLog,
  type ServerLogOptions,
} from './server-log.ts';

/** More would queue in the database: with two, one is computed while the other is flushed. */
const commitsInFlightMax = 2;

/** Reads come from the command line, the API and recovery; none of them is hot. */
const readConnectionsMax = 4;

/** One jsonb value may hold 256 MiB; this keeps far below and the memory small. */
const statementCharsMax = 16 * 1024 * 1024;

/**
 * Opens the log. Connects at the first call, so it never throws by itself; the schema must be there
 * (migrations/coordinator/postgres).
 */
export function openPostgresLog(options: ServerLogOptions): ServerLog {
  const answerMsMax = options.answerMsMax ?? answerMsMaxDefault;
  const writes = openPool({ url: options.url, connectionsMax: commitsInFlightMax, answerMsMax });
  const reads = openPool({
    url: options.url,
    connectionsMax: readConnectionsMax,
    answerMsMax,
    settings: readSettings,
  });
  // Twice the time, because it waits for the appends in flight.
  const succession = openPool({
    url: options.url,
    connectionsMax: 1,
    answerMsMax: 2 * answerMsMax,
  });
  const pools = [writes, reads, succession];
  const bounds = { answerMsMax, statementCharsMax, onTrouble: options.onTrouble };
  const gate = createGate();
  const queries = logQueries('postgres');
  const searches = searchQueries('postgres');
  const select = <Row>(query: CompiledQuery<Row>) =>
    gate.enter(async () => {
      const result = await reads.query(query.sql, [...query.parameters]);
      return result.rows as readonly Row[];
    });
  return {
    commitsInFlightMax,
    takeOver: (node, address, atMs) =>
      gate.enter(() => takeOver(succession, { node, address, atMs })),
    append: (term, batch) =>
      gate
        .enter(() => appendInParts(batch, bounds, (part) => appendPart(writes, term, part)))
        .catch(() => answerAll(batch, 'unknown')),
    async read(gids) {
      if (gids.length === 0) return [];
      return (await select<LogRowStored>(queries.read(gids))).map(logRowOf);
    },
    openGids: async (afterGid, limit) =>
      (await select(queries.openGids(afterGid, limit))).map((row) => row.gid),
    search: (filter) => searchBy(searches, select, filter),
    async find(gids) {
      if (gids.length === 0) return [];
      return (await select<IndexRowStored>(queries.find(gids))).map(indexRowOf);
    },
    release: (term) => gate.enter(() => endTerm(reads, term)).catch(() => undefined),
    close: () => gate.close(async () => void (await Promise.all(pools.map((pool) => pool.end())))),
    durabilityWarnings: () => gate.enter(() => durabilityWarnings(reads)),
  };
}

interface PoolOptions {
  readonly url: string;
  readonly connectionsMax: number;
  readonly answerMsMax: number;
  readonly settings?: Readonly<Record<string, string>>;
}

function openPool(options: PoolOptions): pg.Pool {
  const { url, connectionsMax, answerMsMax, settings = connectionSettings } = options;
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'settle',
    max: connectionsMax,
    idleTimeoutMillis: 0,
    keepAlive: true,
    connectionTimeoutMillis: answerMsMax,
    query_timeout: answerMsMax,
    onConnect: (client) => setUp(client, settings, answerMsMax),
  });
  // An idle connection broke: the pool has dropped it, and the next call finds out by itself.
  pool.on('error', () => undefined);
  return pool;
}

/**
 * Settings of each connection. The plans are pinned because a prepared statement that was planned on
 * empty tables keeps its sequential scans and gets slower with every row (measured: 15 times).
 */
export const connectionSettings = {
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  plan_cache_mode: 'force_generic_plan',
  jit: 'off',
  default_transaction_isolation: 'read committed',
} as const;

/**
 * Of the connections that read, too: lists come in the order of an index, and are never sorted. A
 * generic plan knows how many rows a name has on average; for the name of nearly all of them, sorting
 * would read the whole table.
 */
export const readSettings = {
  ...connectionSettings,
  enable_bitmapscan: 'off',
  enable_sort: 'off',
} as const;

/** One round trip; what a PostgreSQL-compatible server doesn't have is left out. */
async function setUp(
  client: pg.ClientBase,
  pinned: Readonly<Record<string, string>>,
  answerMsMax: number,
): Promise<void> {
  // While a connection is in use the pool doesn't listen, and when it breaks the query is told
  // anyway; without a listener the error would end the process.
  client.on('error', () => undefined);
  const settings = {
    ...pinned,
    // Before the client's own limit, so that usually the server gives up first and says so.
    statement_timeout: String(Math.ceil(answerMsMax * 0.9)),
  };
  await client.query(
    `select set_config(wanted.name, wanted.value, false)
     from unnest($1::text[], $2::text[]) as wanted (name, value)
     where exists (select from pg_settings where pg_settings.name = wanted.name)`,
    [Object.keys(settings), Object.values(settings)],
  );
  // Somebody who asked for more than a flush gets it; nobody gets less.
  await client.query(
    `select set_config('synchronous_commit', 'on', false)
     where current_setting('synchronous_commit') <> 'remote_apply'`,
  );
}
