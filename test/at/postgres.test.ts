/** Plain SQL in global transactions on PostgreSQL, end to end: what stands in the databases afterwards. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { currentTransaction } from '../../client-sdk/index.ts';
import { describeOn, type Provided } from '../support/databases.ts';
import {
  kyselyOver,
  rowsOf,
  startCoordinator,
  startDatabase,
  startService,
  undoRows,
} from './world.ts';

const schema = `
  create table account (id bigint primary key, owner text not null, cents bigint not null);
  insert into account values (1, 'Ada', 1000), (2, 'Bob', 500), (3, 'O''Neil, "Cy"', 0);`;

interface Tables {
  account: { id: string; owner: string; cents: string };
}

/** Runs as another service would: with no transaction around. */
const outside = AsyncLocalStorage.snapshot();

let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
beforeAll(async () => {
  coordinator = await startCoordinator();
});
afterAll(() => coordinator.stop());

await describeOn('postgres', (server) => {
  describe('two databases', () => {
    it('commits both and leaves no undo row', async () => {
      const { settle, orders, wallets, shop, bank } = await twoDatabases(server);
      await settle.transaction({ name: 'buy' }, async () => {
        await shop.query("insert into account values (4, 'new', $1)", [7]);
        const answer = await bank.query(
          'update account set cents = cents - $1 where id = $2',
          [300, 1],
        );
        expect(answer.rowCount).toBe(1);
        expect(answer.rows).toEqual([]);
      });
      expect(await rowsOf(orders, 'account')).toContain('(4,new,7)');
      expect(await rowsOf(wallets, 'account')).toContain('(1,Ada,700)');
      expect(await undoRows(orders)).toBe(0);
      expect(await undoRows(wallets)).toBe(0);
    });

    it('restores every row when a branch after the local commits fails', async () => {
      const { settle, orders, wallets, shop, bank } = await twoDatabases(server);
      const before = [await rowsOf(orders, 'account'), await rowsOf(wallets, 'account')];
      const work = settle.transaction({ name: 'buy' }, async () => {
        await shop.query("insert into account values (4, 'new', 7)");
        await shop.query('delete from account where id = 2');
        await bank.query("update account set owner = owner || ', \"x\\' where cents >= 0");
        await bank.query('update account set cents = cents + 1 where id = 3');
        throw new Error('no stock');
      });
      await expect(work).rejects.toThrow('no stock');
      expect([await rowsOf(orders, 'account'), await rowsOf(wallets, 'account')]).toEqual(before);
    });

    it('rolls back what was committed locally when another service rolls back', async () => {
      const { settle, orders, wallets, shop, bank } = await twoDatabases(server);
      const before = [await rowsOf(orders, 'account'), await rowsOf(wallets, 'account')];
      const work = settle.transaction({ name: 'buy' }, async (tx) => {
        const headers = await tx.headers();
        await outside(() =>
          settle.join(headers, async () => {
            await bank.query('update account set cents = cents - 5, owner = $1', ['€']);
            await bank.query('delete from account where id = 3');
            await bank.query("insert into account values (3, 'again', 1), (9, 'nine', 9)");
            await bank.query('update account set cents = 0 where id in (3, 9)');
          }),
        );
        expect(await undoRows(wallets)).toBeGreaterThan(3);
        await shop.query('update account set cents = 1');
        throw new Error('changed my mind');
      });
      await expect(work).rejects.toThrow('changed my mind');
      expect([await rowsOf(orders, 'account'), await rowsOf(wallets, 'account')]).toEqual(before);
      expect(await undoRows(wallets)).toBe(0);
    });
  });

  it('leaves a single database to itself: one local commit, nothing for the coordinator', async () => {
    const { settle, wallets, bank } = await twoDatabases(server);
    let gid = '';
    await settle.transaction({}, async () => {
      gid = currentTransaction()?.gid ?? '';
      await bank.query('update account set cents = 1 where id = 1');
      expect(await rowsOf(wallets, 'account')).toContain('(1,Ada,1000)');
    });
    expect(await rowsOf(wallets, 'account')).toContain('(1,Ada,1)');
    await expect(settle.get(gid)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('works through Kysely, with returning, transactions and savepoints', async () => {
    const { settle, orders, wallets, shop } = await twoDatabases(server);
    const plain = kyselyOver<Tables>(wallets);
    const bank = settle.at(plain, { resource: 'kysely' });
    const before = await rowsOf(wallets, 'account');
    const work = async (fails: boolean) =>
      settle.transaction({}, async () => {
        await shop.query('update account set cents = cents + 1 where id = 1');
        const changed = await bank
          .updateTable('account')
          .set((eb) => ({ cents: eb('cents', '-', '10') }))
          .where('id', '=', '1')
          .returning(['id', 'cents'])
          .execute();
        expect(changed).toEqual([{ id: '1', cents: '990' }]);
        await bank.transaction().execute(async (trx) => {
          await trx.insertInto('account').values({ id: '7', owner: 'seven', cents: '7' }).execute();
        });
        const lost = bank.transaction().execute(async (trx) => {
          await trx.deleteFrom('account').execute();
          throw new Error('inner');
        });
        await expect(lost).rejects.toThrow('inner');
        if (fails) throw new Error('outer');
      });
    await expect(work(true)).rejects.toThrow('outer');
    expect(await rowsOf(wallets, 'account')).toEqual(before);
    await work(false);
    expect(await rowsOf(wallets, 'account')).toEqual([
      '(1,Ada,990)',
      '(2,Bob,500)',
      '(3,"O\'Neil, ""Cy""",0)',
      '(7,seven,7)',
    ]);
    expect(await rowsOf(orders, 'account')).toContain('(1,Ada,1001)');
    expect(await undoRows(wallets)).toBe(0);
    // Outside of a transaction it is the original.
    expect(await bank.selectFrom('account').select('id').execute()).toHaveLength(4);
    await plain.deleteFrom('account').where('id', '=', '7').execute();
  });
});

async function twoDatabases(server: Provided) {
  const settle = await startService(coordinator.url, `shop-${crypto.randomUUID().slice(0, 8)}`);
  const orders = await startDatabase(server, schema);
  const wallets = await startDatabase(server, schema);
  const shop: pg.Pool = settle.at(orders, { resource: 'orders' });
  const bank: pg.Pool = settle.at(wallets, { resource: 'wallets' });
  return { settle, orders, wallets, shop, bank };
}
