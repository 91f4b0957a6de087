/**
 * Dirty rows and what becomes of them, end to end on either kind of database: a coordinator process,
 * a service, its database, and an operator with HTTP.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { InspectedRow } from '../../client-sdk/protocol/index.ts';
import type { EitherKind, Front } from './either-kind.ts';
import { startCoordinator, startService } from './world.ts';

const schema = [
  `create table account (id int primary key, owner varchar(40) unique, cents bigint not null,
    note varchar(40), twice bigint generated always as (cents * 2) stored)`,
  `create table item (id int primary key, account_id int not null, name varchar(40),
    foreign key (account_id) references account (id))`,
  `insert into account (id, owner, cents, note) values
    (1, 'Ada', 1000, 'first'), (2, 'Bob', 500, null), (3, 'Cy', 0, 'third')`,
  `insert into item values (1, 1, 'one'), (2, 2, 'two')`,
];

/** An answer of the coordinator. */
export interface Asked {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what tests look into, field by field.
  readonly body: any;
}

/** The operator's HTTP. */
export function operatorOf(url: string) {
  const ask = async (path: string, init?: RequestInit): Promise<Asked> => {
    const response = await fetch(`${url}${path}`, init);
    return { status: response.status, body: await response.json() };
  };
  const post = (path: string, body: object): Promise<Asked> =>
    ask(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  return {
    ask,
    post,
    undo: async (gid: string, query = '') => {
      const { body } = await ask(`/v1/transactions/${gid}/undo${query}`);
      return body.resources[0];
    },
    resolve: (gid: string, body: object) =>
      post(`/v1/transactions/${gid}/undo/resolve`, {
        resource: 'bank',
        reason: 'somebody repaired it by hand',
        ...body,
      }),
    /** Resolves once phase two is done. */
    finished: async (gid: string) => {
      const { body } = await ask(`/v1/transactions/${gid}?wait=completed&waitMs=20000`);
      return body;
    },
  };
}

/** Declares the suite. */
export function resolveSuite(kind: EitherKind): void {
  let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
  beforeAll(async () => {
    coordinator = await startCoordinator();
  });
  afterAll(() => coordinator.stop());

  /** A transaction that has worked in the bank, meddled with since, and then rolls back. */
  async function stuck(work: (bank: Front) => Promise<unknown>, meddling: readonly string[]) {
    const world = await open();
    const { gid, db } = world;
    await world.work(work);
    for (const text of meddling) await db.query(text);
    await world.rollBack();
    return { ...world, resource: await untilRefused(world.operator, gid) };
  }

  async function open(extra: readonly string[] = []) {
    const db = await kind.start([...schema, ...extra]);
    const service = `shop-${randomUUID()}`;
    const settle = await startService(coordinator.url, service);
    const bank = db.at(settle, { resource: 'bank' });
    await settle.ready();
    const operator = operatorOf(coordinator.url);
    const gid = `g-${randomUUID()}`;
    await operator.post('/v1/transactions', { gid });
    const path = `/v1/transactions/${gid}`;
    return {
      db,
      gid,
      settle,
      service,
      operator,
      bank,
      work: (of: (bank: Front) => Promise<unknown>) => settle.join(gid, () => of(bank)),
      rollBack: () => operator.post(`${path}/rollback`, { wait: 'decided' }),
      commit: () => operator.post(`${path}/commit`, { wait: 'completed' }),
    };
  }

  /** The undo rows once the rollback has met the dirty one. */
  async function untilRefused(operator: ReturnType<typeof operatorOf>, gid: string) {
    for (;;) {
      const { body } = await operator.ask(`/v1/transactions/${gid}`);
      if (body.attention !== null) break;
    }
    return operator.undo(gid);
  }

  const update = (bank: Front) =>
    bank.query("update account set cents = 900, note = 'x' where id = 1");
  const remove = (bank: Front) => bank.query('delete from account where id = 3');
  const insert = (bank: Front) =>
    bank.query("insert into account (id, owner, cents, note) values (4, 'Di', 4, 'four')");

  const chosen = (row: InspectedRow, choice: string, columns?: object) => ({
    table: row.table,
    key: row.key,
    seen: row.seen,
    choice,
    ...(columns === undefined ? {} : { columns }),
  });

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
    expect(rest.map(({ key, state }: InspectedRow) => [key, state])).toEqual([
      ['["3"]', 'locked'],
      ['["2"]', 'clean'],
    ]);
    expect((await operator.ask(`/v1/transactions/${gid}`)).body.attention).toMatchObject({
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
    expect(first.rows.map(({ key }: InspectedRow) => key)).toEqual(['["2"]', expect.anything()]);
    const second = await operator.undo(gid, `?branchId=1&limit=2&cursor=${first.nextCursor}`);
    expect([...first.rows, ...second.rows]).toEqual(resource.rows);
    expect(second).toMatchObject({ nextCursor: null, rowsTotal: 3, seen: first.seen });
  });

  describe.each([
    ['an update', update, "update account set note = 'mine' where id = 1", '1'],
    ['a delete', update, 'delete from account where id = 1', '1'],
    ['an insert again', remove, "insert into account (id, owner, cents) values (3, 'New', 3)", '3'],
    ['an update of a new row', insert, "update account set note = 'mine' where id = 4", '4'],
  ])('a row that is dirty by %s', (_, work, meddling, id) => {
    const free = 'delete from item where account_id = 1';
    const start = async () => {
      const world = await stuck(work, [free, meddling]);
      const row = world.resource.rows.find(({ key }: InspectedRow) => key === `["${id}"]`);
      expect(row).toMatchObject({ state: 'dirty' });
      return { ...world, row };
    };

    it('becomes what it was by restore', async () => {
      const { operator, gid, db, row } = await start();
      const answer = await operator.resolve(gid, { rows: [chosen(row, 'restore')] });
      expect(answer).toMatchObject({ status: 200, body: { rowsTotal: 1, dryRun: false } });
      expect(answer.body.rows[0]).toMatchObject({ from: row.current, to: row.before });
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
      expect(answer.body.rows[0]).toMatchObject({
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
      expect(answer.body.rows[0]).toMatchObject({ from: row.current, to: row.before });
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
      expect(answer.body.rows[0]).toMatchObject({
        choice: 'merge',
        from: { owner: 'Bobby', cents: '440', note: 'mine', twice: '880' },
        to: { owner: 'Bobby', cents: '500', note: null, twice: '1000' },
      });
      await operator.finished(gid);
      expect(await db.rowsOf('account')).toContain('(2,Bobby,500,,1000)');
      expect(await db.undoRows()).toBe(0);
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
      resource.rows.find(
        (one: InspectedRow) => one.table.includes(table) && one.key === `["${id}"]`,
      );
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
    const locks = await operator.ask(`/v1/resources/${service}/bank/locks`);
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
    const path = `/v1/resources/${service}/bank/locks`;
    const all = await operator.ask(path);
    expect(all).toMatchObject({
      status: 200,
      body: { service, resource: 'bank', nextCursor: null },
    });
    const keysOf = ({ body }: Asked) =>
      body.locks.map((lock: { key: string; table: string }) => [
        lock.table.replaceAll(/[^.]*\.|`/g, ''),
        lock.key,
      ]);
    expect(keysOf(all)).toEqual([
      ['item', '["1"]'],
      ['account', '["2"]'],
      ['account', '["1"]'],
    ]);
    expect(all.body.locks[0]).toMatchObject({ gid, branchId: 1, row: { id: '1' } });
    const first = await operator.ask(`${path}?limit=2&order=oldest`);
    expect(keysOf(first)).toEqual([
      ['account', '["1"]'],
      ['account', '["2"]'],
    ]);
    const { nextCursor } = first.body;
    expect(keysOf(await operator.ask(`${path}?order=oldest&cursor=${nextCursor}`))).toEqual([
      ['item', '["1"]'],
    ]);
    const table = encodeURIComponent(all.body.locks[1].table);
    expect(keysOf(await operator.ask(`${path}?table=${table}&gid=${gid}`))).toHaveLength(2);
    expect(keysOf(await operator.ask(`${path}?gid=other`))).toEqual([]);
  });
}
