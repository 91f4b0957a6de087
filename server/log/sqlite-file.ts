/**
 * Opens the file of a SQLite log with the settings that make a commit durable, and translates what
 * can go wrong into words for the operator. Tables and rows are no concern of this file.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Failure } from '../runtime/failure.ts';
import type { SqliteFileOptions } from './sqlite-messages.ts';

/** How long one statement waits for another process that is writing. */
const busyMsMax = 5_000;
const pageBytes = 4_096;

/**
 * FULL syncs the write-ahead log at each commit; fullfsync does it on macOS, where a plain fsync
 * does not reach the disk. A checkpoint each 8 MiB instead of 4 writes 1.2 times as many rows a
 * second; each 64 MiB writes no more and holds commits up for 65 ms instead of 15.
 */
const durable = `
  pragma synchronous = full;
  pragma fullfsync = on;
  pragma wal_autocheckpoint = 2000;
  pragma cache_size = -32768;`;

/** Primary result codes (https://www.sqlite.org/rescode.html) that mean something to us. */
export const sqliteCodes = {
  busy: 5,
  corrupt: 11,
  full: 13,
  notDatabase: 26,
} as const;

/** The primary result code of an error thrown by node:sqlite; null for any other error. */
export function sqliteCodeOf(error: unknown): number | null {
  if (!(error instanceof Error) || !('errcode' in error)) return null;
  return typeof error.errcode === 'number' ? error.errcode & 0xff : null;
}

/** What to tell the operator about an error while the file was opened or used. */
export function sqliteFailure(path: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  const text = error instanceof Error ? error.message : String(error);
  const told = (detail: string) => new Failure('LOG_NOT_WRITABLE', detail, { cause: error });
  if (text.startsWith('no such table')) {
    return new Failure('SCHEMA_MISSING', `${path}: ${text}.`, { cause: error });
  }
  switch (sqliteCodeOf(error)) {
    case sqliteCodes.busy:
      return new Failure('LOG_UNAVAILABLE', `${path} is locked by another process.`, {
        cause: error,
      });
    case sqliteCodes.notDatabase:
    case sqliteCodes.corrupt:
      return told(`${path} is not a SQLite database, or it is damaged (${text}).`);
    default:
      return told(`${path}: ${text}.`);
  }
}

/**
 * Opens the file for migrations: creates it and its directory (one level) when they are missing,
 * and makes sure that it can be written. The caller closes it. Throws Failure LOG_NOT_WRITABLE or
 * LOG_UNAVAILABLE.
 */
export async function prepareSqliteFile(path: string): Promise<DatabaseSync> {
  try {
    createDirectory(dirname(resolve(path)));
    const database = new DatabaseSync(resolve(path), { timeout: busyMsMax });
    try {
      await enterWal(database);
      // Opening a file that may only be read succeeds; the first write would not.
      database.exec('begin immediate; rollback');
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    throw sqliteFailure(path, error);
  }
}

/** Opens a file that was prepared, for the log itself. Throws what node:sqlite throws. */
export function openSqliteFile(options: SqliteFileOptions): DatabaseSync {
  const url = pathToFileURL(resolve(options.path));
  // Never create: an empty file in the place of a log that was moved away would look like a log.
  url.searchParams.set('mode', 'rw');
  const database = new DatabaseSync(url, { timeout: busyMsMax });
  database.exec(durable);
  if (options.bytesMax !== undefined) {
    const pages = Math.max(1, Math.floor(options.bytesMax / pageBytes));
    database.prepare(`pragma max_page_count = ${pages}`).get();
  }
  return database;
}

function createDirectory(directory: string): void {
  if (existsSync(directory)) return;
  mkdirSync(directory, { mode: 0o700 });
  // The new name must be on disk before a commit inside it can be called durable.
  const parent = openSync(dirname(directory), 'r');
  try {
    fsyncSync(parent);
  } finally {
    closeSync(parent);
  }
}

/** SQLite does not wait by itself when two processes switch a new file to WAL at once. */
async function enterWal(database: DatabaseSync): Promise<void> {
  const deadlineMs = performance.now() + busyMsMax;
  for (;;) {
    try {
      const mode = database.prepare('pragma journal_mode = wal').get()?.['journal_mode'];
      if (mode === 'wal') return;
      throw new Failure('LOG_NOT_WRITABLE', 'The file system has no shared memory for WAL mode.');
    } catch (error) {
      const isBusy = sqliteCodeOf(error) === sqliteCodes.busy;
      if (!isBusy || performance.now() > deadlineMs) throw error;
      await delay(10);
    }
  }
}
