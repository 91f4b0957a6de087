/** Statements of our own are prepared on the connections on which the user prepares his. */
import pg from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { pgResourceDatabase } from '../../client-sdk/resource/databases/pg.ts';
import { describeOn, type Provided } from '../support/databases.ts';

const names = 'select name from pg_prepared_statements order by name';

await describeOn('postgres', (server) => {
  it('keeps no statement where the user names none', async () => {
    const connection = await acquire(server);
    expect(await connection.query('select $1::int as n', [1], 'settle_one')).toMatchObject({
      ...{ rows: [{ n: 1 }], count: 1 },
    });
    expect((await connection.query(names)).rows).toEqual([]);
    connection.release();
  });

  it('keeps its own where the user names some, also after it has failed', async () => {
    const connection = await acquire(server);
    await connection.native.client.query({ name: 'mine', text: 'select 1' });
    const half = (by: number) => connection.query('select 4 / $1::int as n', [by], 'settle_half');
    await expect(half(0)).rejects.toMatchObject({ code: '22012' });
    expect((await half(2)).rows).toEqual([{ n: 2 }]);
    expect((await connection.query(names)).rows).toEqual([
      { name: 'mine' },
      { name: 'settle_half' },
    ]);
    connection.release();
  });
});

async function acquire(server: Provided) {
  const pool = new pg.Pool({ connectionString: server.url, max: 1 });
  onTestFinished(() => pool.end());
  return pgResourceDatabase(pool).acquire();
}
