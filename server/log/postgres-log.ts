/**
 * The log on PostgreSQL. One autocommit statement per group commit does all of it: it share-locks
 * the row of our term, inserts the log rows, and upserts the index rows of those that went in.
 *
 * Invariants: (gid, seq) is the primary key, so a slot is given once; the share lock is held until
 * the commit, so who ends our term waits for our statements in flight, and none that comes later
 * writes anything. After any error the connection is thrown away, for nobody knows its state, and
 * the next append makes a new one; how often, the engine's retry decides.
 */
import type { CompiledQuery } from 'kysely';
import pg from 'pg';
import type { Append, AppendAnswer, LogRow, Term } from './log.ts';
import {
  type IndexRowStored,
  indexRowOf,
  type LogRowStored,
  logQueries,
  logRowOf,
} from './log-queries.ts';
import {
  allShards,
  answerAll,
  answerMsMaxDefault,
  answerTaken,
  appendInParts,
  bySlot,
  createGate,
  indexColumns,
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
  const reads = openPool({ url: options.url, connectionsMax: readConnectionsMax, answerMsMax });
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
    search: async (filter) =>
      (await select<IndexRowStored>(queries.search(filter))).map(indexRowOf),
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
}

function openPool({ url, connectionsMax, answerMsMax }: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'settle',
    max: connectionsMax,
    idleTimeoutMillis: 0,
    keepAlive: true,
    connectionTimeoutMillis: answerMsMax,
    query_timeout: answerMsMax,
    onConnect: (client) => setUp(client, answerMsMax),
  });
  // An idle connection broke: the pool has dropped it, and the next call finds out by itself.
  pool.on('error', () => undefined);
  return pool;
}

/**
 * Settings of each connection, one round trip; those that a PostgreSQL-compatible server doesn't
 * have are left out. The plans are pinned because a prepared statement that was planned on empty
 * tables keeps its sequential scans and gets slower with every row (measured: 15 times).
 */
async function setUp(client: pg.ClientBase, answerMsMax: number): Promise<void> {
  // While a connection is in use the pool doesn't listen, and when it breaks the query is told
  // anyway; without a listener the error would end the process.
  client.on('error', () => undefined);
  const settings = {
    enable_seqscan: 'off',
    enable_hashjoin: 'off',
    enable_mergejoin: 'off',
    plan_cache_mode: 'force_generic_plan',
    jit: 'off',
    default_transaction_isolation: 'read committed',
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

/**
 * $1 is the batch as one JSON array, $2 the epoch. Measured on two cores, 256 rows with index rows,
 * two in flight: 70,000 rows/s in this form, 61,000 with positional arrays taken apart twice, and
 * 27,000 with json instead of jsonb.
 *
 * - `for share` on the term: see the top of the file. A term that is over gives no row, and the
 *   cross join with it then gives no rows to insert.
 * - `on conflict do nothing`: a taken slot leaves the others alone, and `returning` leaves it out.
 * - Index rows go in by an upsert, which always uses the primary key; an `update … from` was
 *   planned once on the empty table and ran 15 times slower. `is true` keeps `in` a hashed
 *   subplan: as a join it could only be a nested loop here.
 * - The answer: the gids that went in, and an empty text when the term still runs.
 */
const appendStatement = `
with term as materialized (
  select from coordinator_node where epoch = $2 and ended_at_ms is null for share
), given as materialized (
  select * from jsonb_to_recordset($1::jsonb) as row (
    gid text collate "C", seq integer, shard smallint, epoch bigint, at_ms bigint, records text,
    index_shard smallint, mode text, name text, outcome text, cause text, attention text,
    started_at_ms bigint, deadline_at_ms bigint, finished_at_ms bigint, labels text)
), appended as (
  insert into transaction_log (gid, seq, shard, epoch, at_ms, records)
  select gid, seq, shard, epoch, at_ms, records from term, given
  on conflict do nothing
  returning gid
), indexed as (
  insert into global_transaction (gid, shard, mode, name, outcome, cause, attention,
    started_at_ms, deadline_at_ms, finished_at_ms, labels)
  select gid, index_shard, mode, name, outcome, cause, attention,
    started_at_ms, deadline_at_ms, finished_at_ms, labels
  from given where mode is not null and (gid in (select gid from appended)) is true
  on conflict (gid) do update set shard = excluded.shard, mode = excluded.mode,
    name = excluded.name, outcome = excluded.outcome, cause = excluded.cause,
    attention = excluded.attention, started_at_ms = excluded.started_at_ms,
    deadline_at_ms = excluded.deadline_at_ms, finished_at_ms = excluded.finished_at_ms,
    labels = excluded.labels
)
select gid from appended union all select '' from term`;

/** Throws when anything may be amiss; the caller then knows nothing about any row. */
async function appendPart(
  pool: pg.Pool,
  term: Term,
  part: readonly Append[],
): Promise<readonly AppendAnswer[]> {
  const client = await pool.connect();
  try {
    const answers = await appendOn(client, term, part);
    client.release();
    return answers;
  } catch (error) {
    client.release(true);
    throw error;
  }
}

async function appendOn(
  client: pg.PoolClient,
  term: Term,
  part: readonly Append[],
): Promise<readonly AppendAnswer[]> {
  const result = await durably(client, () =>
    client.query<[string], unknown[]>({
      name: 'settle-append',
      text: appendStatement,
      values: [batchJson(part), term.epoch],
      rowMode: 'array',
    }),
  );
  const gids = new Set(result.rows.map(([gid]) => gid));
  if (!gids.has('')) return answerAll(part, 'fenced');
  if (gids.size === part.length + 1) return answerAll(part, 'appended');
  const taken = part.map((append) => append.row).filter((row) => !gids.has(row.gid));
  const there = bySlot(await readSlots(client, taken));
  return part.map(({ row }) => (gids.has(row.gid) ? 'appended' : answerTaken(row, there(row))));
}

/**
 * With synchronous standbys a commit that is cancelled while it waits for them "succeeds" with a
 * warning, though only this server has it. That is not durable enough to be told, so it throws; the
 * row, sent again, is answered after a commit that did wait, and which comes after the first one.
 */
async function durably<T>(client: pg.PoolClient, commit: () => Promise<T>): Promise<T> {
  let hasWaited = true;
  const onNotice = (notice: { readonly routine?: string | undefined }) => {
    if (notice.routine === 'SyncRepWaitForLSN') hasWaited = false;
  };
  client.on('notice', onNotice);
  try {
    const result = await commit();
    if (!hasWaited) throw new Error('the commit did not wait for its standbys');
    return result;
  } finally {
    client.off('notice', onNotice);
  }
}

function batchJson(part: readonly Append[]): string {
  return JSON.stringify(
    part.map(({ row, index }) => {
      const { gid, seq, shard, epoch, atMs, records } = row;
      const logged = { gid, seq, shard, epoch, at_ms: atMs, records };
      if (index === null) return logged;
      const [
        ,
        index_shard,
        mode,
        name,
        outcome,
        cause,
        attention,
        started_at_ms,
        deadline_at_ms,
        ...rest
      ] = indexColumns(index);
      const [finished_at_ms, labels] = rest;
      return {
        ...logged,
        ...{ index_shard, mode, name, outcome, cause, attention },
        ...{ started_at_ms, deadline_at_ms, finished_at_ms, labels },
      };
    }),
  );
}

/** What stands in the slots. Own statement, so it sees what was committed while ours waited. */
async function readSlots(
  client: pg.PoolClient,
  rows: readonly LogRow[],
): Promise<readonly LogRow[]> {
  const result = await client.query<LogRowStored>(
    `select gid, seq, shard, epoch, at_ms, records from transaction_log
     where (gid, seq) in (select * from unnest($1::text[], $2::integer[]))`,
    [rows.map((row) => row.gid), rows.map((row) => row.seq)],
  );
  return result.rows.map(logRowOf);
}

interface Succession {
  readonly node: string;
  readonly address: string;
  readonly atMs: number;
}

/**
 * The table lock waits for the statements in flight and holds back new ones: under steady load a
 * mere row lock might wait for ever, because PostgreSQL lets new share locks pass a waiting update.
 */
async function takeOver(pool: pg.Pool, succession: Succession): Promise<Term> {
  const { node, address, atMs } = succession;
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query('lock table coordinator_node in exclusive mode');
    await client.query('update coordinator_node set ended_at_ms = $1 where ended_at_ms is null', [
      atMs,
    ]);
    const inserted = await client.query<{ readonly epoch: string }>(
      `insert into coordinator_node (epoch, node, address, started_at_ms, heartbeat_at_ms)
       select coalesce(max(epoch), 0) + 1, $1, $2, $3, $3 from coordinator_node returning epoch`,
      [node, address, atMs],
    );
    const epoch = Number(inserted.rows[0]?.epoch);
    await client.query(
      `insert into log_shard (shard, epoch) select shard, $2 from unnest($1::smallint[]) as shard
       on conflict (shard) do update set epoch = excluded.epoch`,
      [[...allShards], epoch],
    );
    await durably(client, () => client.query('commit'));
    client.release();
    return { node, epoch };
  } catch (error) {
    client.release(true);
    throw error;
  }
}

/** The database's clock, because the term has none. A term that is over is left as it is. */
async function endTerm(pool: pg.Pool, term: Term): Promise<void> {
  await pool.query(
    `update coordinator_node set ended_at_ms = (extract(epoch from clock_timestamp()) * 1000)::bigint
     where epoch = $1 and ended_at_ms is null`,
    [term.epoch],
  );
}

async function durabilityWarnings(pool: pg.Pool): Promise<readonly string[]> {
  const result = await pool.query<Record<'fsync' | 'pages' | 'standby', string>>(
    `select current_setting('fsync') as fsync, current_setting('full_page_writes') as pages,
       pg_is_in_recovery()::text as standby`,
  );
  const [found] = result.rows;
  return [
    ...(found?.fsync === 'off' ? ['fsync is off: a crash of the machine loses the log.'] : []),
    ...(found?.pages === 'off'
      ? ['full_page_writes is off: a crash of the machine may damage the log.']
      : []),
    ...(found?.standby === 'true' ? ['The server is a standby: nothing can be appended.'] : []),
  ];
}
