/** Terms of the PostgreSQL log: how one begins and ends, and what the server's settings make of a commit. */
import type pg from 'pg';
import type { Term } from './log.ts';
import { durably } from './postgres-append.ts';
import { allShards } from './server-log.ts';

/** Who takes over. */
export interface Succession {
  readonly node: string;
  readonly address: string;
  readonly atMs: number;
}

/**
 * Ends every other term and starts one that owns all shards, in one transaction. Throws the driver's
 * error; the term may then have begun or not.
 *
 * The table lock waits for the statements in flight and holds back new ones: under steady load a
 * mere row lock might wait for ever, because PostgreSQL lets new share locks pass a waiting update.
 */
export async function takeOver(pool: pg.Pool, succession: Succession): Promise<Term> {
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

/** Ends the term by the database's clock, because the term has none. A term that is over is left as it is. */
export async function endTerm(pool: pg.Pool, term: Term): Promise<void> {
  await pool.query(
    `update coordinator_node set ended_at_ms = (extract(epoch from clock_timestamp()) * 1000)::bigint
     where epoch = $1 and ended_at_ms is null`,
    [term.epoch],
  );
}

/** One sentence for each setting that makes a commit less than durable. Throws the driver's error. */
export async function durabilityWarnings(pool: pg.Pool): Promise<readonly string[]> {
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
