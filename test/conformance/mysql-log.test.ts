/** The log on MySQL or MariaDB under the common suites, and what only those can do to it. */
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { expect, it, onTestFinished } from 'vitest';
import { openMysqlLog } from '../../server/log/mysql-log.ts';
import { migrateLog } from '../../server/log/schema.ts';
import { describeOn, describeOnOwn } from '../support/databases.ts';
import { logConformance } from './log.ts';
import { type RawConnection, serverLogConformance } from './server-log.ts';

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

async function connect(url: string): Promise<RawConnection> {
  const connection = await createConnection(url);
  connection.on('error', () => undefined);
  return {
    async run(sql) {
      const [rows] = await connection.query<RowDataPacket[]>(sql);
      return Array.isArray(rows) ? rows : [];
    },
    close: () => connection.end(),
  };
}

await describeOnOwn('mysql', (mysql) => {
  serverLogConformance(mysql, {
    open: openMysqlLog,
    connect,
    commitMark: 'commit',
    // Not from innodb_trx, which is a copy that stays old as long as it is asked for often.
    async lockWaits(connection) {
      const rows = await connection.run("show global status like 'Innodb_row_lock_current_waits'");
      return Number(rows[0]?.['Value']);
    },
    async moveLogTable(connection, folder) {
      const [made] = await connection.run('show create table transaction_log');
      await connection.run('drop table transaction_log');
      await connection.run(`${String(made?.['Create Table'])} data directory = '${folder}'`);
    },
  });

  it('warns of settings that make a commit less than durable', async () => {
    const url = await mysql.newDatabase();
    const log = openMysqlLog({ url });
    onTestFinished(() => log.close());
    expect(await log.durabilityWarnings()).toEqual([]);
    const admin = await connect(url);
    onTestFinished(() => admin.close());
    await admin.run('set global innodb_flush_log_at_trx_commit = 2');
    const warnings = await log.durabilityWarnings();
    await admin.run('set global innodb_flush_log_at_trx_commit = 1');
    expect(warnings.map((text) => text.split(' ')[0])).toEqual(['innodb_flush_log_at_trx_commit']);
  });
});
