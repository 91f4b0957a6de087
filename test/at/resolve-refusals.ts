/** What an operator cannot do to dirty rows, why, and that nothing is written then. */
import { expect, it } from 'vitest';
import { chosen, type ResolveWorld, update } from './resolve-world.ts';

/** Declares them. */
export function refusals({ open, stuck }: ResolveWorld): void {
  it('refuses while a dirty row has no choice, naming all of them, and writes nothing', async () => {
    const { operator, gid, db, resource } = await stuck(
      (bank) => bank.query('update account set cents = cents + 1'),
      ["update account set note = 'mine'"],
    );
    const before = [await db.rowsOf('account'), await db.undoRows()];
    const rows = [chosen(resource.rows[0], 'restore')];
    const answer = await operator.resolve(gid, { rows });
    expect(answer).toMatchObject({ status: 409, body: { code: 'AT_DIRTY_ROW' } });
    const others = resource.rows.slice(1);
    expect(others).toHaveLength(2);
    for (const { key } of others) expect(answer.body.detail).toContain(key);
    expect(answer.body.detail).not.toContain(`${rows[0]?.key} (`);
    expect([await db.rowsOf('account'), await db.undoRows()]).toEqual(before);
  });

  it.each([
    ['restore', undefined],
    ['keep', undefined],
    ['merge', { note: 'before' }],
  ])('does nothing when a row has changed since it was looked at: %s', async (choice, columns) => {
    const { operator, gid, db, resource } = await stuck(update, [
      "update account set note = 'mine' where id = 1",
    ]);
    const [row] = resource.rows;
    await db.query('update account set cents = 1 where id = 1');
    const before = [await db.rowsOf('account'), await db.undoRows()];
    const late = {
      status: 409,
      body: { code: 'ROW_CHANGED', detail: expect.stringContaining('["1"]') },
    };
    expect(await operator.resolve(gid, { rows: [chosen(row, choice, columns)] })).toMatchObject(
      late,
    );
    const otherwise = { choice: 'keep', seen: resource.seen };
    expect(await operator.resolve(gid, { otherwise })).toMatchObject({
      body: { code: 'ROW_CHANGED' },
    });
    expect([await db.rowsOf('account'), await db.undoRows()]).toEqual(before);
  });

  it('lets one of two operators resolve, and tells the other', async () => {
    const { operator, gid, db, resource } = await stuck(update, [
      "update account set note = 'mine' where id = 1",
    ]);
    const [row] = resource.rows;
    const answers = await Promise.all([
      operator.resolve(gid, { rows: [chosen(row, 'restore')] }),
      operator.resolve(gid, { rows: [chosen(row, 'keep')] }),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    const told = answers.find(({ status }) => status === 409);
    expect(told?.body).toMatchObject({ code: 'NOTHING_TO_RESOLVE' });
    const isRestored = answers[0]?.status === 200;
    const left = isRestored ? '(1,Ada,1000,first,2000)' : '(1,Ada,900,mine,1800)';
    await operator.finished(gid);
    expect(await db.rowsOf('account')).toContain(left);
  });

  it('resolves nothing when the rollback has gone through by itself', async () => {
    const { operator, gid, db, resource } = await stuck(update, [
      "update account set note = 'mine' where id = 1",
    ]);
    await db.query("update account set note = 'x' where id = 1");
    await operator.finished(gid);
    const rows = [chosen(resource.rows[0], 'keep')];
    expect(await operator.resolve(gid, { rows })).toMatchObject({
      status: 409,
      body: { code: 'NOTHING_TO_RESOLVE' },
    });
    expect(await db.rowsOf('account')).toContain('(1,Ada,1000,first,2000)');
  });

  it('resolves nothing of a transaction that is not decided, or committed', async () => {
    const world = await open();
    await world.work(update);
    const { operator, gid, db } = world;
    const resource = await operator.undo(gid);
    expect(resource.rows).toMatchObject([{ state: 'clean' }]);
    const rows = [chosen(resource.rows[0], 'restore')];
    expect(await operator.resolve(gid, { rows })).toMatchObject({
      status: 409,
      body: { code: 'NOTHING_TO_RESOLVE', detail: expect.stringContaining('active') },
    });
    await world.commit();
    expect(await operator.resolve(gid, { rows })).toMatchObject({
      status: 409,
      body: { code: 'ALREADY_COMMITTED' },
    });
    expect(await db.rowsOf('account')).toContain('(1,Ada,900,x,1800)');
  });

  it('says what the database has against a choice, and writes nothing', async () => {
    const { operator, gid, db, resource } = await stuck(
      (bank) => bank.query("update account set owner = 'Eve' where id = 1"),
      [
        "update account set note = 'mine' where id = 1",
        "update account set owner = 'Ada' where id = 2",
      ],
    );
    const before = [await db.rowsOf('account'), await db.undoRows()];
    const rows = [chosen(resource.rows[0], 'restore')];
    expect(await operator.resolve(gid, { rows })).toMatchObject({
      status: 409,
      body: { code: 'REFUSED', detail: expect.stringMatching(/duplicate/i) },
    });
    expect([await db.rowsOf('account'), await db.undoRows()]).toEqual(before);
  });

  it('says that nobody is there to be asked', async () => {
    const { operator, gid, settle, resource } = await stuck(update, [
      "update account set note = 'mine' where id = 1",
    ]);
    await settle.close();
    expect(await operator.undo(gid)).toMatchObject({
      error: { code: 'METHOD_NOT_OFFERED', detail: expect.stringContaining('shop-') },
      rows: [],
      seen: null,
    });
    const rows = [chosen(resource.rows[0], 'keep')];
    expect(await operator.resolve(gid, { rows })).toMatchObject({
      status: 404,
      body: { code: 'METHOD_NOT_OFFERED' },
    });
  });
}
