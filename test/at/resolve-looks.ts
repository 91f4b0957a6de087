/** What an operator is shown of rows that a rollback has met, dirty or not, and of who holds rows. */
import { expect, it } from 'vitest';
import type { LocksAnswer } from '../../client-sdk/protocol/index.ts';
import { type Asked, chosen, type ResolveWorld, untilRefused, update } from './resolve-world.ts';

/** Declares them. */
export function looks({ kind, open, stuck }: ResolveWorld): void {
  it('shows a dirty row in its three images, and the others as clean', async () => {
    const { operator, gid, resource } = await stuck(
      async (bank) => {
        await update(bank);
        await bank.query('update account set cents = 800 where id = 1');
        await bank.query('update account set cents = 501 where id = 2');
        await bank.query('select * from account where id = 3 for update');
      },
      ["update account set note = 'mine', cents = 700 where id = 1"],
    );
    expect(resource).toMatchObject({
      resource: 'bank',
      branchIds: [1],
      isFinished: false,
      error: null,
      rowsTotal: 3,
      dirtyTotal: 1,
      seen: expect.stringMatching(/^[0-9a-f]{64}$/),
      nextCursor: null,
    });
    const [dirty, ...rest] = resource.rows;
    expect(dirty).toMatchObject({
      table: kind.of({ postgres: 'public.account', mysql: expect.stringContaining('`account`') }),
      key: '["1"]',
      steps: 2,
      state: 'dirty',
      why: 'somebody else changed it',
      differing: ['cents', 'note', 'twice'],
      before: { id: '1', owner: 'Ada', cents: '1000', note: 'first', twice: '2000' },
      after: { id: '1', owner: 'Ada', cents: '800', note: 'x', twice: '1600' },
      current: { id: '1', owner: 'Ada', cents: '700', note: 'mine', twice: '1400' },
      types: { cents: expect.stringMatching(/^bigint/) },
      cut: [],
      columnsLeftOut: 0,
    });
    expect(rest.map(({ key, state }) => [key, state])).toEqual([
      ['["3"]', 'locked'],
      ['["2"]', 'clean'],
    ]);
    expect((await operator.show(gid)).attention).toMatchObject({
      reason: 'refused',
      detail: expect.stringContaining('AT_DIRTY_ROW'),
    });
  });

  it('gives the rows page by page', async () => {
    const { operator, gid, resource } = await stuck(
      (bank) => bank.query('update account set cents = cents + 1'),
      ['update account set cents = 7 where id = 2'],
    );
    const first = await operator.undo(gid, '?branchId=1&limit=2');
    expect(first.rows.map(({ key }) => key)).toEqual(['["2"]', expect.anything()]);
    const second = await operator.undo(gid, `?branchId=1&limit=2&cursor=${first.nextCursor}`);
    expect([...first.rows, ...second.rows]).toEqual(resource.rows);
    expect(second).toMatchObject({ nextCursor: null, rowsTotal: 3, seen: first.seen });
  });

  it('shows letters as letters, bytes as bytes, and cuts what is too long', async () => {
    const { gid, db, work, rollBack, operator, service } = await open([
      kind.of({
        postgres: `create table thing (name varchar(20) primary key, body text, raw bytea,
          at timestamptz, doc jsonb)`,
        mysql: `create table thing (name varchar(20) character set latin1 primary key,
          body mediumtext, raw blob, at timestamp(3) null, doc json)`,
      }),
      `insert into thing (name, body, raw, at, doc) values ('Grüß', 'a', ${kind.of({
        postgres: "'\\x00ff'",
        mysql: "x'00ff'",
      })}, ${kind.of({
        postgres: "'2020-01-02 03:04:05.5+00'",
        mysql: 'from_unixtime(1577934245.5)',
      })}, '{"a": "ä"}')`,
    ]);
    await work((bank) => bank.query("update thing set body = 'b'"));
    await db.query("update thing set body = repeat('€', 100000)");
    await rollBack();
    const [row] = (await untilRefused(operator, gid)).rows;
    expect(row).toMatchObject({
      state: 'dirty',
      differing: ['body'],
      before: {
        name: 'Grüß',
        body: 'a',
        raw: '\\x00ff',
        at: expect.stringMatching(/^2020-01-02 03:04:05\.50{0,2}\+00$/),
        doc: expect.stringContaining('ä'),
      },
      current: { body: expect.stringMatching(/^€{1,4096}…$/) },
      cut: ['body'],
    });
    const locks = await operator.locks(service);
    expect(locks.body.locks).toMatchObject([{ row: { name: 'Grüß' } }]);
    const rows = [chosen(row, 'restore')];
    expect(await operator.resolve(gid, { rows })).toMatchObject({ status: 200 });
    await operator.finished(gid);
    expect((await db.rowsOf('thing'))[0]).toMatch(/^\("?Grüß"?,a,/);
  });

  it('lists who holds which rows', async () => {
    const { operator, gid, service } = await stuck(
      async (bank) => {
        await bank.query("update account set note = 'x' where id in (1, 2)");
        await bank.query("update item set name = 'x' where id = 1");
      },
      ["update account set note = 'mine' where id = 1"],
    );
    const all = await operator.locks(service);
    expect(all).toMatchObject({
      status: 200,
      body: { service, resource: 'bank', nextCursor: null },
    });
    const keysOf = ({ body }: Asked<LocksAnswer>) =>
      body.locks?.map((lock) => [lock.table.replaceAll(/[^.]*\.|`/g, ''), lock.key]);
    expect(keysOf(all)).toEqual([
      ['item', '["1"]'],
      ['account', '["2"]'],
      ['account', '["1"]'],
    ]);
    expect(all.body.locks?.[0]).toMatchObject({ gid, branchId: 1, row: { id: '1' } });
    const first = await operator.locks(service, '?limit=2&order=oldest');
    expect(keysOf(first)).toEqual([
      ['account', '["1"]'],
      ['account', '["2"]'],
    ]);
    const { nextCursor } = first.body;
    expect(keysOf(await operator.locks(service, `?order=oldest&cursor=${nextCursor}`))).toEqual([
      ['item', '["1"]'],
    ]);
    const table = encodeURIComponent(all.body.locks?.[1]?.table ?? '');
    expect(keysOf(await operator.locks(service, `?table=${table}&gid=${gid}`))).toHaveLength(2);
    expect(keysOf(await operator.locks(service, '?gid=other'))).toEqual([]);
  });
}
