/**
 * Connections of the user's pool on MySQL and MariaDB, as a resource has them and as it gives them
 * back: whatever they are set to, and whatever fails when they are set.
 */
import mysql from 'mysql2/promise';
import { describe, expect, it, onTestFinished } from 'vitest';
import { mysql2ResourceDatabase } from '../../client-sdk/resource/databases/mysql2.ts';
import { Compounds } from '../../client-sdk/resource/mysql/compound.ts';
import { commitAtOnceOn } from '../../client-sdk/resource/mysql/endings.ts';
import { withSettings } from '../../client-sdk/resource/mysql/session.ts';
import { describeOn, type Provided } from '../support/databases.ts';
import { startMysql } from './mysql-world.ts';

const odd = `set @@session.autocommit = 0, @@session.innodb_lock_wait_timeout = 77,
  @@session.sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES', @@session.time_zone = '+03:00',
  @@session.character_set_results = latin1, @@session.sql_select_limit = 1,
  @@session.sql_safe_updates = 1, @@session.unique_checks = 0, @@session.foreign_key_checks = 0`;
const settings = `select @@autocommit as a, @@innodb_lock_wait_timeout as b, @@sql_mode as c,
  @@time_zone as d, @@character_set_results as e, @@sql_select_limit as f, @@sql_safe_updates as g,
  @@unique_checks as h, @@foreign_key_checks as i,
  @@session./*M! tx_isolation*//*!80000 transaction_isolation*/ as j, connection_id() as id`;
const steps = [{ table: '`db`.`t`', key: '["1"]', before: { id: '1' }, after: { id: '1' } }];

await describeOn('mysql', (server) => {
  describe.each([
    { what: 'as the server can', compounds: () => new Compounds() },
    { what: 'each text by itself', compounds: () => withoutCompounds() },
  ])('a connection that is set, $what', ({ compounds }) => {
    it('reads all rows, READ COMMITTED, and is given back as it was', async () => {
      const { pool, acquire, settingsNow } = await world(server, compounds());
      const before = await settingsNow();
      for (let times = 0; times < 2; times += 1) {
        const held = await acquire();
        await held.begin('start transaction');
        const all = { rows: [{ id: 1 }, { id: 2 }, { id: 3 }], count: 3 };
        expect(await held.query('select id from t order by id')).toEqual(all);
        expect(await held.query('select id from t order by id for update')).toEqual(all);
        const { rows } = await held.query(settings);
        expect(rows).toMatchObject([{ a: 1, b: 5, c: before.c, e: 'utf8mb4' }]);
        expect(rows).toMatchObject([{ j: 'READ-COMMITTED' }]);
        await held.query('rollback');
        held.release();
        expect(await settingsNow()).toEqual(before);
      }
      await pool.query('commit');
    });

    it('binds the values of what it reads first', async () => {
      const { acquire } = await world(server, compounds());
      const held = await acquire();
      await held.begin('start transaction');
      expect((await held.query('select id from t where id = ?', [2])).rows).toEqual([{ id: 2 }]);
      await held.query('rollback');
      held.release();
    });

    it('is given back as it was by the text that commits', async () => {
      const known = compounds();
      const { acquire, settingsNow } = await world(server, known);
      const before = await settingsNow();
      const held = await acquire();
      await held.begin('start transaction');
      await held.ready?.();
      const isThere = known.areThere;
      const branch = { gid: 'g', branchId: 1 };
      expect(await commitAtOnceOn(known)(held, branch, steps)).toBe(isThere);
      if (!isThere) await held.query('rollback');
      held.release();
      expect(await settingsNow()).toEqual(before);
    });

    it('is given back as it was when nothing was sent', async () => {
      const { acquire, settingsNow } = await world(server, compounds());
      const before = await settingsNow();
      const held = await acquire();
      await held.begin('start transaction');
      held.release();
      expect(await settingsNow()).toEqual(before);
    });
  });

  it('nothing runs on a connection of which the begin has failed, and nobody gets it again', async () => {
    const compounds = new Compounds();
    const { acquire, settingsNow } = await world(server, compounds);
    const held = await acquire();
    if (!compounds.areThere) return;
    const { id } = await idOf(held);
    held.release();
    const broken = await acquire();
    await broken.begin('start transaction of another kind');
    await expect(broken.query('select id from t')).rejects.toMatchObject({ errno: 1064 });
    const update = 'update t set id = 9 where id = 1';
    await expect(broken.query(update)).rejects.toMatchObject({ errno: 1064 });
    await expect(broken.ready?.()).rejects.toMatchObject({ errno: 1064 });
    broken.release();
    const after = await settingsNow();
    expect(after.id).not.toBe(id);
    const again = await acquire();
    expect((await again.query('select id from t where id = 1')).count).toBe(1);
    again.release();
  });
});

/** A server that takes none, or is not known to. */
function withoutCompounds(): Compounds {
  const compounds = new Compounds();
  compounds.learn = () => Promise.resolve(false);
  return compounds;
}

async function idOf(held: { query(text: string): Promise<{ readonly rows: readonly unknown[] }> }) {
  const { rows } = await held.query('select connection_id() as id');
  // What the text above asks for.
  return rows[0] as { readonly id: number };
}

/** A pool of one connection with odd settings. */
async function world(server: Provided, compounds: Compounds) {
  const { url } = await startMysql(server, [
    'create table t (id int primary key)',
    'insert into t values (1), (2), (3)',
  ]);
  const pool = mysql.createPool({ uri: url, connectionLimit: 1 });
  onTestFinished(() => pool.end());
  await pool.query(odd);
  const database = withSettings(mysql2ResourceDatabase(pool), () => 5_000, compounds);
  const settingsNow = async () => {
    const [rows] = await pool.query<mysql.RowDataPacket[]>(settings);
    return { ...rows[0] };
  };
  return { pool, settingsNow, acquire: () => database.acquire() };
}
