/**
 * Rows that an update has locked are looked at when they are read again: with nobody's undo rows on any
 * of them the local transaction ends in one round trip. What that must not lead to on MySQL and MariaDB.
 */
import { expect, it } from 'vitest';
import { describeOnKind, type EitherDatabase } from './either-kind.ts';
import { heldRows, undecided } from './ends-world.ts';
import { startWorld } from './holes-world.ts';

const setCents = 'update account set cents = ? where id = ?';
const addCents = 'update account set cents = cents + ? where id = ?';

await describeOnKind('mysql', (kind) => {
  heldRows(kind, { setCents, addCents, ids: [1], untilPrepared });

  it('nothing that was changed before makes up for one row that is held', async () => {
    const world = await startWorld(kind);
    const { settle, wallets, bank } = world;
    await undecided(world, addCents, async (unlock, decide) => {
      await unlock();
      const texts = ['update account set cents = 1 where id >= 1', 'update account set cents = 2'];
      for (const text of texts) {
        const work = settle.transaction({}, async () => {
          await bank.query(setCents, [1, 2]);
          await bank.query(text);
          await bank.query(setCents, [1, 3]);
        });
        await expect(work).rejects.toMatchObject({ code: 'LOCK_CONFLICT' });
      }
      expect(await wallets.rowsOf('account')).toContain('(1,Ada,1001)');
      await decide('rollback');
    });
    expect(await wallets.rowsOf('account')).toContain('(1,Ada,1000)');
  });

  it('the look waits for nobody, and keeps nobody from an undo row', async () => {
    const { settle, wallets, bank } = await startWorld(kind);
    const database = new URL(wallets.url).pathname.slice(1);
    const other = await wallets.session();
    const insert = (id: number) => `insert into settle_undo values
      ('\`${database}\`.\`account\`', '["${id}"]', 0, 'nobody', 1, 1, default, null, null, 0)`;
    await other.query(insert(1));
    await other.query('begin');
    await other.query(insert(2));
    await settle.transaction({}, async () => {
      await bank.query(setCents, [5, 1]);
      await bank.query(setCents, [5, 2]);
      await other.query('rollback');
      await other.query("delete from settle_undo where gid = 'nobody'");
    });
    expect(await wallets.rowsOf('account')).toContain('(1,Ada,5)');
    expect(await wallets.undoRows()).toBe(0);
  });
});

/** Resolves once a local transaction there has its undo rows, and has not committed them. */
async function untilPrepared(database: EitherDatabase): Promise<void> {
  const session = await database.session();
  await session.query('set session transaction isolation level read uncommitted');
  const count = async () => {
    // Rows and columns, as mysql2 answers.
    const [rows] = (await session.query('select gid from settle_undo')) as [unknown[]];
    return rows.length;
  };
  while ((await count()) === 0);
}
