/** The barrier on MySQL or MariaDB, through a plain mysql2/promise Pool and through Kysely. */
import { CompiledQuery, Kysely, MysqlDialect } from 'kysely';
import { createPool } from 'mysql2';
import mysql from 'mysql2/promise';
import { describe, expect, it } from 'vitest';
import { createBarrierTable } from '../../client-sdk/participant/create-barrier-table.ts';
import { kyselyStore, mysqlStore, mysqlWaiterSeen } from '../support/barrier-stores.ts';
import { describeOn, type Provided } from '../support/databases.ts';
import {
  asking,
  type BarrierStore,
  barrierConformance,
  concurrency,
  effectsOf,
  effectTable,
} from './barrier.ts';

await describeOn('mysql', (server) => {
  describe('barrier: mysql2 Pool', () => {
    barrierConformance(() => openMysql2(server));
    concurrency(() => openMysql2(server));
    lostConnection(() => openMysql2(server));
    swallowedDeadlock(() => openMysql2(server));
  });

  describe('barrier: Kysely over mysql2', () => {
    barrierConformance(() => openKysely(server));
    concurrency(() => openKysely(server));
    lostConnection(() => openKysely(server));
    swallowedDeadlock(() => openKysely(server));
  });
});

function lostConnection(open: () => Promise<BarrierStore>): void {
  it('answers unknown when the connection is lost before the commit, and the truth when asked again', async () => {
    const store = await open();
    const ask = asking(store, async (_, times) => {
      if (times > 1) return null;
      // Ends the handler's session: the only one of this database that has written anything.
      const [row] = await store.query(`select trx_mysql_thread_id as id
        from information_schema.innodb_trx join information_schema.processlist
        on processlist.id = trx_mysql_thread_id
        where trx_rows_modified > 0 and db = database()`);
      await store.query(`kill ${row?.['id']}`);
      return null;
    });
    expect((await ask('try', 'lost')).outcome).toBe('unknown');
    expect(await effectsOf(store, 'lost')).toBe('');
    expect((await ask('try', 'lost')).outcome).toBe('done');
    expect(await effectsOf(store, 'lost')).toBe('try');
    await store.close();
  });
}

function swallowedDeadlock(open: () => Promise<BarrierStore>): void {
  it('answers unknown when a handler swallows a deadlock, which has undone its barrier row', async () => {
    const store = await open();
    await store.query('create table account (id int primary key, cents int not null)');
    await store.query('insert into account values (1, 0), (2, 0)');
    let arrivals = 0;
    const bothHold = Promise.withResolvers<void>();
    const lock = (trx: unknown, id: number) =>
      store.execute(trx, `update account set cents = cents + 1 where id = ${id}`);
    // Each locks one row, waits for the other to have done so, then wants the other's row.
    const asks = [1, 2].map((mine) =>
      asking({
        ...store,
        execute: async (trx) => {
          await lock(trx, mine);
          arrivals += 1;
          if (arrivals === 2) bothHold.resolve();
          await bothHold.promise;
          return lock(trx, 3 - mine).catch(() => []);
        },
      })('try', 'deadlock', mine),
    );
    const outcomes = (await Promise.all(asks)).map((answer) => answer.outcome);
    expect(outcomes.sort()).toEqual(['done', 'unknown']);
    expect(await store.query('select 1 from settle_barrier')).toHaveLength(1);
    await store.close();
  });
}

async function openMysql2(server: Provided) {
  const pool = mysql.createPool({ uri: await server.newDatabase(), connectionLimit: 8 });
  await createBarrierTable(pool);
  await pool.query(effectTable);
  return mysqlStore(pool);
}

async function openKysely(server: Provided) {
  const pool = createPool({ uri: await server.newDatabase(), connectionLimit: 8 });
  const db = new Kysely<unknown>({ dialect: new MysqlDialect({ pool }) });
  await createBarrierTable(db);
  await db.executeQuery(CompiledQuery.raw(effectTable));
  return kyselyStore(db, mysqlWaiterSeen(pool.promise()));
}
