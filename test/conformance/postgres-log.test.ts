/** The PostgreSQL log under the common suites, and what only PostgreSQL can do to it. */
import pg from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import type { AppendAnswer } from '../../server/log/log.ts';
import { openPostgresLog } from '../../server/log/postgres-log.ts';
import { migrateLog } from '../../server/log/schema.ts';
import { describeOn, describeOnOwn } from '../support/databases.ts';
import { beginning, startMs } from '../support/log-rows.ts';
import { logConformance } from './log.ts';
import { type RawConnection, serverLogConformance } from './server-log.ts';

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

async function connect(url: string): Promise<RawConnection> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return {
    run: async (sql) => (await client.query<Record<string, unknown>>(sql)).rows,
    close: () => client.end(),
  };
}

await describeOnOwn('postgres', (postgres) => {
  serverLogConformance(postgres, {
    open: openPostgresLog,
    connect,
    commitMark: 'settle-append',
    async lockWaits(connection) {
      const rows = await connection.run(
        'select count(distinct pid) as waits from pg_locks where not granted',
      );
      return Number(rows[0]?.['waits']);
    },
    async moveLogTable(connection, folder) {
      await connection.run(`create tablespace small location '${folder}'`);
      await connection.run('alter table transaction_log set tablespace small');
      await connection.run('alter index transaction_log_pkey set tablespace small');
    },
  });

  it('does not take a commit for durable that did not wait for its standbys', async () => {
    const url = await postgres.newDatabase();
    await migrateLog(url);
    const log = openPostgresLog({ url });
    onTestFinished(() => log.close());
    const term = await log.takeOver('node-1', '127.0.0.1:7400', startMs);
    await log.append(term, [beginning(term, 'a')]);
    const admin = await connect(url);
    onTestFinished(() => admin.close());
    const setStandbys = async (names: string) => {
      await admin.run(`alter system set synchronous_standby_names = '${names}'`);
      await admin.run('select pg_reload_conf()');
    };
    await setStandbys('nobody');
    // The setting takes effect a little later, so some appends may still go through.
    let [gid, answer]: [string, AppendAnswer | undefined] = ['', 'appended'];
    for (let i = 0; answer === 'appended'; i += 1) {
      gid = `b${i}`;
      let isOver = false;
      const appending = log.append(term, [beginning(term, gid)]).finally(() => {
        isOver = true;
      });
      while (!isOver) {
        await admin.run(
          `select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'`,
        );
      }
      [answer] = await appending;
    }
    expect(answer).toBe('unknown');
    await setStandbys('');
    expect(await log.append(term, [beginning(term, gid)])).toEqual(['appended']);
    expect(await log.read([gid])).toHaveLength(1);
  });

  it('warns of settings that make a commit less than durable', async () => {
    const url = await postgres.newDatabase();
    const log = openPostgresLog({ url });
    onTestFinished(() => log.close());
    expect(await log.durabilityWarnings()).toEqual([]);
    const admin = await connect(url);
    onTestFinished(() => admin.close());
    await admin.run('alter system set full_page_writes = off');
    await admin.run('alter system set fsync = off');
    await postgres.control.restart();
    const again = openPostgresLog({ url });
    onTestFinished(() => again.close());
    const words = (await again.durabilityWarnings()).map((text) => text.split(' ')[0]);
    expect(words).toEqual(['fsync', 'full_page_writes']);
  });
});
