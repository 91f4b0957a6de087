/** The PostgreSQL log under the common suite. */

import { openPostgresLog } from '../../server/log/postgres-log.ts';
import { migrateLog } from '../../server/log/schema.ts';
import { describeOn } from '../support/databases.ts';
import { logConformance } from './log.ts';

await describeOn('postgres', (postgres) => {
  logConformance('postgres', {
    isDurable: true,
    async open() {
      const url = await postgres.newDatabase();
      await migrateLog(url);
      const log = openPostgresLog({ url });
      return { log, another: async () => openPostgresLog({ url }), close: () => log.close() };
    },
  });
});
