/**
 * examples/shop-at as a user runs it: on servers that are named by URL, and with none that can be
 * used. What it leaves on a server that is not its own is looked at, too.
 */
import pg from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import { provide, skipSuite } from '../support/databases.ts';
import { runAsUser } from './run-as-user.ts';

const command = 'npm start --silent -w @settle/example-shop-at';
const [postgres, mysql] = [await provide('postgres'), await provide('mysql')];

if (postgres.kind === 'skipped') skipSuite('examples/shop-at', postgres.reason);
else if (mysql.kind === 'skipped') skipSuite('examples/shop-at', mysql.reason);
else {
  describe('on PostgreSQL and MariaDB', () => {
    afterAll(async () => {
      await postgres.stop();
      await mysql.stop();
    });

    test('three are bought, four are not and leave no row, and a gift needs nobody', async () => {
      const env = { POSTGRES_URL: postgres.url, MYSQL_URL: mysql.url };
      const before = await databasesOf(postgres.url);
      const ran = await runAsUser(command, env);
      expect(ran.code, ran.stderr + ran.stdout).toBe(0);
      const gids = ran.stdout.replaceAll(/gid \S+/g, 'gid …');
      const story = gids.replace(/^.*\n\n/, '').replace(/WITH settle_rows AS .*/, 'WITH …');
      expect(story.trimEnd()).toBe(expectedStory);
      expect(ran.stderr).toBe('');
      expect(await databasesOf(postgres.url)).toEqual(before);
    });
  });
}

const expectedStory = `
p-1  anna buys 2 × cup from gina for 24.00
     parcel 1 is booked
     bought, gid …
p-2  david buys 1 × teapot and 4 × cup from ben for 62.50
     parcel 2 is booked
     bought, gid …
p-3  gina buys 1 × cup and 1 × lamp from anna for 99.00
     …so every row of p-3 is as it was
     not bought: gina has not enough money
p-4  anna buys 1 × lamp and 50 × cup from carla for 70.00
     …so every row of p-4 is as it was
     not bought: the stock of cup is too low
p-5  david buys 1 × lamp and 1 × teapot from carla for 66.60
     parcel 3 is booked
     …so every row of p-5 is as it was
     not bought: this amount is always a fraud
t-1  ben gives carla 5.00, both on one shard
     given; the coordinator never heard of it
t-2  ben wants another name
     AT_UNSUPPORTED_SQL:
     an update that changes the primary key of public.wallet: delete the row and insert another one
t-3  what would Settle do with a payment?
     write: update of public.wallet
       key      owner
       sets     cents
       images   before and after
       lock     settle_undo (public.wallet, ["<owner>"])
       runs     WITH …
       undo     update public.wallet as t set "cents" = $1::integer where t."owner" = $2::text returning settle_image(t.*) as image

The same with plain pg and mysql2:
p-6  carla buys 1 × lamp from anna for 35.00
     bought, gid …
p-7  gina buys 1 × teapot and 2 × cup from david for 500.00
     not bought: gina has not enough money

wallet    shard    before     after
anna      3        100.00    111.00
ben       2         20.00     77.50
carla     2         80.00     50.00
david     1        150.00     87.50
gina      0          5.00     29.00

article            before     after
cup                    20        14
lamp                    3         2
teapot                  2         1

money before 355.00, after 355.00
purchases: p-1, p-2, p-6; parcels for: p-1, p-2, p-6
undo rows in seven databases: 0
Every row is accounted for.
`.trim();

async function databasesOf(url: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query('select datname from pg_database order by datname');
  await client.end();
  return rows;
}

test('a server that does not answer: says what to install, exits 2', async () => {
  const env = { POSTGRES_URL: 'postgres://127.0.0.1:1/x', MYSQL_URL: 'mysql://127.0.0.1:1/x' };
  const ran = await runAsUser('npx node examples/shop-at/main.ts', env);
  expect(ran.code).toBe(2);
  expect(ran.stderr).toContain('ECONNREFUSED 127.0.0.1:1');
  expect(ran.stderr).toContain('apt-get install postgresql mariadb-server');
  expect(ran.stderr).not.toMatch(/^\s+at /m);
  expect(ran.stdout).toBe('');
});
