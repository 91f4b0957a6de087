/**
 * examples/transfer-tcc as a user runs it: on servers that are named by URL, and with none that can
 * be used. What it leaves on a server that is not its own is looked at, too.
 */
import pg from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import { provide, skipSuite } from '../support/databases.ts';
import { runAsUser } from './run-as-user.ts';

const command = 'npm start --silent -w @settle/example-transfer-tcc';
const [postgres, mysql] = [await provide('postgres'), await provide('mysql')];

if (postgres.kind === 'skipped') skipSuite('examples/transfer-tcc', postgres.reason);
else if (mysql.kind === 'skipped') skipSuite('examples/transfer-tcc', mysql.reason);
else {
  describe('on PostgreSQL and MariaDB', () => {
    afterAll(async () => {
      await postgres.stop();
      await mysql.stop();
    });

    test('three are bought, three are not, and no cent is lost', async () => {
      const env = { POSTGRES_URL: postgres.url, MYSQL_URL: mysql.url };
      const before = await databasesOf(postgres.url);
      const ran = await runAsUser(command, env);
      expect(ran.code, ran.stderr + ran.stdout).toBe(0);
      const story = ran.stdout.replaceAll(/gid \S+/g, 'gid …').replace(/^.*\n\n/, '');
      expect(story.trimEnd()).toBe(expectedStory);
      expect(ran.stderr).toBe('');
      expect(await databasesOf(postgres.url)).toEqual(before);
    });
  });
}

const expectedStory = `
p-1   north/anna buys from south/carla for 30.00
     paid, gid …
p-2   south/carla buys from west/eva for 45.50
     paid, gid …
p-3   west/fritz buys from north/ben for 12.00
     paid, gid …
p-4   north/ben buys from west/eva for 999.00
     …so everything about p-4 is taken back
     not bought, REFUSED: north/ben has not enough money
p-5   west/eva buys from south/closed for 10.00
     …so everything about p-5 is taken back
     not bought, REFUSED: south/closed is closed
p-6   west/fritz buys from north/anna for 666.00
     …so everything about p-6 is taken back
     not bought, our own error: this amount is always a fraud

account        before     after   held
north/anna      100.00     70.00   0.00
north/ben        20.00     32.00   0.00
south/carla      80.00     64.50   0.00
south/closed      5.00      5.00   0.00
west/eva         50.00     95.50   0.00
west/fritz      700.00    688.00   0.00

money before 955.00, after 955.00; the shop noted: p-1 paid, p-2 paid, p-3 paid
points: north/anna 30, south/carla 45, west/fritz 12
Not a cent lost, nothing left held.`.trimStart();

async function databasesOf(url: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query('select datname from pg_database order by datname');
  await client.end();
  return rows;
}

test('a server that does not answer: says what to install, exits 2', async () => {
  const env = { POSTGRES_URL: 'postgres://127.0.0.1:1/x', MYSQL_URL: 'mysql://127.0.0.1:1/x' };
  const ran = await runAsUser('npx node examples/transfer-tcc/main.ts', env);
  expect(ran.code).toBe(2);
  expect(ran.stderr).toContain('ECONNREFUSED 127.0.0.1:1');
  expect(ran.stderr).toContain('apt-get install postgresql mariadb-server');
  expect(ran.stderr).not.toMatch(/^\s+at /m);
  expect(ran.stdout).toBe('');
});
