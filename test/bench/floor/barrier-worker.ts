/**
 * A worker of the floor where participants have a barrier: for each step of a saga the local
 * transaction that client-sdk/participant/databases/pg.ts makes of it, statement by statement (the
 * prepared ones, once its business has named its own), on a pool like the product's; and nothing else. No coordinator, no log, no messages, no SDK: what it
 * reaches is what no coordinator can exceed on this machine.
 */
import type pg from 'pg';
import { newGid } from '../../../client-sdk/gid.ts';
import { beginPrepared } from '../../../client-sdk/participant/databases/pg-prepared.ts';
import { insertEntry, openBank } from '../bank-rows.ts';
import type { FromWorker, ToWorker, WorkerSettings } from '../messages.ts';
import { createLoad } from './load.ts';

const settings = JSON.parse(process.argv[2] ?? '{}') as WorkerSettings;
if (settings.databaseUrl === null) throw new Error('the floor of the barrier has no database');
serve(openBank(settings.databaseUrl));

function serve(pool: pg.Pool): void {
  const load = createLoad(settings, (place) => {
    // What goes wrong is no figure: it ends the process, and with it the measurement.
    runSteps(pool).then(() => load.ended(place));
  });
  process.on('message', (message: ToWorker) => {
    if (message.kind === 'stop') process.exit(0);
    load.run(message.seconds, (report) => tell({ kind: 'round', report }));
  });
  // Between rounds nothing else keeps this process: the leash has let go of the channel.
  process.channel?.ref();
  // Whoever measures is gone.
  process.on('disconnect', () => process.exit(0));
  tell({ kind: 'ready', url: null });
}

async function runSteps(pool: pg.Pool): Promise<void> {
  const gid = newGid();
  for (let branchId = 1; branchId <= settings.branches; branchId += 1) {
    const client = await pool.connect();
    const guard = [gid, String(branchId), 'run', 'done', String(Date.now())];
    await beginPrepared(client, guard);
    await client.query({ ...insertEntry, values: [gid, branchId, 'a17', 100] });
    await client.query('commit');
    client.release();
  }
}

function tell(message: FromWorker): void {
  process.send?.(message);
}
