/**
 * Opens a log by its URL: the only place that knows all the stores. Each store is loaded when it is
 * asked for, so that nobody loads a driver that they don't use.
 */

import type { Failure } from '../runtime/failure.ts';
import type { TransactionLog } from './log.ts';
import { parseLogUrl } from './log-url.ts';
import { migrateLog, requireLogSchema } from './schema.ts';

/** How to open a log. */
export interface OpenLogOptions {
  /** True: apply missing migrations first (an embedded log). False: refuse when some are missing. */
  readonly migrate: boolean;
  /** Told why an append was answered `unknown`; for the server's own log. May be called often. */
  readonly onTrouble?: (failure: Failure) => void;
}

/**
 * Opens `memory:`, `sqlite:/path` (or a plain path), `postgres://…`, `mysql://…` or `mariadb://…`.
 * Throws Failure INVALID_CONFIG, LOG_NOT_WRITABLE, LOG_UNAVAILABLE, SCHEMA_MISSING or SCHEMA_NEWER;
 * no message contains the URL's password.
 */
export async function openLog(url: string, options: OpenLogOptions): Promise<TransactionLog> {
  const target = parseLogUrl(url);
  const { onTrouble } = options;
  if (options.migrate) await migrateLog(url);
  else await requireLogSchema(url);
  switch (target.kind) {
    case 'memory': {
      const { openMemoryLog } = await import('./memory-log.ts');
      return openMemoryLog();
    }
    case 'sqlite': {
      const { openSqliteLog } = await import('./sqlite-log.ts');
      return openSqliteLog({ path: target.path, ...(onTrouble && { onTrouble }) });
    }
    case 'postgres': {
      const { openPostgresLog } = await import('./postgres-log.ts');
      return openPostgresLog({ url: target.url, ...(onTrouble && { onTrouble }) });
    }
    case 'mysql': {
      const { openMysqlLog } = await import('./mysql-log.ts');
      return openMysqlLog({ url: target.url, ...(onTrouble && { onTrouble }) });
    }
    default:
      return target satisfies never;
  }
}
