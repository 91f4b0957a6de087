/** Plain SQL in global transactions on MySQL, end to end: what stands in the databases afterwards. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type mysql from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeOn, type Provided } from '../support/databases.ts';
import { kyselyOnMysql, mysqlRows, mysqlUndoRows, startMysql } from './mysql-world.ts';
import { startCoordinator, startService } from './world.ts';

const schema = [
  `create table account (id bigint primary key, owner varchar(40) not null, cents bigint not null)`,
  `insert into account values (1, 'Ada', 1000), (2, 'Bob', 500), (3, 'O''Neil, "Cy"', 0)`,
];

interface Tables {
  account: { id: number; owner: string; cents: number };
}

/** Runs as another service would: with no transaction around. */
const outside = AsyncLocalStorage.snapshot();

let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
beforeAll(async () => {
  coordinator = await startCoordinator();
});
afterAll(() => coordinator.stop());

await describeOn('mysql', (server) => {
  describe('two databases', () => {
    it('commits both and leaves no undo row', async () => {
      const { settle, orders, wallets, shop, bank } = await twoDatabases(server);
      await settle.transaction({ name: 'buy' }, async () => {
        await shop.query("insert into account values (4, 'new', ?)", [7]);
        const [answer] = await bank.execute<mysql.ResultSetHeader>(
          'update account set cents = cents - ? where id = ?',
          [300, 1],
        );
        expect(answer.affectedRows).toBe(1);
      });
      expect(await mysqlRows(orders, 'account')).toContain('[4,"new",7]');
      expect(await mysqlRows(wallets, 'account')).toContain('[1,"Ada",700]');
      await cleared(orders);
      await cleared(wallets);
    });

    it('restores every row when a branch after the local commits fails', async () => {
      const { settle, orders, wallets, shop, bank } = await twoDatabases(server);
      const before = [await mysqlRows(orders, 'account'), await mysqlRows(wallets, 'account')];
      const work = settle.transaction({ name: 'buy' }, async (tx) => {
        const headers = await tx.headers();
        await outside(() =>
          settle.join(headers, async () => {
            await bank.query('update account set cents = cents - 5, owner = ?', ['€\\\'"']);
            await bank.query('delete from account where id = 3');
            await bank.query("insert into account values (3, 'again', 1), (9, 'nine', 9)");
            await bank.query('update account set cents = 0 where id in (3, 9)');
          }),
        );
        expect(await mysqlUndoRows(wallets)).toBeGreaterThan(3);
        expect(await mysqlRows(wallets, 'account')).toContain('[9,"nine",0]');
        await shop.query('update account set cents = 1');
        throw new Error('changed my mind');
      });
      await expect(work).rejects.toThrow('changed my mind');
      expect([await mysqlRows(orders, 'account'), await mysqlRows(wallets, 'account')]).toEqual(
        before,
      );
      expect(await mysqlUndoRows(wallets)).toBe(0);
    });
  });

  it('leaves a single database to itself, and gives results in every form', async () => {
    const { settle, wallets, bank } = await twoDatabases(server);
    await settle.transaction({}, async () => {
      const connection = await bank.getConnection();
      await connection.beginTransaction();
      await connection.execute('update account set cents = cents + ? where id = ?', [1, 1]);
      await connection.rollback();
      await connection.beginTransaction();
      await connection.execute('update account set cents = cents + ? where id = ?', [2, 1]);
      await connection.commit();
      connection.release();
      const sql = 'select id, cents from account where id = 1 for update';
      const [plain, fields] = await bank.query(sql);
      expect(plain).toEqual([{ id: 1, cents: 1002 }]);
      expect(fields.map(({ name }) => name)).toEqual(['id', 'cents']);
      expect((await bank.query({ sql, rowsAsArray: true }))[0]).toEqual([[1, 1002]]);
      expect((await bank.query({ sql, nestTables: true }))[0]).toEqual([
        { account: { id: 1, cents: 1002 } },
      ]);
      expect((await bank.query({ sql, nestTables: '.' }))[0]).toEqual([
        { 'account.id': 1, 'account.cents': 1002 },
      ]);
      expect(await mysqlRows(wallets, 'account')).toContain('[1,"Ada",1000]');
    });
    expect(await mysqlRows(wallets, 'account')).toContain('[1,"Ada",1002]');
  });

  it.each([
    ['named placeholders', { id: 1 }],
    ['a value that the driver turns into SQL', [{ id: 1 }]],
    ['a value that the driver turns into SQL', [{ toSqlString: () => '1 or true' }]],
  ])('refuses %s', async (what, values) => {
    const { settle, bank } = await twoDatabases(server);
    const work = settle.transaction({}, () =>
      bank.query({ sql: 'delete from account where id = ?', values }),
    );
    await expect(work).rejects.toMatchObject({
      code: 'AT_UNSUPPORTED_SQL',
      message: expect.stringContaining(what),
    });
  });

  it('runs nothing after a deadlock but a rollback', async () => {
    const { settle, wallets, bank } = await twoDatabases(server);
    const before = await mysqlRows(wallets, 'account');
    const other = await wallets.getConnection();
    await other.query('begin');
    await other.query("update account set owner = 'x' where id > 1");
    const work = settle.transaction({}, async () => {
      await bank.query('update account set cents = 0 where id = 1');
      const mine = bank.query('update account set cents = 0 where id = 2');
      const theirs = other.query('update account set cents = 0 where id = 1');
      await expect(mine).rejects.toMatchObject({ code: 'LOCK_CONFLICT' });
      await theirs;
      await other.query('rollback');
      await expect(bank.query('delete from account')).rejects.toMatchObject({
        code: 'LOCK_CONFLICT',
      });
    });
    await expect(work).rejects.toMatchObject({ code: 'LOCK_CONFLICT' });
    other.release();
    expect(await mysqlRows(wallets, 'account')).toEqual(before);
  });

  it('works through Kysely, with transactions and savepoints', async () => {
    const { settle, orders, wallets, shop, url } = await twoDatabases(server);
    const plain = kyselyOnMysql<Tables>(url);
    const bank = settle.at(plain, { resource: 'kysely' });
    const before = await mysqlRows(wallets, 'account');
    const work = async (fails: boolean) =>
      settle.transaction({}, async () => {
        await shop.query('update account set cents = cents + 1 where id = 1');
        const changed = await bank
          .updateTable('account')
          .set((eb) => ({ cents: eb('cents', '-', 10), owner: `"O'\\\\` }))
          .where('id', '=', 1)
          .executeTakeFirst();
        expect(changed.numUpdatedRows).toBe(1n);
        await bank.transaction().execute(async (trx) => {
          await trx.insertInto('account').values({ id: 7, owner: 'seven', cents: 7 }).execute();
        });
        const lost = bank.transaction().execute(async (trx) => {
          await trx.deleteFrom('account').execute();
          throw new Error('inner');
        });
        await expect(lost).rejects.toThrow('inner');
        if (fails) throw new Error('outer');
      });
    await expect(work(true)).rejects.toThrow('outer');
    expect(await mysqlRows(wallets, 'account')).toEqual(before);
    await work(false);
    expect(await mysqlRows(wallets, 'account')).toHaveLength(4);
    expect(await mysqlRows(orders, 'account')).toContain('[1,"Ada",1001]');
    await plain.deleteFrom('account').where('id', '=', 7).execute();
    expect(await bank.selectFrom('account').select('id').execute()).toHaveLength(3);
  });
});

async function cleared(pool: mysql.Pool): Promise<void> {
  expect(await mysqlUndoRows(pool)).toBe(0);
}

async function twoDatabases(server: Provided) {
  const settle = await startService(coordinator.url, `shop-${crypto.randomUUID().slice(0, 8)}`);
  const { pool: orders } = await startMysql(server, schema);
  const { pool: wallets, url } = await startMysql(server, schema);
  const shop: mysql.Pool = settle.at(orders, { resource: 'orders' });
  const bank: mysql.Pool = settle.at(wallets, { resource: 'wallets' });
  return { settle, orders, wallets, shop, bank, url };
}
