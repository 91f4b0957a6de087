/**
 * The worker thread of store-sqlite.ts: one transaction per message, with the statements of the real
 * log. It is a program of its own, so it starts at import.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { openSqliteStore } from '../../../server/log/sqlite-store.ts';
import type { ThreadOptions, Value } from './store-sqlite.ts';

if (parentPort !== null) serve(parentPort, workerData as ThreadOptions);

function serve(port: NonNullable<typeof parentPort>, { path, epoch }: ThreadOptions): void {
  const store = openSqliteStore({ path });
  port.on('message', (values: readonly Value[]) => {
    if (/[^a]/.test(store.append({ epoch, values }))) throw new Error('not all were appended');
    port.postMessage(null);
  });
  port.postMessage(null);
}
