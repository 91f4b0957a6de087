/** The MySQL log under the common suite. */

import { openMysqlLog } from '../../server/log/mysql-log.ts';
import { migrateLog } from '../../server/log/schema.ts';
import { describeOn } from '../support/databases.ts';
import { logConformance } from './log.ts';

await describeOn('mysql', (mysql) => {
  logConformance('mysql', {
    isDurable: true,
    async open() {
      const url = await mysql.newDatabase();
      await migrateLog(url);
      const log = openMysqlLog({ url });
      return { log, another: async () => openMysqlLog({ url }), close: () => log.close() };
    },
  });
});
