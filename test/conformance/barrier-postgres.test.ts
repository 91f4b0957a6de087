/** The barrier on PostgreSQL, through a plain pg Pool and through Kysely. */
import { CompiledQuery, Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { createBarrierTable } from '../../client-sdk/participant/create-barrier-table.ts';
import { kyselyStore, pgStore, pgWaiterSeen } from '../support/barrier-stores.ts';
import { describeOn, type Provided } from '../support/databases.ts';
import {
  asking,
  type BarrierStore,
  barrierConformance,
  concurrency,
  effectsOf,
  effectTable,
} from './barrier.ts';

await describeOn('postgres', (server) => {
  describe('barrier: pg Pool', () => {
    barrierConformance(() => openPg(server));
    concurrency(() => openPg(server));
    lostConnection(server, openPg);

    it('answers unknown when a handler swallows the error of a statement', async () => {
      const store = await openPg(server);
      const ask = asking({
        ...store,
        execute: (trx, sql) =>
          store.execute(trx, sql.replace('into effect', 'into nowhere')).catch(() => []),
      });
      expect(await ask('try', 'swallowed')).toMatchObject({
        outcome: 'unknown',
        error: expect.stringContaining('do not catch database errors'),
      });
      expect(await store.query('select 1 from settle_barrier')).toEqual([]);
      await store.close();
    });
  });

  describe('barrier: pg Pool whose business names its statements', () => {
    barrierConformance(() => openPgNamed(server));
    concurrency(() => openPgNamed(server));
    lostConnection(server, openPgNamed);

    it('keeps the insert of the guard row prepared, and prepares it again when it is gone', async () => {
      const kept = [{ name: 'settle_barrier_insert' }, { name: 'settle_begin' }];
      const store = await openPgNamed(server, 1);
      const ask = asking(store);
      expect((await ask('try', 'first')).outcome).toBe('done');
      expect(await store.query(ourStatements)).toEqual(kept);
      await store.query('deallocate all');
      expect((await ask('try', 'second')).outcome).toBe('unknown');
      expect(await effectsOf(store, 'second')).toBe('');
      expect((await ask('try', 'second')).outcome).toBe('done');
      expect(await store.query(ourStatements)).toEqual(kept);
      await store.close();
    });

    it('prepares it again after an attempt that failed once it was prepared', async () => {
      const store = await openPgNamed(server, 1);
      const ask = asking(store);
      await store.query('alter table settle_barrier add check (gid <> $$fails$$)');
      expect((await ask('try', 'fails')).outcome).toBe('unknown');
      expect((await ask('try', 'works')).outcome).toBe('done');
      await store.close();
    });

    it('reads what is committed, whatever the default of the session is', async () => {
      const store = await openPgNamed(server, 1);
      await store.query('set default_transaction_isolation = serializable');
      const levels: unknown[] = [];
      const ask = asking({
        ...store,
        async execute(trx, sql) {
          levels.push(await store.execute(trx, 'show transaction_isolation'));
          return store.execute(trx, sql);
        },
      });
      expect((await ask('try', 'level')).outcome).toBe('done');
      expect(levels).toEqual([[{ transaction_isolation: 'read committed' }]]);
      await store.close();
    });
  });

  describe('barrier: Kysely over pg', () => {
    barrierConformance(() => openKysely(server));
    concurrency(() => openKysely(server));
    lostConnection(server, openKysely);

    it('answers unknown when a handler swallows the error of a statement', async () => {
      const store = await openKysely(server);
      const ask = asking({
        ...store,
        execute: (trx, sql) =>
          store.execute(trx, sql.replace('into effect', 'into nowhere')).catch(() => []),
      });
      expect((await ask('try', 'swallowed')).outcome).toBe('unknown');
      expect(await store.query('select 1 from settle_barrier')).toEqual([]);
      await store.close();
    });
  });
});

function lostConnection(server: Provided, open: (server: Provided) => Promise<BarrierStore>): void {
  it('answers unknown when the connection is lost before the commit, and the truth when asked again', async () => {
    const store = await open(server);
    const ask = asking(store, async (_, times) => {
      if (times > 1) return null;
      // Ends the handler's session: the only one of this database that has a transaction open.
      await store.query(`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and state = 'idle in transaction'`);
      return null;
    });
    expect((await ask('try', 'lost')).outcome).toBe('unknown');
    expect(await effectsOf(store, 'lost')).toBe('');
    expect((await ask('try', 'lost')).outcome).toBe('done');
    expect(await effectsOf(store, 'lost')).toBe('try');
    await store.close();
  });
}

async function openPg(server: Provided) {
  const pool = new pg.Pool({ connectionString: await server.newDatabase(), max: 8 });
  await createBarrierTable(pool);
  await pool.query(effectTable);
  return pgStore(pool);
}

const ourStatements = `select name from pg_prepared_statements where name like 'settle%' order by name`;

async function openPgNamed(server: Provided, max = 8) {
  const connectionString = await server.newDatabase();
  const pool = new pg.Pool({ connectionString, max, idleTimeoutMillis: 0 });
  await createBarrierTable(pool);
  await pool.query(effectTable);
  const clients = await Promise.all(Array.from({ length: max }, () => pool.connect()));
  for (const client of clients) {
    await client.query({ name: 'of-the-business', text: 'select 1' });
    client.release();
  }
  return pgStore(pool);
}

async function openKysely(server: Provided) {
  const pool = new pg.Pool({ connectionString: await server.newDatabase(), max: 8 });
  // As a user must: Kysely keeps its clients to itself, and one that is lost between two queries
  // would end the process. The plain pool does not need it, the barrier listens itself.
  pool.on('connect', (client) => client.on('error', () => undefined));
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
  await createBarrierTable(db);
  await db.executeQuery(CompiledQuery.raw(effectTable));
  return kyselyStore(db, pgWaiterSeen(pool));
}
