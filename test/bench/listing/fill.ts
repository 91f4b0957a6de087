/**
 * A PostgreSQL log with many transactions, as a shop would have them after a busy day: finished ones by
 * plain inserts, far faster than they could be run; open ones as a coordinator writes them, decided to
 * commit while their participants are away. Only what lists read is there of the finished ones.
 */
import pg from 'pg';
import type { LogRecord } from '../../../server/core/record.ts';
import { indexRow, replay } from '../../../server/engine/codec.ts';
import { openLog } from '../../../server/log/index.ts';
import { type Append, shardOf, type Term } from '../../../server/log/log.ts';
import { appendAll } from '../../support/log-rows.ts';

/** When the first one began; one every 50 ms. */
export const startMs = 1_760_000_000_000;
export const apartMs = 50;

const rowsPerStatement = 100_000;

/** `i` from `$1` to `$2`. Every tenth is a saga, every 50th rolled back, a few need a human still. */
const finished = `insert into global_transaction (gid, shard, mode, name, outcome, cause, attention,
    started_at_ms, deadline_at_ms, finished_at_ms, labels)
  select overlay(lpad(to_hex(at_ms), 12, '0') placing '-' from 9 for 0) || '-7' ||
      lpad(to_hex(i % 4096), 3, '0') || '-8000-' || lpad(to_hex(i), 12, '0'),
    i % 64, case when i % 10 = 0 then 'saga' else 'transaction' end,
    case when i % 100000 = 77 then 'rare' when i % 10 = 0 then 'trip'
      when i % 10 < 4 then 'purchase' else 'transfer' end,
    case when i % 50 = 3 then 'rolledBack' else 'committed' end,
    '{"kind":"initiator"}',
    case when i % 5000 = 9
      then '{"reason":"retries","branchId":1,"detail":"nobody answers","atMs":1}' end,
    at_ms, at_ms + 30000, at_ms + 20,
    '{"region":"eu","tenant":"t' || i % 100 || '","customer":"c' || i % 50000 || '"}'
  from generate_series($1::bigint, $2::bigint - 1) i
    cross join lateral (select ${startMs} + i * ${apartMs} as at_ms) began`;

const labels = `insert into transaction_label (label, started_at_ms, gid)
  select pair[1] || '=' || pair[2], started_at_ms, gid
  from global_transaction, regexp_matches(labels, '"([^"]*)":"((?:[^"\\\\]|\\\\.)*)"', 'g') pair
  where started_at_ms >= $1 and started_at_ms < $2`;

/** Writes so many of each into a migrated log, and leaves it vacuumed, as after a quiet night. */
export async function fill(
  logUrl: string,
  count: { readonly finished: number; readonly open: number },
  said: (line: string) => void,
): Promise<void> {
  const client = new pg.Client({ connectionString: logUrl });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('set synchronous_commit = off');
    for (let from = 0; from < count.finished; from += rowsPerStatement) {
      const to = Math.min(count.finished, from + rowsPerStatement);
      await client.query(finished, [from, to]);
      await client.query(labels, [startMs + from * apartMs, startMs + to * apartMs]);
      said(`${to} finished`);
    }
    await fillOpen(logUrl, count);
    said(`${count.open} open`);
    await client.query('vacuum (analyze)');
    await client.query('checkpoint');
  } finally {
    await client.end();
  }
}

/** Open ones lie among the last finished ones. */
async function fillOpen(
  logUrl: string,
  count: { readonly finished: number; readonly open: number },
): Promise<void> {
  const log = await openLog(logUrl, { migrate: false });
  try {
    const term = await log.takeOver('filler', '127.0.0.1:0', startMs);
    const firstMs = startMs + Math.max(0, count.finished - count.open) * apartMs;
    const appends = Array.from({ length: count.open }, (_, i) =>
      openAppend(term, i, firstMs + i * apartMs + 1),
    );
    const answers = await appendAll(log, term, appends);
    if (answers.some((answer) => answer !== 'appended')) throw new Error('the log took not all');
    await log.release(term);
  } finally {
    await log.close();
  }
}

function openAppend(term: Term, i: number, atMs: number): Append {
  const gid = `open-${String(i).padStart(8, '0')}`;
  const [bank, stock] = [`bank-${i % 20}`, i % 1_000 === 5 ? 'stock-rare' : 'stock'];
  const branch = (branchId: number, service: string, method: string) =>
    ({ branchId, kind: 'tcc', participant: { service, method }, payload: { i } }) as const;
  const records: readonly LogRecord[] = [
    {
      ...{ kind: 'begun', gid, name: i % 3 === 0 ? 'purchase' : 'transfer', content: 'c', atMs },
      ...{ epoch: term.epoch, deadlineAtMs: null, request: null },
      labels: { region: 'eu', tenant: `t${i % 100}` },
      branches: [branch(1, bank, 'debit'), branch(2, stock, 'reserve')],
    },
    { kind: 'decided', direction: 'commit', cause: { kind: 'initiator' }, atMs: atMs + 1 },
  ];
  const shard = shardOf(gid);
  const text = JSON.stringify(records);
  const row = { gid, seq: 1, shard, epoch: term.epoch, atMs, records: text };
  const replayed = replay([row]);
  if (!replayed.ok || replayed.tx === null) throw new Error('what was written cannot be read');
  return { row, index: indexRow(replayed.tx, shard) };
}
