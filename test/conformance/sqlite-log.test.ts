/** The SQLite log under the common suite, and the failures that only a real file can show. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqliteExecutor } from '../../migrations/executor.ts';
import { loadMigrations, migrate } from '../../migrations/runner.ts';
import { prepareSqliteFile } from '../../server/log/sqlite-file.ts';
import { openSqliteLog } from '../../server/log/sqlite-log.ts';
import { logConformance } from './log.ts';

logConformance('sqlite', {
  isDurable: true,
  async open() {
    const directory = await mkdtemp(join(tmpdir(), 'settle-log-'));
    const path = join(directory, 'log.db');
    const database = await prepareSqliteFile(path);
    await migrate(sqliteExecutor(database), await loadMigrations('coordinator', 'sqlite'));
    database.close();
    const log = await openSqliteLog({ path });
    const close = async () => {
      await log.close();
      await rm(directory, { recursive: true });
    };
    return { log, another: () => openSqliteLog({ path }), close };
  },
});
