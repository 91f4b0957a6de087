/**
 * Rows that are named by their key are looked at behind the statement that locks them: nobody can have
 * them globally then, and the local transaction ends in one round trip. What that must not lead to.
 */
import { describe, expect, it } from 'vitest';
import {
  belowKysely,
  describeOnKind,
  type EitherDatabase,
  type EitherKind,
} from './either-kind.ts';
import { heldRows, neverHappens, startProxied } from './ends-world.ts';
import { outside, startWorld, untilOver, type World } from './holes-world.ts';

const phaseOne = "'prepare', 'done'";
const setCents = 'update account set cents = $1 where id = $2';
const addCents = 'update account set cents = cents + $1 where id = $2';

await describeOnKind('postgres', (kind) => {
  describe('by a pool of pg', () => freeRows(kind));
  // Its connection hides the driver's: what goes together does so in one text.
  describe('by Kysely', () => freeRows(belowKysely(kind)));
});

function freeRows(kind: EitherKind): void {
  it('undo rows, barrier row and commit go together: a lost answer that was a commit counts', async () => {
    const { settle, wallets, bank, shop, proxy } = await startProxied(kind);
    let gid = '';
    const lost = proxy.loseAnswerTo(phaseOne);
    await settle.transaction({}, async (tx) => {
      gid = tx.gid;
      await shop.query(setCents, [1, 1]);
      await bank.query(setCents, [2, 1]);
    });
    await lost;
    expect((await settle.get(gid)).phase).toBe('committed');
    expect(await wallets.rowsOf('account')).toContain('(1,Ada,2)');
    expect(await wallets.undoRows()).toBe(0);
  });

  it('lost on their way, they can never happen, and all is rolled back', () =>
    neverHappens(
      kind,
      (proxy) => proxy.loseRequest(phaseOne),
      async ({ shop, bank }) => {
        await shop.query(setCents, [1, 1]);
        await bank.query(setCents, [2, 1]);
      },
    ));

  it('a rollback that comes before them makes them fail', async () => {
    const { settle, wallets, bank, shop } = await startWorld(kind);
    const before = await wallets.rowsOf('account');
    // No statement sees it, and the insert of the undo row waits for it.
    const blocker = await wallets.session();
    await blocker.query('begin');
    await blocker.query(`insert into settle_undo values
      ('public.account', '["1"]', 0, 'nobody', 1, 1, default, null, null, 0)`);
    let gid = '';
    const work = settle.transaction({}, async (tx) => {
      gid = tx.gid;
      await shop.query(setCents, [1, 2]);
      await bank.query(setCents, [2, 1]);
    });
    const failed = expect(work).rejects.toMatchObject({ code: 'ROLLED_BACK' });
    await wallets.untilWaiting();
    await settle.rollback(gid);
    await untilOver(settle, gid);
    await blocker.query('rollback');
    await failed;
    expect(await wallets.rowsOf('account')).toEqual(before);
    expect(await wallets.undoRows()).toBe(0);
  });

  heldRows(kind, { setCents, addCents, ids: [1, '01'], untilPrepared });

  it('the transaction begins when a second resource writes, not when it reads', async () => {
    const { settle, wallets, bank, shop } = await startWorld(kind);
    let gid = '';
    await settle.transaction({}, async (tx) => {
      gid = tx.gid;
      await shop.query(setCents, [1, 1]);
      await bank.query('select * from account');
      await expect(settle.get(gid)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      // A row that is not there: in the end it is a branch without undo rows.
      await bank.query(setCents, [1, 99]);
      await untilKnown(settle, gid);
    });
    expect(await settle.get(gid)).toMatchObject({ phase: 'committed' });
    expect(await wallets.undoRows()).toBe(0);
  });

  it('another branch of the same transaction may have left undo rows there', async () => {
    const { settle, wallets, orders, bank, shop } = await startWorld(kind);
    const before = await wallets.rowsOf('account');
    const work = settle.transaction({}, async (tx) => {
      const headers = await tx.headers();
      await outside(() => settle.join(headers, () => bank.query(addCents, [1, 1])));
      await outside(() => settle.join(headers, () => bank.query(addCents, [1, 1])));
      expect(await wallets.undoRows()).toBe(2);
      await shop.query(setCents, [1, 1]);
      await bank.query(addCents, [1, 1]);
      throw new Error('as planned');
    });
    await expect(work).rejects.toThrow('as planned');
    expect(await wallets.rowsOf('account')).toEqual(before);
    expect(await orders.undoRows()).toBe(0);
  });
}

/** Resolves once the coordinator has begun it. */
async function untilKnown(settle: World['settle'], gid: string): Promise<void> {
  for (;;) {
    const answer = await settle.get(gid).catch(() => null);
    if (answer !== null) return;
  }
}

/** Resolves once a local transaction there has its undo rows, and has not committed them. */
async function untilPrepared(database: EitherDatabase): Promise<void> {
  const prepared = `(select state from pg_stat_activity where datname = current_database()
    and state = 'idle in transaction' and query like 'insert into settle_undo%')`;
  while ((await database.rowsOf(prepared)).length === 0);
}
