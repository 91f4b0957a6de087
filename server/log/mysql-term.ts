/**
 * Terms of the MySQL log: how one begins and ends, and what the server's settings make of a commit.
 */
import type { RowDataPacket } from 'mysql2/promise';
import type { Term } from './log.ts';
import type { Connections } from './mysql-connections.ts';
import { allShards } from './server-log.ts';

/** Who takes over. */
export interface Succession {
  readonly node: string;
  readonly address: string;
  readonly atMs: number;
}

/**
 * Ends every other term and starts one that owns all shards, in one transaction. Whoever takes over
 * holds the shards' rows first, so that two who do it at once take turns. `timeout` is for each
 * statement, in milliseconds. Throws the driver's error; the term may then have begun or not.
 */
export function takeOver(
  connections: Connections,
  { node, address, atMs }: Succession,
  timeout: number,
): Promise<Term> {
  return connections.use(async (connection) => {
    const run = async (sql: string, values: readonly unknown[] = []) => {
      const [rows] = await connection.query<RowDataPacket[]>({
        sql,
        values: [...values],
        timeout,
      });
      return rows;
    };
    await makeShards(run);
    await run('select shard from log_shard order by shard for update');
    // Waits for the share locks, that is for the appends in flight.
    await run('update coordinator_node set ended_at_ms = ? where ended_at_ms is null', [atMs]);
    const [last] = await run('select coalesce(max(epoch), 0) as epoch from coordinator_node');
    const epoch = Number(last?.['epoch']) + 1;
    await run(
      `insert into coordinator_node (epoch, node, address, started_at_ms, heartbeat_at_ms)
       values (?, ?, ?, ?, ?)`,
      [epoch, node, address, atMs, atMs],
    );
    await run('update log_shard set epoch = ?', [epoch]);
    await run('commit');
    return { node, epoch };
  });
}

/** In a transaction of its own, before the locks, or two first starts would wait for each other. */
async function makeShards(run: (sql: string, values?: readonly unknown[]) => Promise<unknown[]>) {
  const found = await run('select shard from log_shard');
  await run('commit');
  if (found.length === allShards.length) return;
  await run('insert ignore into log_shard (shard, epoch) values ?', [
    allShards.map((shard) => [shard, 0]),
  ]);
  await run('commit');
}

/** Ends the term by the database's clock, because the term has none. A term that is over is left as it is. */
export function endTerm(connections: Connections, term: Term): Promise<void> {
  return connections.use(async (connection) => {
    await connection.query(
      `update coordinator_node set ended_at_ms = floor(unix_timestamp(now(3)) * 1000)
       where epoch = ? and ended_at_ms is null`,
      [term.epoch],
    );
    await connection.query('commit');
  });
}

/** One sentence for each setting that makes a commit less than durable. Throws the driver's error. */
export function durabilityWarnings(connections: Connections): Promise<readonly string[]> {
  return connections.use(async (connection) => {
    const [rows] = await connection.query<RowDataPacket[]>(
      `select @@innodb_flush_log_at_trx_commit as flush_mode, @@log_bin as has_binlog,
         @@sync_binlog as sync_binlog, @@innodb_doublewrite as doublewrite,
         @@max_allowed_packet as packet`,
    );
    const found: Readonly<Record<string, unknown>> = rows[0] ?? {};
    const warnings: readonly (readonly [boolean, string])[] = [
      [
        Number(found['flush_mode']) !== 1,
        'innodb_flush_log_at_trx_commit is not 1: a crash may lose the last second of the log.',
      ],
      [
        Number(found['has_binlog']) === 1 && Number(found['sync_binlog']) !== 1,
        'sync_binlog is not 1: a crash of the machine may lose commits that were answered.',
      ],
      [
        /^(0|off)$/i.test(String(found['doublewrite'])),
        'innodb_doublewrite is off: a crash of the machine may damage the log.',
      ],
      [
        Number(found['packet']) < 16 * 1024 * 1024,
        'max_allowed_packet is below 16 MiB: large transactions cannot be appended.',
      ],
    ];
    return warnings.flatMap(([isTrue, text]) => (isTrue ? [text] : []));
  });
}
