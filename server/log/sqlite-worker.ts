/**
 * The worker thread of the SQLite log: takes requests in order and answers each once. It is a
 * program of its own, so it starts at import. Invariant: after an I/O error the handle is never
 * used again, because a second fsync may report success for pages that the kernel has dropped
 * (https://lwn.net/Articles/752063/).
 */
import { parentPort, workerData } from 'node:worker_threads';
import { sqliteCodeOf, sqliteCodes, sqliteFailure } from './sqlite-file.ts';
import type { SqliteFileOptions, SqliteRequest, SqliteResponse } from './sqlite-messages.ts';
import { openSqliteStore, type SqliteStore } from './sqlite-store.ts';

if (parentPort !== null) serve(parentPort, workerData as SqliteFileOptions);

type Port = NonNullable<typeof parentPort>;

function serve(port: Port, options: SqliteFileOptions): void {
  let store: SqliteStore | null = null;
  let isSuspect = false;

  function opened(): SqliteStore {
    if (store !== null) return store;
    const fresh = openSqliteStore(options);
    try {
      // What a failed sync left in the page cache may be read as committed; copying it into the
      // main file writes it anew, so that "it is there" means "it is on disk" again.
      if (isSuspect) fresh.checkpoint();
    } catch (error) {
      fresh.close();
      throw error;
    }
    isSuspect = false;
    store = fresh;
    return fresh;
  }

  function respond(request: SqliteRequest): SqliteResponse {
    const { id } = request;
    if (request.kind === 'close') {
      store?.close();
      return { id, ok: true, answer: null };
    }
    try {
      return { id, ok: true, answer: perform(opened(), request) };
    } catch (error) {
      if (!leavesHandleSound(error)) {
        store?.close();
        store = null;
        isSuspect = true;
      }
      const { code, detail } = sqliteFailure(options.path, error);
      return { id, ok: false, code, detail };
    }
  }

  port.on('message', (request: SqliteRequest) => {
    port.postMessage(respond(request));
    if (request.kind === 'close') port.close();
  });
}

/** A full disk fails a write before anything is synced; a lock fails before anything is written. */
function leavesHandleSound(error: unknown): boolean {
  const code = sqliteCodeOf(error);
  return code === sqliteCodes.full || code === sqliteCodes.busy;
}

function perform(store: SqliteStore, request: Exclude<SqliteRequest, { kind: 'close' }>): unknown {
  switch (request.kind) {
    case 'open':
      return null;
    case 'append':
      return store.append(request.body);
    case 'takeOver':
      return store.takeOver(request.body);
    case 'read':
      return store.read(request.body);
    case 'openGids':
      return store.openGids(request.body);
    case 'search':
      return store.search(request.body);
    case 'find':
      return store.find(request.body);
    case 'release':
      return store.release(request.body) ?? null;
    default:
      return request satisfies never;
  }
}
