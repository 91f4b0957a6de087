/**
 * Random transactions on random tables of two databases of MariaDB: rolled back they have never been,
 * committed they did what the plain server does. `SETTLE_AT_CASES` sets how many (default 500),
 * `SETTLE_AT_SEED` repeats a run; the seed is printed with every failure.
 */
import mysql from 'mysql2/promise';
import { afterAll, beforeAll, it, onTestFinished } from 'vitest';
import { describeOn, type Provided } from '../support/databases.ts';
import { startMysql } from './mysql-world.ts';
import type { RandomWorld } from './random/database.ts';
import { mysqlDatabase, mysqlFailure, mysqlKind, mysqlPool } from './random/mysql-database.ts';
import type { RandomPair } from './random/mysql-tables.ts';
import { expectWorked, propertyOptions, runProperty } from './random/property.ts';
import { startCoordinator, startService } from './world.ts';

const options = propertyOptions();

/** Of the two databases. The time stands still, so that a copy is of the same time. */
const sessions = [
  'set timestamp = 1700000000.654321',
  `set timestamp = 1700000000.654321, time_zone = '-07:30',
    sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,PAD_CHAR_TO_FULL_LENGTH'`,
] as const;

const judging = `set time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES', foreign_key_checks = 0`;

/** A local commit that fails: it has changed a row by then, and its barrier row is refused. */
const lateSchema = [
  'create table late (id int primary key auto_increment)',
  `create trigger too_late before insert on settle_barrier for each row
    if new.operation = 'prepare' and new.state = 'done' then
      signal sqlstate '45000' set message_text = 'too late';
    end if`,
];

let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
beforeAll(async () => {
  coordinator = await startCoordinator();
});
afterAll(() => coordinator.stop());

await describeOn('mysql', (server) => {
  it(
    `${options.cases} random transactions, seed ${options.seed}`,
    async () => {
      const world = await startWorld(server);
      const tally = await runProperty(world, mysqlKind, options);
      await expectWorked(world, tally, options);
    },
    4 * 3_600_000,
  );
});

async function startWorld(server: Provided): Promise<RandomWorld<RandomPair>> {
  const settle = await startService(coordinator.url, 'random');
  const { url: lateUrl, pool } = await startMysql(server, lateSchema);
  // Nothing crashes here, so that nothing need be on the disk. A server of others stays as it is.
  if (server.control !== null) await pool.query('set global innodb_flush_log_at_trx_commit = 0');
  const start = async (session: string) => {
    const { url } = await startMysql(server, []);
    const plain = openPool(url, session);
    return { plain, database: mysqlDatabase(plain, openPool(url, judging)) };
  };
  const plain = [await start(sessions[0]), await start(sessions[1])] as const;
  const copies = [await start(sessions[0]), await start(sessions[1])] as const;
  const front = (from: mysql.Pool, resource: string) =>
    mysqlPool(settle.at<mysql.Pool>(from, { resource }));
  return {
    settle,
    plain: [plain[0].database, plain[1].database],
    copies: [copies[0].database, copies[1].database],
    fronts: [front(plain[0].plain, 'one'), front(plain[1].plain, 'two')],
    late: front(openPool(lateUrl, sessions[0]), 'late'),
    lateStatement: { text: 'insert into late () values ()', parameters: [] },
    failureOf: mysqlFailure,
    savepointsReplace: true,
  };
}

/** Its connections begin with this setting. */
function openPool(url: string, session: string): mysql.Pool {
  const pool = mysql.createPool({
    uri: url,
    ...{ connectionLimit: 16, charset: 'utf8mb4', dateStrings: true, maxPreparedStatements: 50 },
    ...{ supportBigNumbers: true, bigNumberStrings: true },
  });
  // Commands of a connection run in their order, so this one is first.
  pool.on('connection', (connection) => void connection.query(session));
  onTestFinished(() => pool.end());
  return pool;
}
