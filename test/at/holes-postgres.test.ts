/** Where automatic undo of others goes wrong, one test each: what it must not do, on PostgreSQL. */
import { expect, it } from 'vitest';
import { describeOn } from '../support/databases.ts';
import {
  outside,
  refuses,
  rolledBack,
  startWorld,
  untilAttention,
  untilFailed,
  untilOver,
} from './holes-world.ts';
import { rowsOf, undoRows } from './world.ts';

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
    // What is decided to roll back holds its locks until it has.
    const taking = settle.transaction({}, () =>
      bank.query('update account set cents = 5 where id = 2'),
    );
    await expect(taking).rejects.toMatchObject({
      code: 'LOCK_CONFLICT',
      detail: expect.stringContaining('rolls back'),
    });
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
});
