/**
 * A local transaction that is given up while its end waits for the decision of another: its connection
 * is somebody else's from then on, and nothing more may be sent on it.
 */
import { expect, it } from 'vitest';
import { pgFront, pgResourceDatabase } from '../../client-sdk/resource/databases/pg.ts';
import { LocalTransaction } from '../../client-sdk/resource/local-transaction.ts';
import { createPostgresDialect } from '../../client-sdk/resource/postgres/dialect.ts';
import { Turns } from '../../client-sdk/resource/turns.ts';
import { ScopeWaits } from '../../client-sdk/resource/waits.ts';
import { describeOn, type Provided } from '../support/databases.ts';
import { startDatabase, undoRows } from './world.ts';

const ends = {
  alone: (local) => local.commitAlone(),
  'a branch': (local) => local.insertUndo({ gid: 'mine', branchId: 1 }),
} satisfies Record<string, (local: LocalTransaction<unknown>) => Promise<void>>;

await describeOn('postgres', (server) => {
  it.each(Object.entries(ends))('sends nothing more: %s', async (_, end) => {
    const { local, sent, waits, decided } = await startWaiting(server);
    const ended = expect(end(local)).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
    await waits;
    await local.rollback();
    const before = sent.length;
    decided();
    await ended;
    expect(sent.slice(before)).toEqual([]);
    await expect(local.commitPhaseOne({ gid: 'mine', branchId: 1 })).rejects.toMatchObject({
      code: 'NO_TRANSACTION',
    });
    await expect(local.commit()).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
    expect(sent.slice(before)).toEqual([]);
  });

  it('sends nothing more, not even a rollback, when it was to commit at once', async () => {
    const { local, sent } = await startWaiting(server);
    await local.rollback();
    const before = sent.length;
    await expect(local.commitAtOnce({ gid: 'mine', branchId: 1 })).rejects.toMatchObject({
      code: 'NO_TRANSACTION',
    });
    expect(sent.slice(before)).toEqual([]);
  });

  it('is not free once a statement has failed, whatever was looked at', async () => {
    const { local, front } = await startWaiting(server, { isHeld: false });
    expect(local.isFree).toBe(true);
    await expect(
      front.query('update account set cents = 1 / $1 where id = 1', [0]),
    ).rejects.toThrow();
    expect(local.isFree).toBe(false);
    await local.rollback();
  });

  it.each(Object.entries(ends))('ends well when it is not: %s', async (_, end) => {
    const { pool, local, waits, decided } = await startWaiting(server);
    const ended = end(local);
    await waits;
    decided();
    await ended;
    await local.rollback();
    expect(await undoRows(pool)).toBeLessThanOrEqual(1);
  });
});

/** One row changed; `isHeld`: and on it the undo row of another one, who is not decided. */
async function startWaiting(server: Provided, { isHeld = true } = {}) {
  const pool = await startDatabase(
    server,
    `create table account (id bigint primary key, cents bigint not null);
     insert into account values (1, 10);
     insert into settle_undo (table_name, row_key, step, gid, branch_id, position, created_at_ms)
       select 'public.account', '["1"]', 0, 'other', 1, 1, 0 where ${isHeld}`,
  );
  const connection = await pgResourceDatabase(pool).acquire();
  const dialect = createPostgresDialect(() => 0);
  await connection.begin(dialect.statements.begin(5_000));
  const sent: string[] = [];
  const [waiting, deciding] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const local = new LocalTransaction({
    gid: 'mine',
    dialect,
    connection: {
      ...connection,
      query(text, parameters, name) {
        sent.push(text);
        return connection.query(text, parameters, name);
      },
    },
    turns: new Turns(5_000),
    waits: new ScopeWaits('mine', () => false).open(
      { enter() {}, leave() {} },
      {
        source: { blockers: async () => new Map(), cancel: async () => {} },
        session: connection,
        resource: 'shop',
        connection: null,
      },
    ),
    untilCommitted() {
      waiting.resolve();
      return deciding.promise;
    },
    eager: null,
    spans: null,
    willWrite: () => undefined,
  });
  const front = pgFront(pool, () => Promise.resolve(local));
  await front.query('update account set cents = 11 where id = $1', [1]);
  return { pool, front, local, sent, waits: waiting.promise, decided: () => deciding.resolve() };
}
