/** What becomes of dirty rows by the choices of an operator. */
import { describe, expect, it } from 'vitest';
import { chosen, insert, type ResolveWorld, remove, update } from './resolve-world.ts';

/** Declares them. */
export function choices({ kind, stuck }: ResolveWorld): void {
  describe.each([
    ['an update', update, "update account set note = 'mine' where id = 1", '1'],
    ['a delete', update, 'delete from account where id = 1', '1'],
    ['an insert again', remove, "insert into account (id, owner, cents) values (3, 'New', 3)", '3'],
    ['an update of a new row', insert, "update account set note = 'mine' where id = 4", '4'],
  ])('a row that is dirty by %s', (_, work, meddling, id) => {
    const free = 'delete from item where account_id = 1';
    const start = async () => {
      const world = await stuck(work, [free, meddling]);
      const row = world.resource.rows.find(({ key }) => key === `["${id}"]`);
      if (row === undefined) throw new Error('its row is not shown');
      expect(row).toMatchObject({ state: 'dirty' });
      return { ...world, row };
    };

    it('becomes what it was by restore', async () => {
      const { operator, gid, db, row } = await start();
      const answer = await operator.resolve(gid, { rows: [chosen(row, 'restore')] });
      expect(answer).toMatchObject({ status: 200, body: { rowsTotal: 1, dryRun: false } });
      expect(answer.body.rows?.[0]).toMatchObject({ from: row.current, to: row.before });
      expect(await operator.finished(gid)).toMatchObject({ phase: 'rolledBack', attention: null });
      expect(await db.rowsOf('account')).toEqual([
        '(1,Ada,1000,first,2000)',
        '(2,Bob,500,,1000)',
        '(3,Cy,0,third,0)',
      ]);
      expect(await db.undoRows()).toBe(0);
    });

    it('stays as it is by keep', async () => {
      const { operator, gid, db, row } = await start();
      const before = await db.rowsOf('account');
      const answer = await operator.resolve(gid, { rows: [chosen(row, 'keep')] });
      expect(answer.body.rows?.[0]).toMatchObject({
        choice: 'keep',
        from: row.current,
        to: row.current,
      });
      expect(await operator.finished(gid)).toMatchObject({ phase: 'rolledBack', attention: null });
      expect(await db.rowsOf('account')).toEqual(before);
      expect(await db.undoRows()).toBe(0);
    });

    it('is changed by nobody when the choice is a trial', async () => {
      const { operator, gid, db, row } = await start();
      const before = [await db.rowsOf('account'), await db.undoRows()];
      const body = { rows: [chosen(row, 'restore')], dryRun: true };
      const answer = await operator.resolve(gid, body);
      expect(answer).toMatchObject({ status: 200, body: { dryRun: true } });
      expect(answer.body.rows?.[0]).toMatchObject({ from: row.current, to: row.before });
      expect([await db.rowsOf('account'), await db.undoRows()]).toEqual(before);
      expect((await operator.undo(gid)).rows).toEqual([row]);
    });
  });

  describe('merge', () => {
    it('takes the named columns from before, null too, and lets the database compute', async () => {
      const { operator, gid, db, resource } = await stuck(
        (bank) => bank.query("update account set cents = 450, note = 'sold' where id = 2"),
        ["update account set owner = 'Bobby', cents = 440, note = 'mine' where id = 2"],
      );
      const [row] = resource.rows;
      const columns = { cents: 'before', note: 'before', owner: 'current' };
      const answer = await operator.resolve(gid, { rows: [chosen(row, 'merge', columns)] });
      expect(answer.body.rows?.[0]).toMatchObject({
        choice: 'merge',
        from: { owner: 'Bobby', cents: '440', note: 'mine', twice: '880' },
        to: { owner: 'Bobby', cents: '500', note: null, twice: '1000' },
      });
      await operator.finished(gid);
      expect(await db.rowsOf('account')).toContain('(2,Bobby,500,,1000)');
      expect(await db.undoRows()).toBe(0);
    });

    it('takes back what nobody else has changed, named or not', async () => {
      const { operator, gid, db, resource } = await stuck(
        (bank) => bank.query("update account set cents = 450, owner = 'Bea' where id = 2"),
        ["update account set note = 'mine' where id = 2"],
      );
      const rows = [chosen(resource.rows[0], 'merge', {})];
      const answer = await operator.resolve(gid, { rows });
      expect(answer.body.rows?.[0]).toMatchObject({
        from: { owner: 'Bea', cents: '450', note: 'mine', twice: '900' },
        to: { owner: 'Bob', cents: '500', note: 'mine', twice: '1000' },
      });
      await operator.finished(gid);
      expect(await db.rowsOf('account')).toContain('(2,Bob,500,mine,1000)');
    });

    it.each([
      ['a column that the database computes', { twice: 'before' }, 'the database computes twice'],
      ['a column that is not there', { none: 'current' }, 'its table has no column none'],
    ])('refuses %s', async (_, columns, why) => {
      const { operator, gid, resource } = await stuck(update, [
        "update account set note = 'mine' where id = 1",
      ]);
      const rows = [chosen(resource.rows[0], 'merge', columns)];
      expect(await operator.resolve(gid, { rows })).toMatchObject({
        status: 400,
        body: { code: 'INVALID_REQUEST', detail: expect.stringContaining(why) },
      });
    });

    it('refuses a row that was not there before, or is not there now', async () => {
      const { operator, gid, resource } = await stuck(
        async (bank) => {
          await insert(bank);
          await bank.query("update account set note = 'x' where id = 3");
        },
        ["update account set note = 'mine' where id = 4", 'delete from account where id = 3'],
      );
      for (const row of resource.rows) {
        const rows = [chosen(row, 'merge', { note: 'before' })];
        expect(await operator.resolve(gid, { rows })).toMatchObject({
          status: 400,
          body: { detail: expect.stringContaining('nothing to merge') },
        });
      }
    });
  });

  it('resolves rows that refer to each other, each in its way, and restores the clean ones', async () => {
    const { operator, gid, db, resource } = await stuck(
      async (bank) => {
        await insert(bank);
        await bank.query("insert into item values (3, 4, 'three')");
        await bank.query("update item set account_id = 4, name = 'moved' where id = 2");
        await bank.query('delete from account where id = 2');
        await bank.query("update item set name = 'again' where id = 2");
        await bank.query("update item set name = 'x' where id = 1");
      },
      [
        "update item set name = 'mine' where id in (2, 3)",
        "update item set name = 'also mine' where id = 1",
      ],
    );
    expect(resource).toMatchObject({ rowsTotal: 5, dirtyTotal: 3 });
    const row = (table: string, id: number) =>
      resource.rows.find((one) => one.table.includes(table) && one.key === `["${id}"]`);
    const rows = [
      chosen(row('item', 2), 'merge', { account_id: 'before' }),
      chosen(row('item', 3), 'restore'),
      chosen(row('item', 1), 'keep'),
    ];
    expect(await operator.resolve(gid, { rows })).toMatchObject({ status: 200 });
    expect(await operator.finished(gid)).toMatchObject({ phase: 'rolledBack' });
    expect(await db.rowsOf('item')).toEqual(
      ['(1,1,also mine)', '(2,2,mine)'].map((text) =>
        kind.of({ postgres: text.replace('also mine', '"also mine"'), mysql: text }),
      ),
    );
    expect(await db.rowsOf('account')).toEqual([
      '(1,Ada,1000,first,2000)',
      '(2,Bob,500,,1000)',
      '(3,Cy,0,third,0)',
    ]);
  });

  it.each(['restore', 'keep'])('takes one choice for all other dirty rows: %s', async (choice) => {
    const { operator, gid, db, resource } = await stuck(
      async (bank) => {
        await bank.query('update account set cents = cents + 1');
        await bank.query("update item set name = 'x'");
      },
      ["update account set note = 'mine' where id <> 1"],
    );
    const otherwise = { choice, seen: resource.seen };
    const first = await operator.resolve(gid, { otherwise });
    expect(first).toMatchObject({ status: 200, body: { rowsTotal: 5 } });
    await operator.finished(gid);
    expect(await db.rowsOf('item')).toEqual(['(1,1,one)', '(2,2,two)']);
    expect(await db.rowsOf('account')).toEqual(
      choice === 'restore'
        ? ['(1,Ada,1000,first,2000)', '(2,Bob,500,,1000)', '(3,Cy,0,third,0)']
        : ['(1,Ada,1000,first,2000)', '(2,Bob,501,mine,1002)', '(3,Cy,1,mine,2)'],
    );
  });

  it('lets a row of a table that has another shape by now be kept, and nothing else', async () => {
    const { operator, gid, db, resource } = await stuck(update, [
      'alter table account add column later varchar(10)',
    ]);
    const [row] = resource.rows;
    expect(row).toMatchObject({
      state: 'dirty',
      why: 'its table has got a column later since',
      current: { cents: '900', later: null },
    });
    expect(await operator.resolve(gid, { rows: [chosen(row, 'restore')] })).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining('it can only be kept') },
    });
    expect(await operator.resolve(gid, { rows: [chosen(row, 'keep')] })).toMatchObject({
      status: 200,
    });
    expect(await operator.finished(gid)).toMatchObject({ phase: 'rolledBack' });
    expect(await db.rowsOf('account')).toContain('(1,Ada,900,x,1800,)');
  });

  it('lets rows of a table that is gone be kept', async () => {
    const { operator, gid, db, resource } = await stuck(
      async (bank) => {
        await bank.query("update item set name = 'x' where id = 1");
        await update(bank);
      },
      ['drop table item'],
    );
    const [row] = resource.rows;
    expect(row).toMatchObject({ state: 'dirty', why: 'its table is gone', current: null });
    expect(await operator.resolve(gid, { rows: [chosen(row, 'keep')] })).toMatchObject({
      status: 200,
    });
    expect(await operator.finished(gid)).toMatchObject({ phase: 'rolledBack' });
    expect(await db.rowsOf('account')).toContain('(1,Ada,1000,first,2000)');
    expect(await db.undoRows()).toBe(0);
  });
}
