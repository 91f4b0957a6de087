/**
 * The worker thread of store-sqlite.ts: the statements of server/log/sqlite-store.ts, one transaction
 * per message. It is a program of its own, so it starts at import. The texts stand here a second
 * time: when they change there, they change here.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { openSqliteFile } from '../../../server/log/sqlite-file.ts';
import type { ThreadOptions, Value } from './store-sqlite.ts';

if (parentPort !== null) serve(parentPort, workerData as ThreadOptions);

function serve(port: NonNullable<typeof parentPort>, { path, epoch }: ThreadOptions): void {
  const database = openSqliteFile({ path });
  const runningTerm = database.prepare(
    'select 1 from coordinator_node where epoch = ? and ended_at_ms is null',
  );
  const insertRow = database.prepare(
    `insert into transaction_log (gid, seq, shard, epoch, at_ms, records)
     values (?, ?, ?, ?, ?, ?) on conflict (gid, seq) do nothing`,
  );
  const upsertIndex = database.prepare(
    `insert into global_transaction (gid, shard, mode, name, outcome, cause, attention,
       started_at_ms, deadline_at_ms, finished_at_ms, labels)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     on conflict (gid) do update set shard = excluded.shard, mode = excluded.mode,
       name = excluded.name, outcome = excluded.outcome, cause = excluded.cause,
       attention = excluded.attention, started_at_ms = excluded.started_at_ms,
       deadline_at_ms = excluded.deadline_at_ms, finished_at_ms = excluded.finished_at_ms,
       labels = excluded.labels`,
  );
  port.on('message', (values: readonly Value[]) => {
    database.exec('begin immediate');
    if (runningTerm.get(epoch) === undefined) throw new Error('the term is over');
    for (let at = 0; at < values.length; ) {
      insertRow.run(...values.slice(at, at + 6));
      const isIndexed = values[at + 6] === 1;
      at += 7;
      if (!isIndexed) continue;
      upsertIndex.run(...values.slice(at, at + 11));
      at += 11;
    }
    database.exec('commit');
    port.postMessage(null);
  });
  port.postMessage(null);
}
