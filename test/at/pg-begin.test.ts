/** A begin in front of a statement of the user: the driver's answers, its errors, and its book of names. */
import pg from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { queryBehind } from '../../client-sdk/resource/databases/pg-begin.ts';
import { describeOn, type Provided } from '../support/databases.ts';

const begin = "begin isolation level read committed; set local lock_timeout = '777ms'";
const text = "select $1::int as n, current_setting('lock_timeout') as timeout";

await describeOn('postgres', (server) => {
  it('begins, and answers as the driver does', async () => {
    const client = await newClient(server);
    const result = await queryBehind(client, begin, { text, values: [5] });
    expect(result).toMatchObject({
      ...{ command: 'SELECT', rowCount: 1, rows: [{ n: 5, timeout: '777ms' }] },
      fields: [{ name: 'n' }, { name: 'timeout' }],
    });
    await client.query('rollback');
    expect((await client.query('show lock_timeout')).rows).toEqual([{ lock_timeout: '0' }]);
  });

  it('gives lists, and values by the parsers of the client, when they are asked for', async () => {
    const client = await newClient(server);
    client.setTypeParser(23, (value) => `int ${value}`);
    const config = { text, values: [5], rowMode: 'array' };
    const result = await queryBehind(client, begin, config);
    expect(result).toMatchObject({ rows: [['int 5', '777ms']] });
  });

  it('takes a named statement once the driver has prepared it, and keeps the name', async () => {
    const client = await newClient(server);
    const config = { name: 'mine', text, values: [1] };
    expect(queryBehind(client, begin, config)).toBeNull();
    await client.query(config);
    expect(await queryBehind(client, begin, config)).toMatchObject({
      rowCount: 1,
    });
    await client.query('rollback');
    expect(await client.query({ ...config, values: [2] })).toMatchObject({ rowCount: 1 });
    expect(queryBehind(client, begin, { ...config, text: 'select $1::int' })).toBeNull();
  });

  it('fails with the statement, and the connection goes on', async () => {
    const client = await newClient(server);
    const failing = { text: 'select 1 / $1::int', values: [0] };
    await expect(queryBehind(client, begin, failing)).rejects.toMatchObject({ code: '22012' });
    await expect(client.query('select 1')).rejects.toMatchObject({ code: '25P02' });
    await client.query('rollback');
    expect(await client.query(text, [1])).toMatchObject({ rowCount: 1 });
  });

  it('fails with a begin that fails: the statement does not run', async () => {
    const client = await newClient(server);
    await client.query('create temp table mark (n int)');
    const wrong = `begin; set local lock_timeout = '1 fortnight'`;
    const insert = { text: 'insert into mark values ($1)', values: [1] };
    await expect(queryBehind(client, wrong, insert)).rejects.toMatchObject({
      code: '22023',
    });
    await client.query('rollback');
    expect((await client.query('select * from mark')).rows).toEqual([]);
  });

  it('honours the time limit that the client has for queries', async () => {
    const client = await newClient(server, { query_timeout: 50 });
    const slow = { text: 'select pg_sleep($1::float)', values: [1] };
    await expect(queryBehind(client, begin, slow)).rejects.toThrow('Query read timeout');
  });

  it('fails with a value that the driver cannot send, and the connection goes on', async () => {
    const client = await newClient(server);
    const self: unknown[] = [];
    self.push(self);
    const wrong = { text: 'select $1::json', values: [{ toPostgres: () => self }] };
    await expect(queryBehind(client, begin, wrong)).rejects.toThrow();
    await client.query('rollback');
    expect(await client.query(text, [1])).toMatchObject({ rowCount: 1 });
  });

  it('leaves a plain text, and a client that is none of the driver, to the caller', async () => {
    const client = await newClient(server);
    expect(queryBehind(client, begin, { text: 'select 1', values: [] })).toBeNull();
    expect(queryBehind({ query: () => null }, begin, { text, values: [5] })).toBeNull();
  });
});

async function newClient(server: Provided, more: object = {}): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.url, ...more });
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}
