/** Statements in one flight: what each has done, where it stops, and the driver's book of names. */
import pg from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { flightConnectionOf, fly } from '../../client-sdk/participant/databases/pg-flight.ts';
import { describeOn, type Provided } from '../support/databases.ts';

const names = 'select name from pg_prepared_statements order by name';
const insert = { name: 'settle_mark', text: 'insert into mark values ($1), ($2)' };

await describeOn('postgres', (server) => {
  it('answers how many rows each has changed or found', async () => {
    const client = await clientWithMarks(server);
    const flight = [
      { text: 'begin' },
      { ...insert, values: ['1', null] },
      { text: 'select n from mark' },
      { text: 'update mark set n = 2 where n = 1' },
      { text: '' },
      { text: 'commit' },
    ];
    expect(await fly(client, flight)).toEqual([0, 2, 2, 1, 0, 0]);
    expect((await client.query('select * from mark')).rows).toEqual([{ n: null }, { n: 2 }]);
  });

  it('stops at the first that fails: no commit behind it', async () => {
    const client = await clientWithMarks(server);
    const flight = (divisor: string) => [
      { text: 'begin' },
      { ...insert, values: ['1', '2'] },
      { text: 'select 1 / $1::int', values: [divisor] },
      { text: 'commit' },
    ];
    await expect(fly(client, flight('0'))).rejects.toMatchObject({ code: '22012' });
    await client.query('rollback');
    expect((await client.query('select * from mark')).rows).toEqual([]);
    expect(await fly(client, flight('1'))).toEqual([0, 2, 1, 0]);
  });

  it('keeps names where the business has some, and prepares them again after a failure', async () => {
    const client = await clientWithMarks(server);
    const mark = (n: string) => fly(client, [{ ...insert, values: [n, n] }]);
    await mark('1');
    expect((await client.query(names)).rows).toEqual([]);
    await client.query({ name: 'mine', text: 'select 1' });
    await mark('2');
    await mark('3');
    expect((await client.query(names)).rows).toEqual([{ name: 'mine' }, { name: 'settle_mark' }]);
    await client.query('deallocate settle_mark');
    await expect(mark('4')).rejects.toMatchObject({ code: '26000' });
    expect(await mark('5')).toEqual([2]);
    // Another text under its name takes its place.
    expect(await fly(client, [{ name: 'settle_mark', text: 'select 1' }])).toEqual([1]);
  });

  it('honours the time limit that the client has for queries', async () => {
    const client = await newClient(server, { query_timeout: 50 });
    await expect(fly(client, [{ text: 'select pg_sleep(1)' }])).rejects.toThrow(
      'Query read timeout',
    );
  });

  it('is nothing for a client of another kind, or one that pipelines by itself', async () => {
    const client = await clientWithMarks(server);
    expect(flightConnectionOf(client)).not.toBeNull();
    expect(flightConnectionOf({ query: () => null })).toBeNull();
    expect(flightConnectionOf({ connection: client.connection, pipeline: true })).toBeNull();
  });
});

async function newClient(server: Provided, more: object = {}) {
  const client = new pg.Client({ connectionString: server.url, ...more });
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

async function clientWithMarks(server: Provided) {
  const client = await newClient(server);
  await client.query('create temp table mark (n int)');
  return client;
}
