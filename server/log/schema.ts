/**
 * The tables of a log, seen from its URL: applies or checks the migrations of set `coordinator`
 * over a connection of its own, which is closed again before anything is written to the log.
 */
import { existsSync } from 'node:fs';
import {
  type Executor,
  mysqlExecutor,
  postgresExecutor,
  sqliteExecutor,
} from '../../migrations/executor.ts';
import {
  loadMigrations,
  migrate,
  printMigrations,
  requireSchema,
  type SetName,
} from '../../migrations/runner.ts';
import { Failure } from '../runtime/failure.ts';
import { type LogTarget, parseLogUrl } from './log-url.ts';
import { prepareSqliteFile } from './sqlite-file.ts';

const connectMsMax = 10_000;

/**
 * Brings the log's schema up to date and answers the names of the migrations that it applied.
 * Idempotent, safe when several servers start at once. Creates a SQLite file and its directory.
 * Throws Failure INVALID_CONFIG, LOG_NOT_WRITABLE, LOG_UNAVAILABLE or SCHEMA_NEWER.
 */
export function migrateLog(url: string): Promise<readonly string[]> {
  return migrateDatabase('coordinator', url);
}

/** As {@link migrateLog}, for either set: `participant` makes the barrier where methods run. */
export async function migrateDatabase(name: SetName, url: string): Promise<readonly string[]> {
  const target = parseLogUrl(url);
  if (target.kind === 'memory') return [];
  const set = await loadMigrations(name, target.kind);
  return withExecutor(target, (executor) => migrate(executor, set));
}

/**
 * Resolves when the log has the tables that this version needs. Changes nothing. Throws Failure
 * INVALID_CONFIG, LOG_NOT_WRITABLE, LOG_UNAVAILABLE, SCHEMA_MISSING or SCHEMA_NEWER.
 */
export async function requireLogSchema(url: string): Promise<void> {
  const target = parseLogUrl(url);
  if (target.kind === 'memory') return;
  if (target.kind === 'sqlite' && !existsSync(target.path)) {
    throw new Failure('SCHEMA_MISSING', `There is no file ${target.path}.`);
  }
  const set = await loadMigrations('coordinator', target.kind);
  await withExecutor(target, (executor) => requireSchema(executor, set));
}

/** The SQL that `migrateDatabase` would run on an empty database. Connects to nothing. */
export async function printSchema(name: SetName, url: string): Promise<string> {
  const target = parseLogUrl(url);
  if (target.kind === 'memory') return '';
  return printMigrations(await loadMigrations(name, target.kind));
}

type StoredTarget = Exclude<LogTarget, { readonly kind: 'memory' }>;
type Work<T> = (executor: Executor) => Promise<T>;

/**
 * Runs the work on a connection of its own to the log, and closes it. Throws Failure
 * LOG_NOT_WRITABLE or LOG_UNAVAILABLE for what the driver throws, and any Failure of the work.
 */
export async function withExecutor<T>(target: StoredTarget, work: Work<T>): Promise<T> {
  try {
    switch (target.kind) {
      case 'sqlite':
        return await withSqlite(target.path, work);
      case 'postgres':
        return await withPostgres(target.url, work);
      case 'mysql':
        return await withMysql(target.url, work);
      default:
        return target satisfies never;
    }
  } catch (error) {
    throw logFailure(target.name, error);
  }
}

async function withSqlite<T>(path: string, work: Work<T>): Promise<T> {
  const database = await prepareSqliteFile(path);
  try {
    return await work(sqliteExecutor(database));
  } finally {
    database.close();
  }
}

async function withPostgres<T>(url: string, work: Work<T>): Promise<T> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: connectMsMax,
    application_name: 'settle migrations',
  });
  // Without a listener a connection that breaks between two statements would end the process; the
  // next statement reports it.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(postgresExecutor(client));
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function withMysql<T>(url: string, work: Work<T>): Promise<T> {
  const { createConnection } = await import('mysql2/promise');
  const connection = await createConnection({ uri: url, connectTimeout: connectMsMax });
  connection.on('error', () => undefined);
  try {
    return await work(mysqlExecutor(connection));
  } finally {
    await connection.end().catch(() => undefined);
  }
}

/** The system's, mysql2's, and PostgreSQL's: connection lost, going down, coming up, too many clients. */
const awayCodes = /^(E[A-Z]+|PROTOCOL_CONNECTION_LOST|08\w{3}|57P0[1-3]|53300)$/;
/** pg gives no code when its connection ends in the middle of something. */
const awayTexts = /timeout|^connection terminated/i;

/**
 * Words for the operator when a log could not be reached or used. Drivers' messages may name user
 * and host, never the password.
 */
export function logFailure(name: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  const detail = `${name}: ${[text, code].find((part) => part !== '') ?? 'no answer'}.`;
  const isAway = awayCodes.test(code) || awayTexts.test(text);
  return new Failure(isAway ? 'LOG_UNAVAILABLE' : 'LOG_NOT_WRITABLE', detail, { cause: error });
}

function codeOf(error: unknown): string {
  const isCoded = error instanceof Error && 'code' in error && typeof error.code === 'string';
  return isCoded ? String(error.code) : '';
}
