/** Where automatic undo of others goes wrong, one test each: those that are the same on every kind. */
import { expect, it } from 'vitest';
import type { EitherKind } from './either-kind.ts';
import {
  conflicts,
  coordinatorUrl,
  name,
  outside,
  rolledBack,
  startWorld,
  untilAttention,
  untilFailed,
  untilOver,
  waitMs,
} from './holes-world.ts';
import { startService } from './world.ts';

/** Declares them. */
export function holesOfEither(kind: EitherKind): void {
  holesOfKeys(kind);
  holesOfLocks(kind);
  holesOfUndo(kind);
}

function holesOfKeys(kind: EitherKind): void {
  it('keys with separators, quotes, spaces and nothing at all are keys of their own', async () => {
    const world = await startWorld(kind);
    const { wallets, bank } = world;
    const names = [
      ...['', ',', ';', '_', 'a', 'a,b', 'a_b', 'a^^^b', '"', `'`, '","', '\\', 'NULL', ' a'],
      // To the collations of MySQL it is nothing at all.
      ...(kind.store === 'postgres' ? [' '] : []),
    ];
    const one = kind.of({ postgres: '($1, 1)', mysql: '(?, 1)' });
    for (const each of names) await wallets.query(`insert into named values ${one}`, [each]);
    const before = await wallets.rowsOf('named');
    const update = kind.of({
      postgres: 'update named set cents = $1 where name = $2',
      mysql: 'update named set cents = ? where name = ?',
    });
    const work = async () => {
      for (const [index, each] of names.entries()) await bank.query(update, [index + 2, each]);
      expect(await wallets.undoRows()).toBe(0);
    };
    await rolledBack(world, work, async () => {
      expect(await wallets.undoRows()).toBe(names.length);
    });
    expect(await wallets.rowsOf('named')).toEqual(before);
  });

  it('composite keys that concatenate alike are different locks', async () => {
    const { settle, wallets, bank } = await startWorld(kind);
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
    const one = kind.of({ postgres: '($1, $2, 0)', mysql: '(?, ?, 0)' });
    for (const key of keys) await wallets.query(`insert into pair values ${one}`, key);
    const before = await wallets.rowsOf('pair');
    const update = kind.of({
      postgres: 'update pair set cents = cents + 1 where a = $1 and b = $2',
      mysql: 'update pair set cents = cents + 1 where a = ? and b = ?',
    });
    // Each in a global transaction of its own, all of them undecided at the same time.
    const enough = Promise.withResolvers<void>();
    const changed: Promise<void>[] = [];
    const works = keys.map((key) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      changed.push(promise);
      return settle.transaction({ waitMs }, async (tx) => {
        const headers = await tx.headers();
        await outside(() => settle.join(headers, () => bank.query(update, key)));
        resolve();
        await enough.promise;
        throw new Error('as planned');
      });
    });
    const ends = Promise.allSettled(works);
    await Promise.all(changed);
    expect(await wallets.undoRows()).toBe(keys.length);
    enough.resolve();
    await ends;
    expect(await wallets.rowsOf('pair')).toEqual(before);
    expect(await wallets.undoRows()).toBe(0);
  });

  it('a table under another name is the same table', async () => {
    const world = await startWorld(kind);
    const before = await world.wallets.rowsOf('account');
    const names = kind.of({
      postgres: 'account|public.account|"account"|"public".account as a|only account|Account',
      mysql: 'account|`account`|account as a|account x|Account',
    });
    const texts = names.split('|').map((each) => `update ${each} set cents = 7 where id = 1`);
    // The last is one where the names of tables have no case.
    if (!(await world.wallets.query('select 1 from Account').then(yes, no))) texts.pop();
    const work = () => world.bank.query('update account set cents = 5 where id = 1').then(() => {});
    await rolledBack(world, work, () => conflicts(world, texts));
    expect(await world.wallets.rowsOf('account')).toEqual(before);
  });
}

const yes = () => true;
const no = () => false;

function holesOfLocks(kind: EitherKind): void {
  it('`select … for update` takes the global lock', async () => {
    const world = await startWorld(kind);
    const { settle, wallets, bank } = world;
    const work = () => bank.query('select cents from account where id = 1 for update');
    const update = 'update account set cents = 5 where id = 1';
    // The row itself is free by then; what keeps the other one out is the lock.
    await settle.transaction({}, async (tx) => {
      const headers = await tx.headers();
      await outside(() => settle.join(headers, work));
      expect(await wallets.undoRows()).toBe(1);
      await outside(() => conflicts(world, [update]));
    });
    expect(await wallets.rowsOf('account')).toContain('(1,Ada,1000)');
    await settle.transaction({}, () => bank.query(update));
    expect(await wallets.rowsOf('account')).toContain('(1,Ada,5)');
  });

  it('an upsert meets the lock of a row that is not decided', async () => {
    const world = await startWorld(kind);
    const before = await world.wallets.rowsOf('account');
    const work = async () => {
      await world.bank.query("insert into account values (9, 'new', 9)");
      await world.bank.query('delete from account where id = 1');
    };
    const onConflict = kind.of({
      postgres: 'on conflict (id) do update set cents = 0',
      mysql: 'on duplicate key update cents = 0',
    });
    const texts = [
      `insert into account values (9, 'mine', 1) ${onConflict}`,
      `insert into account values (1, 'mine', 1) ${onConflict}`,
      ...(kind.store === 'mysql' ? ["replace into account values (9, 'mine', 9)"] : []),
    ];
    await rolledBack(world, work, () => conflicts(world, texts));
    expect(await world.wallets.rowsOf('account')).toEqual(before);
  });

  it('two services exclude each other, whatever they call their database', async () => {
    const world = await startWorld(kind);
    const other = await startService(coordinatorUrl(), name('accounting'));
    const books = world.wallets.at(other, { resource: 'books', lockTimeoutMs: 1_000 });
    const work = () => world.bank.query('delete from account where id = 1').then(() => {});
    const taking = { settle: other, bank: books };
    await rolledBack(world, work, () =>
      conflicts(taking, ["insert into account values (1, 'mine', 1)"]),
    );
    expect(await world.wallets.rowsOf('account')).toContain('(1,Ada,1000)');
  });
}

function holesOfUndo(kind: EitherKind): void {
  it('several branches that changed one row are undone from the last to the first', async () => {
    const world = await startWorld(kind);
    const { settle, wallets, bank } = world;
    const before = await wallets.rowsOf('account');
    const texts = [
      'update account set cents = 1',
      'delete from account where id < 3',
      "insert into account values (1, 'again', 2), (3000000000, 'new', 3)",
      'update account set cents = 4 where id <> 2',
      'delete from account',
    ];
    const work = settle.transaction({}, async (tx) => {
      const headers = await tx.headers();
      for (const text of texts) await outside(() => settle.join(headers, () => bank.query(text)));
      expect(await wallets.undoRows()).toBe(3 + 2 + 2 + 3 + 3);
      throw new Error('as planned');
    });
    await expect(work).rejects.toThrow('as planned');
    expect(await wallets.rowsOf('account')).toEqual(before);
    expect(await wallets.undoRows()).toBe(0);
  });

  it('a row that somebody else has changed is not overwritten, and can be put right', async () => {
    const { settle, wallets, bank } = await startWorld(kind);
    const before = await wallets.rowsOf('account');
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
    expect(attention?.detail).toMatch(/AT_DIRTY_ROW.*\baccount`? \["1"\]/);
    expect(await wallets.rowsOf('account')).toEqual(['(1,Ada,9)', '(2,Bob,8)', '(3,,0)']);
    expect(await wallets.undoRows()).toBe(2);
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
    expect(await wallets.rowsOf('account')).toEqual(before);
    expect(await wallets.undoRows()).toBe(0);
  });

  it('a unique value that another transaction took meanwhile stays there, and is waited for', async () => {
    const { settle, wallets, bank } = await startWorld(kind);
    const place = kind.of({ postgres: 'text', mysql: 'varchar(9)' });
    await wallets.query(`create table seat (id int primary key, place ${place} unique)`);
    await wallets.query("insert into seat values (1, 'x')");
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
    const why = kind.of({ postgres: 'seat_place_key', mysql: "Duplicate entry 'x'" });
    expect((await untilFailed(settle, gid)).lastError).toContain(why);
    expect(await wallets.rowsOf('seat')).toEqual(['(2,x)']);
    await wallets.query('delete from seat');
    expect(await untilOver(settle, gid)).toBe('rolledBack');
    expect(await wallets.rowsOf('seat')).toEqual(['(1,x)']);
  });
}
