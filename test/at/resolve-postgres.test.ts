/** Dirty rows on PostgreSQL: what becomes of them, and what a resource answers when it is asked directly. */
import { expect, it } from 'vitest';
import type { Json, Operation, Question } from '../../client-sdk/protocol/index.ts';
import { pgResourceDatabase } from '../../client-sdk/resource/databases/pg.ts';
import { resourceMethod } from '../../client-sdk/resource/phase-two.ts';
import { createPostgresDialect } from '../../client-sdk/resource/postgres/dialect.ts';
import { describeOn, type Provided } from '../support/databases.ts';
import { describeOnKind } from './either-kind.ts';
import { branch, openSession, stepBy } from './postgres-undo-world.ts';
import { resolveSuite } from './resolve-suite.ts';
import { startDatabase } from './world.ts';

await describeOnKind('postgres', (kind) => resolveSuite(kind));

await describeOn('postgres', (server) => {
  it('takes the barrier row of the rollback, so that who comes later writes nothing', async () => {
    const { ask, pool, row } = await dirtied(server);
    const rows = [{ ...row, choice: 'keep' }];
    expect(await ask('resolve', resolution(rows))).toMatchObject({ result: { kind: 'resolved' } });
    expect(await barrierOf(pool)).toEqual(['prepare done', 'rollback done']);
    // A row of the same gid that is there all the same: nobody may write it back any more.
    await pool.query(`insert into settle_undo values
      ('public.t', '["1"]', 0, 'g', 1, 1, default, null, '{"id":"1","name":"mine"}', 1)`);
    expect(await ask('resolve', resolution([]))).toMatchObject({
      result: { kind: 'refused', code: 'NOTHING_TO_RESOLVE' },
    });
    expect(await ask('rollback', null)).toEqual({ outcome: 'done', result: null });
    expect((await pool.query('select name from t')).rows).toEqual([{ name: 'mine' }]);
  });

  it('needs nobody for a branch that is not committed, and leaves its barrier to the rollback', async () => {
    const { ask, pool } = await dirtied(server);
    await pool.query('delete from settle_barrier');
    expect(await ask('resolve', resolution([]))).toMatchObject({
      result: { kind: 'refused', code: 'NOTHING_TO_RESOLVE' },
    });
    expect(await barrierOf(pool)).toEqual([]);
  });

  it('shows rows without waiting for who holds them', async () => {
    const { ask, session } = await dirtied(server);
    await session.query('begin');
    await session.query('select * from t for update');
    await session.query('select * from settle_undo for update');
    const page = { offset: 0, rowsMax: 9, bytesMax: 9_999 };
    expect(await ask('inspect', page)).toMatchObject({ result: { rowsTotal: 1, dirtyTotal: 1 } });
    const locks = { order: 'newest', limit: 9 };
    expect(await ask('locks', locks)).toMatchObject({ result: { locks: [{ gid: 'g' }] } });
    expect(await ask('resolve', resolution([]))).toMatchObject({
      result: { kind: 'refused', code: 'LOCK_CONFLICT' },
    });
  });

  it('refuses a question that it does not understand', async () => {
    const { ask } = await dirtied(server);
    for (const question of ['inspect', 'resolve', 'locks'] as const) {
      expect(await ask(question, null)).toMatchObject({
        outcome: 'refused',
        error: expect.stringContaining('INVALID_REQUEST'),
      });
    }
  });

  it('refuses two choices for one row', async () => {
    const { ask, row } = await dirtied(server);
    const rows = [
      { ...row, choice: 'keep' },
      { ...row, choice: 'restore' },
    ];
    expect(await ask('resolve', resolution(rows))).toMatchObject({
      result: { kind: 'refused', code: 'INVALID_REQUEST' },
    });
  });
});

function resolution(rows: readonly Json[]): Json {
  return { rows, otherwise: null, dryRun: false, bytesMax: 9_999 };
}

/** A resource without a coordinator; its row 1 is dirty under gid `g`. */
async function dirtied(server: Provided) {
  const url = await server.newDatabase();
  const given = { ...server, newDatabase: async () => url };
  const pool = await startDatabase(given, 'create table t (id int primary key, name text)');
  const session = await openSession(url);
  const change = "insert into t values (1, 'new')";
  await branch(session, { gid: 'g', branchId: 1 }, () =>
    stepBy(session, 't', { where: 'id = 1', change }),
  );
  await pool.query(
    'insert into settle_barrier (gid, branch_id, operation, state, created_at_ms)' +
      " values ('g', 1, 'prepare', 'done', 1)",
  );
  await pool.query("update t set name = 'mine'");
  const { handle } = resourceMethod('at.t', {
    database: pgResourceDatabase(pool),
    dialect: createPostgresDialect(() => 0),
    lockTimeoutMs: 200,
  });
  const ask = (operation: Operation | Question, payload: Json) =>
    handle({ gid: 'g', branchId: 1, operation, method: 'at.t', payload });
  const inspected = await ask('inspect', { offset: 0, rowsMax: 1, bytesMax: 9_999 });
  // What the test has just made.
  const { result } = inspected as unknown as {
    result: { rows: Record<'table' | 'key' | 'seen', string>[] };
  };
  const [{ table, key, seen } = { table: '', key: '', seen: '' }] = result.rows;
  return { ask, pool, session, row: { table, key, seen } };
}

async function barrierOf(pool: Awaited<ReturnType<typeof startDatabase>>) {
  const { rows } = await pool.query(
    "select operation || ' ' || state as row from settle_barrier order by 1",
  );
  return rows.map(({ row }) => String(row));
}
