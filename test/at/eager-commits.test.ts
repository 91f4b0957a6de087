/**
 * `localCommits: 'eager'`: rows are committed when the user's own transaction ends, and the whole is
 * undone or kept all the same. On both kinds of databases, by Kysely.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Kysely, sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Settle } from '../../client-sdk/index.ts';
import { describeOn } from '../support/databases.ts';
import { kyselyOnMysql, mysqlRows, mysqlUndoRows, startMysql } from './mysql-world.ts';
import {
  kyselyOver,
  rowsOf,
  startCoordinator,
  startDatabase,
  startService,
  undoRows,
} from './world.ts';

interface Tables {
  account: { id: number; cents: number };
}

interface World {
  readonly settle: Settle;
  readonly plain: Kysely<Tables>;
  readonly bank: Kysely<Tables>;
  /** The same database, with commits at the end. */
  readonly late: Kysely<Tables>;
  rows(): Promise<string>;
  undo(): Promise<number>;
}

const table = 'create table account (id int primary key, cents int not null)';
const values = 'insert into account values (1, 10), (2, 20)';
const start = '1=10 2=20';

/** Runs as another service would: with no transaction around. */
const outside = AsyncLocalStorage.snapshot();

let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
beforeAll(async () => {
  coordinator = await startCoordinator();
});
afterAll(() => coordinator.stop());

await describeOn('postgres', (server) => {
  cases('postgres', async () => {
    const pool = await startDatabase(server, `${table}; ${values}`);
    const open = () => kyselyOver<Tables>(pool);
    const digits = (row: string) => row.replace('(', '').replace(')', '').replace(',', '=');
    const rows = async () => (await rowsOf(pool, 'account')).map(digits).join(' ');
    return { open, rows, undo: () => undoRows(pool) };
  });
});

await describeOn('mysql', (server) => {
  cases('mysql', async () => {
    const { url, pool } = await startMysql(server, [table, values]);
    const open = () => kyselyOnMysql<Tables>(url);
    const digits = (row: string) => row.replace('[', '').replace(']', '').replace(',', '=');
    const rows = async () => (await mysqlRows(pool, 'account')).map(digits).join(' ');
    return { open, rows, undo: () => mysqlUndoRows(pool) };
  });
});

interface Database extends Pick<World, 'rows' | 'undo'> {
  open(): Kysely<Tables>;
}

function cases(database: string, startOn: () => Promise<Database>): void {
  async function startWorld(): Promise<World> {
    const { open, rows, undo } = await startOn();
    const settle = await startService(coordinator.url, `shop-${crypto.randomUUID().slice(0, 8)}`);
    const bank = settle.at(open(), { resource: 'eager', localCommits: 'eager' });
    const late = settle.at(open(), { resource: 'late', lockTimeoutMs: 1_000 });
    return { settle, plain: open(), bank, late, rows, undo };
  }

  describe(`eager local commits, ${database}`, () => {
    it('others see a row and may lock it before the callback ends', async () => {
      const { settle, plain, bank, rows, undo } = await startWorld();
      await settle.transaction({}, async () => {
        await setCents(bank, 1, 11);
        expect(await rows()).toBe('1=11 2=20');
        expect(await undo()).toBe(1);
        await outside(() =>
          plain.transaction().execute(async (trx) => {
            await sql`select * from account where id = 1 for update`.execute(trx);
          }),
        );
        await setCents(bank, 2, 21);
      });
      expect(await rows()).toBe('1=11 2=21');
      expect(await undo()).toBe(0);
    });

    it('a rollback takes back what was committed one after the other', async () => {
      const { settle, bank, rows, undo } = await startWorld();
      const work = settle.transaction({}, async () => {
        await setCents(bank, 1, 11);
        await bank.insertInto('account').values({ id: 3, cents: 30 }).execute();
        await setCents(bank, 1, 12);
        await bank.deleteFrom('account').where('id', '=', 3).execute();
        await bank.insertInto('account').values({ id: 3, cents: 31 }).execute();
        expect(await rows()).toBe('1=12 2=20 3=31');
        throw new Error('as planned');
      });
      await expect(work).rejects.toThrow('as planned');
      expect(await rows()).toBe(start);
      expect(await undo()).toBe(0);
    });

    it("the user's own transaction is one commit, and its rollback none", async () => {
      const { settle, bank, rows, undo } = await startWorld();
      const work = settle.transaction({}, async () => {
        await bank.transaction().execute(async (trx) => {
          await setCents(trx, 1, 11);
          await setCents(trx, 2, 21);
          expect(await rows()).toBe(start);
        });
        expect(await rows()).toBe('1=11 2=21');
        const undone = bank.transaction().execute(async (trx) => {
          await setCents(trx, 1, 99);
          throw new Error('not this one');
        });
        await expect(undone).rejects.toThrow('not this one');
        expect(await rows()).toBe('1=11 2=21');
        expect(await undo()).toBe(2);
        throw new Error('as planned');
      });
      await expect(work).rejects.toThrow('as planned');
      expect(await rows()).toBe(start);
    });

    it('a statement that failed is taken back, and those around it count', async () => {
      const { settle, bank, rows, undo } = await startWorld();
      await settle.transaction({}, async () => {
        await setCents(bank, 1, 11);
        const again = bank.insertInto('account').values({ id: 2, cents: 0 }).execute();
        await expect(again).rejects.toThrow(/duplicate/i);
        // Found out by its images, when it has run.
        const moved = bank.updateTable('account').set({ id: sql`id + 10` }).execute();
        await expect(moved).rejects.toMatchObject({ code: 'AT_UNSUPPORTED_SQL' });
        await setCents(bank, 2, 21);
      });
      expect(await rows()).toBe('1=11 2=21');
      expect(await undo()).toBe(0);
    });

    it('a row that another one has changed and not decided is a conflict', async () => {
      const { settle, bank, late, rows } = await startWorld();
      const work = settle.transaction({}, async () => {
        await setCents(bank, 1, 11);
        const other = outside(() => settle.transaction({}, () => setCents(late, 1, 12)));
        await expect(other).rejects.toMatchObject({ code: 'LOCK_CONFLICT' });
        throw new Error('as planned');
      });
      await expect(work).rejects.toThrow('as planned');
      expect(await rows()).toBe(start);
    });

    it('a commit that meets the lock of another dooms the whole, caught or not', async () => {
      const { settle, bank, late, rows, undo } = await startWorld();
      const work = settle.transaction({}, async (tx) => {
        const headers = await tx.headers();
        await outside(() => settle.join(headers, () => setCents(late, 1, 12)));
        const other = outside(() =>
          settle.transaction({}, async () => {
            await setCents(bank, 2, 21);
            await setCents(bank, 1, 11).catch(() => undefined);
          }),
        );
        await expect(other).rejects.toMatchObject({ code: 'LOCK_CONFLICT' });
        expect(await rows()).toBe('1=12 2=20');
      });
      await work;
      expect(await rows()).toBe('1=12 2=20');
      expect(await undo()).toBe(0);
    });

    it('a commit that nobody awaits is a part of the transaction', async () => {
      const { settle, bank, rows, undo } = await startWorld();
      await settle.transaction({}, async () => {
        await setCents(bank, 1, 11);
        void setCents(bank, 2, 21);
      });
      expect(await rows()).toBe('1=11 2=21');
      expect(await undo()).toBe(0);
    });
  });
}

async function setCents(db: Kysely<Tables>, id: number, cents: number): Promise<void> {
  await db.updateTable('account').set({ cents }).where('id', '=', id).execute();
}
