/**
 * Rows to PostgreSQL: the statement and the connection settings of server/log/postgres-append.ts and
 * postgres-log.ts, two connections with one commit each. The text of the statement stands here a
 * second time: when it changes there, it changes here.
 */
import pg from 'pg';
import { type Row, type Store, shard } from './store.ts';

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

const settings = {
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  plan_cache_mode: 'force_generic_plan',
  jit: 'off',
  default_transaction_isolation: 'read committed',
  synchronous_commit: 'on',
} as const;

/** Connects twice. */
export async function openPostgresStore(url: string, epoch: number): Promise<Store> {
  const idle = [await connect(url), await connect(url)];
  return {
    commitsMax: idle.length,
    commit(rows, durable) {
      const client = idle.pop();
      if (client === undefined) throw new Error('more commits than connections');
      const query = {
        name: 'settle-append',
        text: appendStatement,
        values: [batchJson(rows, epoch), epoch],
        rowMode: 'array' as const,
      };
      client.query<unknown[]>(query, (error, result) => {
        // The types say that there is always an error.
        if ((error as Error | null) !== null) throw error;
        if (result.rows.length !== rows.length + 1) throw new Error('not all rows were appended');
        idle.push(client);
        durable();
      });
    },
  };
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'settle floor' });
  await client.connect();
  for (const [name, value] of Object.entries(settings)) {
    await client.query('select set_config($1, $2, false)', [name, value]);
  }
  return client;
}

function batchJson(rows: readonly Row[], epoch: number): string {
  let text = '[';
  for (const { gid, seq, atMs, records, index } of rows) {
    if (text !== '[') text += ',';
    text += `{"gid":"${gid}","seq":${seq},"shard":${shard},"epoch":${epoch},"at_ms":${atMs},"records":${JSON.stringify(records)}`;
    if (index !== null) {
      const { mode, name, outcome, cause, startedAtMs, deadlineAtMs, finishedAtMs } = index;
      text +=
        `,"index_shard":${shard},"mode":"${mode}","name":"${name}",` +
        `"outcome":${outcome === null ? null : `"${outcome}"`},"cause":${JSON.stringify(cause)},` +
        `"attention":null,"started_at_ms":${startedAtMs},"deadline_at_ms":${deadlineAtMs},` +
        `"finished_at_ms":${finishedAtMs},"labels":"{}"`;
    }
    text += '}';
  }
  return `${text}]`;
}
