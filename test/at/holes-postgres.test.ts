/** Where automatic undo of others goes wrong, one test each: what it must not do, on PostgreSQL. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { currentTransaction, type Settle } from '../../client-sdk/index.ts';
import { describeOn, type Provided } from '../support/databases.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import type { ChildOrder, ChildSettings } from './service-child.ts';
import { rowsOf, startCoordinator, startDatabase, startService, undoRows } from './world.ts';

const schema = `
  create table account (id bigint primary key, owner text, cents bigint not null);
  insert into account values (1, 'Ada', 1000), (2, 'Bob', 500), (3, null, 0);
  create table named (name text primary key, cents bigint not null);
  create table pair (a text, b text, cents bigint not null, primary key (a, b));`;

/** Runs as another service would: with no transaction around. */
const outside = AsyncLocalStorage.snapshot();

let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
beforeAll(async () => {
  coordinator = await startCoordinator();
});
afterAll(() => coordinator.stop());

await describeOn('postgres', (server) => {
  it('an upsert that is rolled back leaves the row that was there, and takes the new one', async () => {
    const world = await startWorld(server);
    const before = await rowsOf(world.wallets, 'account');
    const texts = [
      `insert into account values (1, 'new', 7), (9, 'nine', 9)
        on conflict (id) do update set cents = excluded.cents`,
      `insert into account values (2, 'new', 7), (8, 'eight', 8) on conflict do nothing`,
      `insert into account values (3, 'new', 7) on conflict (id) do update set owner = 'x'
        where account.cents > 0`,
    ];
    await rolledBack(world, async () => {
      for (const text of texts) await world.bank.query(text);
    });
    expect(await rowsOf(world.wallets, 'account')).toEqual(before);
  });

  it('a local commit whose answer is lost, yet was done, counts as done', async () => {
    const { settle, wallets, bank, shop, orders, proxy } = await startProxied(server);
    let gid = '';
    const lost = proxy.loseAnswerTo("'prepare', 'done'");
    await settle.transaction({}, async (tx) => {
      gid = tx.gid;
      await shop.query('update account set cents = 1 where id = 1');
      await bank.query('update account set cents = 2 where id = 1');
    });
    await lost;
    expect((await settle.get(gid)).phase).toBe('committed');
    expect(await rowsOf(wallets, 'account')).toContain('(1,Ada,2)');
    expect(await rowsOf(orders, 'account')).toContain('(1,Ada,1)');
    expect(await undoRows(wallets)).toBe(0);
  });

  it('a local commit that was lost on its way can never happen, and all is rolled back', async () => {
    const { settle, wallets, bank, shop, orders, proxy } = await startProxied(server);
    const before = [await rowsOf(wallets, 'account'), await rowsOf(orders, 'account')];
    let gid = '';
    const lost = proxy.loseRequest("'prepare', 'done'");
    const work = settle.transaction({}, async (tx) => {
      gid = tx.gid;
      await shop.query('update account set cents = 1 where id = 1');
      await bank.query('update account set cents = 2 where id = 1');
    });
    await expect(work).rejects.toThrow();
    await lost;
    await untilOver(settle, gid);
    expect([await rowsOf(wallets, 'account'), await rowsOf(orders, 'account')]).toEqual(before);
    const { rows } = await wallets.query(
      'select operation, state from settle_barrier where gid = $1 order by operation',
      [gid],
    );
    expect(rows[0]).toEqual({ operation: 'prepare', state: 'blocked' });
    expect([await undoRows(wallets), await undoRows(orders)]).toEqual([0, 0]);
  });

  it('a rollback that comes before the local commit makes that commit fail', async () => {
    const { settle, wallets, bank, shop } = await startWorld(server);
    const before = await rowsOf(wallets, 'account');
    // Stands in the way of the undo row, so that the branch is registered and not yet committed.
    const blocker = await wallets.connect();
    await blocker.query('begin');
    await blocker.query(`insert into settle_undo values
      ('public.account', '["1"]', 0, 'nobody', 1, 1, default, null, null, 0)`);
    let gid = '';
    const work = settle.transaction({}, async (tx) => {
      gid = tx.gid;
      await shop.query('update account set cents = 1 where id = 2');
      await bank.query('update account set cents = 2 where id = 1');
    });
    const failed = expect(work).rejects.toMatchObject({ code: 'ROLLED_BACK' });
    await untilWaiting(wallets);
    await settle.rollback(gid);
    await untilOver(settle, gid);
    await blocker.query('rollback');
    blocker.release();
    await failed;
    expect(await rowsOf(wallets, 'account')).toEqual(before);
    expect(await undoRows(wallets)).toBe(0);
  });

  it('keys with separators, quotes, spaces and nothing at all are keys of their own', async () => {
    const world = await startWorld(server);
    const names = [
      '',
      ' ',
      ',',
      ';',
      '_',
      'a',
      'a,b',
      'a_b',
      'a^^^b',
      '"',
      `'`,
      '","',
      '\\',
      'NULL',
    ];
    await world.wallets.query('insert into named select unnest($1::text[]), 1', [names]);
    const before = await rowsOf(world.wallets, 'named');
    await rolledBack(world, async () => {
      for (const [index, name] of names.entries()) {
        await world.bank.query('update named set cents = $1 where name = $2', [index + 2, name]);
      }
      const { rows } = await world.wallets.query('select row_key from settle_undo');
      expect(rows).toEqual([]);
    });
    expect(await rowsOf(world.wallets, 'named')).toEqual(before);
  });

  it('composite keys that concatenate alike are different locks', async () => {
    const world = await startWorld(server);
    const { settle, wallets, bank } = world;
    const keys = [
      ...[
        ['a,b', 'c'],
        ['a', 'b,c'],
        ['a_b', 'c'],
        ['a', 'b_c'],
        ['', 'ab'],
        ['ab', ''],
      ],
      ...[
        ['a","b', 'c'],
        ['a', 'b","c'],
        ['a\\', ''],
        ['a', '\\'],
      ],
    ];
    for (const key of keys) await wallets.query('insert into pair values ($1, $2, 0)', key);
    const before = await rowsOf(wallets, 'pair');
    const update = 'update pair set cents = cents + 1 where a = $1 and b = $2';
    // Each in a global transaction of its own, all of them undecided at the same time.
    const enough = Promise.withResolvers<void>();
    const changed: Promise<void>[] = [];
    const works = keys.map((key) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      changed.push(promise);
      return settle.transaction({}, async (tx) => {
        const headers = await tx.headers();
        await outside(() => settle.join(headers, () => bank.query(update, key)));
        resolve();
        await enough.promise;
        throw new Error('as planned');
      });
    });
    const ends = Promise.allSettled(works);
    await Promise.all(changed);
    expect(await undoRows(wallets)).toBe(keys.length);
    enough.resolve();
    await ends;
    expect(await rowsOf(wallets, 'pair')).toEqual(before);
    expect(await undoRows(wallets)).toBe(0);
  });

  it('a write in `with` is refused before it runs', async () => {
    const world = await startWorld(server);
    const before = await rowsOf(world.wallets, 'account');
    const texts = [
      'with gone as (delete from account returning *) select count(*) from gone',
      'with up as (update account set cents = 0 returning *) insert into named select owner, 1 from up',
      'with x as (insert into account values (7, null, 7) returning id) update account set cents = 1',
    ];
    await refuses(world, texts);
    expect(await rowsOf(world.wallets, 'account')).toEqual(before);
  });

  it('`select … for update` takes the global lock', async () => {
    const { settle, wallets, bank } = await startWorld(server);
    const take = 'select cents from account where id = 1 for update';
    const conflict = await settle.transaction({}, async (tx) => {
      const headers = await tx.headers();
      await outside(() => settle.join(headers, () => bank.query(take)));
      expect(await undoRows(wallets)).toBe(1);
      // The row itself is free by now; what keeps the other one out is the lock.
      return outside(() =>
        settle
          .transaction({}, () => bank.query('update account set cents = 5 where id = 1'))
          .catch((error: unknown) => error),
      );
    });
    expect(conflict).toMatchObject({ code: 'LOCK_CONFLICT' });
    expect(await rowsOf(wallets, 'account')).toContain('(1,Ada,1000)');
    await settle.transaction({}, () => bank.query('update account set cents = 5 where id = 1'));
    expect(await rowsOf(wallets, 'account')).toContain('(1,Ada,5)');
  });

  it('a row that somebody else has changed is not overwritten, and can be put right', async () => {
    const { settle, wallets, bank } = await startWorld(server);
    const before = await rowsOf(wallets, 'account');
    let gid = '';
    const work = settle.transaction({ waitMs: 0 }, async (tx) => {
      gid = tx.gid;
      const headers = await tx.headers();
      await outside(() =>
        settle.join(headers, async () => {
          await bank.query('update account set cents = 7 where id = 1');
          await bank.query('update account set cents = 8 where id = 2');
        }),
      );
      await wallets.query('update account set cents = 9 where id = 1');
      throw new Error('as planned');
    });
    await expect(work).rejects.toThrow('as planned');
    const { attention, phase } = await untilAttention(settle, gid);
    expect(phase).toBe('rollingBack');
    expect(attention?.detail).toMatch(/AT_DIRTY_ROW.*public\.account \["1"\]/);
    expect(await rowsOf(wallets, 'account')).toEqual(['(1,Ada,9)', '(2,Bob,8)', '(3,,0)']);
    expect(await undoRows(wallets)).toBe(2);
    await wallets.query('update account set cents = 7 where id = 1');
    expect(await untilOver(settle, gid)).toBe('rolledBack');
    expect(await rowsOf(wallets, 'account')).toEqual(before);
    expect(await undoRows(wallets)).toBe(0);
  });

  it('writes that change rows which they do not name are refused', async () => {
    const world = await startWorld(server);
    await world.wallets.query(`
      create table log (line text);
      create function note() returns trigger language plpgsql as
        $$ begin insert into log values ('x'); return new; end $$;
      create table watched (id int primary key, n int);
      create trigger note after insert or update or delete on watched
        for each row execute function note();
      create table parent (id int primary key);
      create table child (id int primary key, p int references parent on delete cascade);
      create table ruled (id int primary key);
      create rule note as on delete to ruled do also insert into log values ('y');
      create view seen as select * from parent;
      create function wipe() returns int language sql as 'delete from log; select 1';
      insert into watched values (1, 1); insert into parent values (1);
      insert into child values (1, 1); insert into ruled values (1)`);
    const before = await Promise.all(
      ['log', 'watched', 'parent', 'child', 'ruled'].map((table) => rowsOf(world.wallets, table)),
    );
    await refuses(world, [
      'insert into watched values (2, 2)',
      'update watched set n = 2',
      'delete from watched',
      'delete from parent',
      'delete from ruled',
      'insert into seen values (2)',
      'delete from seen',
      'select wipe()',
      'update account set cents = wipe()',
      'insert into log values (1)',
      'truncate account',
      'merge into account using parent on true when matched then delete',
    ]);
    const after = await Promise.all(
      ['log', 'watched', 'parent', 'child', 'ruled'].map((table) => rowsOf(world.wallets, table)),
    );
    expect(after).toEqual(before);
  });

  it('what would make a local commit less than one is refused', async () => {
    const world = await startWorld(server);
    await refuses(world, [
      'set synchronous_commit = off',
      "set local transaction_isolation = 'repeatable read'",
      "select set_config('synchronous_commit', 'off', true)",
      'set session_replication_role = replica',
    ]);
  });

  it('a unique value that another transaction took meanwhile stays there, and is waited for', async () => {
    const { settle, wallets, bank } = await startWorld(server);
    await wallets.query(`create table seat (id int primary key, place text unique);
      insert into seat values (1, 'x')`);
    let gid = '';
    const work = settle.transaction({ waitMs: 0 }, async (tx) => {
      gid = tx.gid;
      const headers = await tx.headers();
      await outside(() => settle.join(headers, () => bank.query('delete from seat')));
      await outside(() =>
        settle.transaction({}, () => bank.query("insert into seat values (2, 'x')")),
      );
      throw new Error('as planned');
    });
    await expect(work).rejects.toThrow('as planned');
    expect((await untilFailed(settle, gid)).lastError).toContain('seat_place_key');
    expect(await rowsOf(wallets, 'seat')).toEqual(['(2,x)']);
    await wallets.query('delete from seat');
    expect(await untilOver(settle, gid)).toBe('rolledBack');
    expect(await rowsOf(wallets, 'seat')).toEqual(['(1,x)']);
  });

  it('rows that refer to each other come and go together', async () => {
    const world = await startWorld(server);
    await world.wallets.query(`
      create table tree (id int primary key, up int references tree);
      insert into tree values (1, 1), (2, null), (3, 2);
      update tree set up = 3 where id = 2`);
    const before = await rowsOf(world.wallets, 'tree');
    const texts = [
      'insert into tree values (5, 6), (6, 5), (7, 7)',
      'insert into tree values (1, 8), (8, null) on conflict (id) do update set up = excluded.up',
      'delete from tree where id in (2, 3)',
      'delete from tree',
    ];
    for (const text of texts) await rolledBack(world, () => world.bank.query(text).then(() => {}));
    await rolledBack(world, async () => {
      for (const text of texts) await world.bank.query(text);
    });
    expect(await rowsOf(world.wallets, 'tree')).toEqual(before);
  });

  it('undo rows outlive kill -9 of their service: another instance rolls back', async () => {
    const url = await server.newDatabase();
    const wallets = await startDatabase({ ...server, newDatabase: async () => url }, schema);
    const before = await rowsOf(wallets, 'account');
    const service = name('wallet');
    const child = await startChild({ coordinator: coordinator.url, service, database: url });
    const settle = await startService(coordinator.url, name('shop'));
    let gid = '';
    const work = settle.transaction({ waitMs: 0 }, async (tx) => {
      gid = tx.gid;
      await tx.headers();
      await child.perform({ gid, text: "update account set owner = 'gone', cents = 0" });
      expect(await undoRows(wallets)).toBe(3);
      await child.kill();
      throw new Error('as planned');
    });
    await expect(work).rejects.toThrow('as planned');
    expect(await undoRows(wallets)).toBe(3);
    const other = await startService(coordinator.url, service);
    other.at(wallets, { resource: 'wallets' });
    expect(await untilOver(settle, gid)).toBe('rolledBack');
    expect(await rowsOf(wallets, 'account')).toEqual(before);
    expect(await undoRows(wallets)).toBe(0);
  });
});

interface World {
  readonly settle: Settle;
  readonly orders: pg.Pool;
  readonly wallets: pg.Pool;
  readonly shop: pg.Pool;
  readonly bank: pg.Pool;
}

function name(role: string): string {
  return `${role}-${crypto.randomUUID().slice(0, 8)}`;
}

async function startWorld(server: Provided): Promise<World> {
  const settle = await startService(coordinator.url, name('shop'));
  const orders = await startDatabase(server, schema);
  const wallets = await startDatabase(server, schema);
  const shop: pg.Pool = settle.at(orders, { resource: 'orders', lockTimeoutMs: 1_000 });
  const bank: pg.Pool = settle.at(wallets, { resource: 'wallets', lockTimeoutMs: 1_000 });
  return { settle, orders, wallets, shop, bank };
}

/** The resource `wallets` reaches its database through a proxy; `wallets` itself does not. */
async function startProxied(server: Provided) {
  const settle = await startService(coordinator.url, name('shop'));
  const orders = await startDatabase(server, schema);
  const url = await server.newDatabase();
  const wallets = await startDatabase({ ...server, newDatabase: async () => url }, schema);
  const proxy = await startTcpProxy(url);
  onTestFinished(() => proxy.close());
  const proxied = new pg.Pool({ connectionString: proxy.url });
  // Idle clients lose their line, too, and the pool says so.
  proxied.on('error', () => undefined);
  onTestFinished(() => proxied.end());
  const shop: pg.Pool = settle.at(orders, { resource: 'orders' });
  const bank: pg.Pool = settle.at(proxied, { resource: 'wallets' });
  return { settle, orders, wallets, shop, bank, proxy };
}

/** The work joins, commits locally, and is taken back. */
async function rolledBack({ settle, wallets }: World, work: () => Promise<void>): Promise<void> {
  const all = settle.transaction({}, async (tx) => {
    const headers = await tx.headers();
    await outside(() => settle.join(headers, work));
    expect(await undoRows(wallets)).toBeGreaterThan(0);
    throw new Error('as planned');
  });
  await expect(all).rejects.toThrow('as planned');
  expect(await undoRows(wallets)).toBe(0);
}

/** Each of them, and the transaction around goes on as if they had not been. */
async function refuses({ settle, wallets, bank }: World, texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    await settle.transaction({}, async () => {
      expect(currentTransaction()).toBeDefined();
      const refused = expect(bank.query(text), text).rejects;
      await refused.toMatchObject({ code: 'AT_UNSUPPORTED_SQL' });
      await bank.query('update account set cents = cents where id = 1');
    });
  }
  expect(await undoRows(wallets)).toBe(0);
}

/** Resolves once a session of this database waits for a lock. */
async function untilWaiting(pool: pg.Pool): Promise<void> {
  for (;;) {
    const { rowCount } = await pool.query(`select 1 from pg_stat_activity
      where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`);
    if (rowCount !== 0) return;
  }
}

async function untilFailed(settle: Settle, gid: string) {
  for (;;) {
    const [branch] = (await settle.get(gid)).branches;
    if (branch !== undefined && branch.lastError !== null) return branch;
  }
}

async function untilAttention(settle: Settle, gid: string) {
  for (;;) {
    const view = await settle.get(gid);
    if (view.attention !== null) return view;
  }
}

async function untilOver(settle: Settle, gid: string): Promise<string> {
  for (;;) {
    const { phase } = await settle.get(gid);
    if (phase === 'committed' || phase === 'rolledBack') return phase;
  }
}

async function startChild(settings: ChildSettings) {
  const program = join(import.meta.dirname, 'service-child.ts');
  const child = fork(program, [JSON.stringify(settings)]);
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'message');
  return {
    /** Resolves when it has committed locally. */
    async perform(order: ChildOrder) {
      child.send(order);
      await once(child, 'message');
    },
    async kill() {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
