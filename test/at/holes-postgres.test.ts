/** Where automatic undo of others goes wrong, one test each: what it must not do, on PostgreSQL. */
import { expect, it } from 'vitest';
import { describeOnKind } from './either-kind.ts';
import { holesOfEither } from './holes-either.ts';
import { outside, refuses, rolledBack, startWorld, undone } from './holes-world.ts';

await describeOnKind('postgres', (kind) => {
  holesOfEither(kind);

  it('an upsert that is rolled back leaves the row that was there, and takes the new one', async () => {
    const world = await startWorld(kind);
    const before = await world.wallets.rowsOf('account');
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
    expect(await world.wallets.rowsOf('account')).toEqual(before);
  });

  it('`select … for key share` keeps off who changes what is no key', async () => {
    const { settle, wallets, bank } = await startWorld(kind);
    await settle.transaction({}, async () => {
      await bank.query('select * from account where id = 1 for key share');
      await bank.query('select * from account where id = 2');
      const taking = (id: number) =>
        outside(() =>
          wallets.query(`select * from account where id = ${id} for no key update nowait`),
        );
      // Its image of the row is true until it commits.
      await expect(taking(1)).rejects.toMatchObject({ code: '55P03' });
      await taking(2);
    });
  });

  it('a write in `with` is refused before it runs', async () => {
    const world = await startWorld(kind);
    const before = await world.wallets.rowsOf('account');
    const texts = [
      'with gone as (delete from account returning *) select count(*) from gone',
      'with up as (update account set cents = 0 returning *) insert into named select owner, 1 from up',
      'with x as (insert into account values (7, null, 7) returning id) update account set cents = 1',
    ];
    await refuses(world, texts);
    expect(await world.wallets.rowsOf('account')).toEqual(before);
  });

  it('writes that change rows which they do not name are refused', async () => {
    const world = await startWorld(kind);
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
      ['log', 'watched', 'parent', 'child', 'ruled'].map((table) => world.wallets.rowsOf(table)),
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
      ['log', 'watched', 'parent', 'child', 'ruled'].map((table) => world.wallets.rowsOf(table)),
    );
    expect(after).toEqual(before);
  });

  it('what would make a local commit less than one is refused', async () => {
    const world = await startWorld(kind);
    await refuses(world, [
      'set synchronous_commit = off',
      "set local transaction_isolation = 'repeatable read'",
      "select set_config('synchronous_commit', 'off', true)",
      'set session_replication_role = replica',
    ]);
  });

  it('rows that refer to each other come and go together', async () => {
    const world = await startWorld(kind);
    await world.wallets.query(`
      create table tree (id int primary key, up int references tree);
      insert into tree values (1, 1), (2, null), (3, 2);
      update tree set up = 3 where id = 2`);
    const before = await world.wallets.rowsOf('tree');
    const texts = [
      'insert into tree values (5, 6), (6, 5), (7, 7)',
      'insert into tree values (1, 8), (8, null) on conflict (id) do update set up = excluded.up',
      'delete from tree where id in (2, 3)',
      'delete from tree',
    ];
    await undone(world, texts);
    expect(await world.wallets.rowsOf('tree')).toEqual(before);
  });
});
