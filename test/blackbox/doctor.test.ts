/**
 * `settle doctor` as an operator runs it, against real coordinators and databases that are broken on
 * purpose: each fault is found under its check, and the remedy names what heals it.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connect } from '../../client-sdk/index.ts';
import type { Finding } from '../../client-sdk/protocol/index.ts';
import { mysqlExecutor, postgresExecutor } from '../../migrations/executor.ts';
import { loadMigrations, migrate } from '../../migrations/runner.ts';
import { coordinatorClock } from '../../server/cli/doctor-clock.ts';
import { exitCodes } from '../../server/cli/exit.ts';
import { examineLog } from '../../server/log/examine.ts';
import { migrateLog } from '../../server/log/schema.ts';
import { systemClock } from '../../server/runtime/clock.ts';
import { describeOn, describeOnOwn, skipSuite } from '../support/databases.ts';
import { runCommand, scratchFolder, startServerCommand } from '../support/settle-command.ts';

interface Visit {
  readonly code: number | null;
  readonly findings: readonly Finding[];
}

async function visit(...args: readonly string[]): Promise<Visit> {
  const folder = await scratch();
  const { code, stdout, stderr } = await runCommand(['doctor', '--json', ...args], { folder });
  expect(stderr).toMatch(/^problems: \d+, notes: \d+, in order: \d+$/);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return { code, findings: lines.map((line) => JSON.parse(line) as Finding) };
}

async function scratch(): Promise<string> {
  const folder = await scratchFolder();
  onTestFinished(() => folder.remove());
  return folder.path;
}

/** A coordinator that ends with the test. */
async function serve(folder: string, ...args: readonly string[]) {
  const server = await startServerCommand(args, { folder });
  onTestFinished(async () => {
    server.signal('SIGKILL');
    await server.ended;
  });
  return server;
}

async function post(url: string, body: object): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const reply = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  expect(reply.ok, await reply.text()).toBe(true);
}

function expectFound(
  { code, findings }: Visit,
  check: string,
  words: { readonly seen: RegExp; readonly remedy: RegExp; readonly level?: Finding['level'] },
): void {
  const own = findings.filter((one) => one.check === check && one.level !== 'ok');
  const { seen, remedy, level = 'problem' } = words;
  const found = own.find((one) => seen.test(one.seen));
  expect(found, JSON.stringify(own)).toMatchObject({ level });
  expect(found?.remedy).toMatch(remedy);
  if (level === 'problem') expect(code).toBe(exitCodes.found);
}

describe('a coordinator with an embedded log', () => {
  test('in good health it is let go with 0', async () => {
    const server = await serve(await scratch());
    const { code, findings } = await visit('--url', server.url);
    const problems = findings.filter(({ level }) => level === 'problem');
    // A machine that is busy enough is slow, and the doctor says so.
    expect(problems.filter(({ check }) => check !== 'log.latency')).toEqual([]);
    expect(code).toBe(problems.length === 0 ? exitCodes.ok : exitCodes.found);
    const checks = new Set(findings.map(({ check }) => check));
    expect([...checks].toSorted()).toEqual([
      ...['access.open', 'audit.chain', 'callbacks.closed', 'clock.here', 'log.latency'],
      ...['log.reach', 'log.replication', 'log.schema', 'participant.silent'],
      ...['transactions.attention', 'transactions.old'],
    ]);
  });

  test('for people: what is worst comes first, each with its remedy', async () => {
    const server = await serve(await scratch(), '--log', 'memory:');
    const { code, stdout } = await runCommand(['doctor', '--url', server.url], {
      folder: await scratch(),
    });
    expect(code).toBe(exitCodes.found);
    expect(stdout).toMatch(/^problem {2}log\.replication: .*memory.*\n {9}→ Start with --log/);
  });

  test('nobody there is no finding: exit code 6', async () => {
    const folder = await scratch();
    const { code, stderr } = await runCommand(['doctor', '--url', 'http://127.0.0.1:9'], {
      folder,
    });
    expect([code, stderr]).toEqual([exitCodes.unreachable, expect.stringContaining('UNREACHABLE')]);
  });

  test('a service that open transactions wait for is not connected', async () => {
    const server = await serve(await scratch());
    const participant = { service: 'bank', method: 'debit' };
    await post(`${server.url}/v1/transactions`, { gid: 'g1', branches: [{ participant }] });
    expectFound(await visit('--url', server.url), 'participant.silent', {
      seen: /Service bank is not connected \(bank\/debit: open transactions that wait for it: 1,/,
      remedy: /Start bank/,
    });
  });

  test('it is connected, and does not offer the method any more', async () => {
    const server = await serve(await scratch());
    const participant = { service: 'bank', method: 'debit' };
    await post(`${server.url}/v1/transactions`, { gid: 'g1', branches: [{ participant }] });
    const settle = await connect({ url: server.url, service: 'bank' });
    onTestFinished(() => settle.close());
    await settle.ready();
    expectFound(await visit('--url', server.url), 'participant.silent', {
      seen: /is connected, but nobody offers bank\/debit/,
      remedy: /Deploy a version of bank that offers debit/,
    });
  });

  test('an HTTP participant may not be called any more', async () => {
    const folder = await scratch();
    const origin = 'http://127.0.0.1:9';
    const first = await startServerCommand(['--allow-callback', origin], { folder });
    const participant = { url: `${origin}/debit` };
    await post(`${first.url}/v1/transactions`, { gid: 'g1', branches: [{ participant }] });
    first.signal('SIGKILL');
    await first.ended;
    const server = await serve(folder);
    expectFound(await visit('--url', server.url), 'callbacks.closed', {
      seen: /Open transactions wait for http:\/\/127\.0\.0\.1:9 .*the allow-list is empty/,
      remedy: /--allow-callback http:\/\/127\.0\.0\.1:9/,
    });
  });

  test('an address is called over the network without TLS', async () => {
    const server = await serve(await scratch(), '--allow-callback', 'http://10.0.0.5:8080');
    expectFound(await visit('--url', server.url), 'callbacks.plain', {
      seen: /http:\/\/10\.0\.0\.5:8080/,
      remedy: /https/,
      level: 'note',
    });
  });

  test('it lets everybody in from elsewhere', async () => {
    // 127.0.0.1 in a spelling that is not taken for loopback: nobody else can reach it here.
    const server = await serve(await scratch(), '--host', '2130706433', '--allow-anonymous');
    const { port } = new URL(server.url);
    expectFound(await visit('--url', `http://127.0.0.1:${port}`), 'access.open', {
      seen: /no token is needed/,
      remedy: /settle token .*--tokens FILE/,
    });
  });

  test('an entry of the audit was changed, seen with and without a coordinator', async () => {
    const folder = await scratch();
    const first = await startServerCommand([], { folder });
    await post(`${first.url}/v1/transactions`, { gid: 'g1' });
    const operation = { action: 'rollback', gids: ['g1'], reason: 'ticket 7' };
    await post(`${first.url}/v1/operations`, operation);
    first.signal('SIGTERM');
    await first.ended;
    const file = join(folder, '.settle', 'settle.db');
    const database = new DatabaseSync(file);
    database.exec(`update transaction_log set records = replace(records, 'ticket 7', 'ticket 8')
      where gid like 'settle.audit.%' and seq = 1`);
    database.close();
    const words = { seen: /Entry 1 of the audit/, remedy: /compare with a backup/ };
    expectFound(await visit('--log', `sqlite:${file}`), 'audit.chain', words);
    const server = await serve(folder);
    expectFound(await visit('--url', server.url), 'audit.chain', words);
  });

  test('there is no file', async () => {
    const file = join(await scratch(), 'gone.db');
    expectFound(await visit('--log', `sqlite:${file}`), 'log.reach', {
      seen: /There is no file/,
      remedy: /settle migrate/,
    });
  });

  test('its clock is not that of who asks', async () => {
    const server = await serve(await scratch());
    const late = { ...systemClock(), nowMs: () => Date.now() - 600_000 };
    const findings = [await coordinatorClock(server.url, late)];
    expectFound({ code: exitCodes.found, findings }, 'clock.here', {
      seen: /(599|600|601)\.\d s ahead of this one/,
      remedy: /chrony/,
    });
    expect(await coordinatorClock(server.url, systemClock())).toMatchObject({ level: 'ok' });
  });
});

describe('certificates of callbacks', async () => {
  const openssl = await promisify(execFile)('openssl', ['version']).catch(() => null);
  if (openssl === null) return skipSuite('certificates', 'no openssl on this machine');

  test('one that ends in three days', async () => {
    const folder = await scratch();
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    await promisify(execFile)('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '3', '-subj', '/CN=bank'],
      ...['-keyout', key, '-out', cert],
    ]);
    const bank = createServer({ key: readFileSync(key), cert: readFileSync(cert) });
    await new Promise<void>((done) => bank.listen(0, '127.0.0.1', done));
    onTestFinished(() => void bank.close());
    const origin = `https://127.0.0.1:${(bank.address() as AddressInfo).port}`;
    const server = await serve(folder, '--allow-callback', origin);
    expectFound(await visit('--url', server.url), 'callbacks.certificate', {
      seen: /ends on \d{4}-\d\d-\d\d, in 2 days/,
      remedy: /Renew/,
    });
  });
});

await describeOnOwn('postgres', (server) => {
  test.each([
    ['fsync', 'off', 'log.fsync', /fsync is off/, /fsync = on/],
    ['full_page_writes', 'off', 'log.pages', /torn pages/, /full_page_writes = on/],
    ['synchronous_standby_names', 'nobody', 'log.replication', /waits for ever/, /standby/],
  ])('%s = %s', async (setting, value, check, seen, remedy) => {
    const log = await server.newDatabase();
    await migrateLog(log);
    const client = new pg.Client(server.url);
    await client.connect();
    try {
      await client.query(`alter system set ${setting} = ${value}`);
      await reload(client, setting, value);
      expectFound(await visit('--log', log), check, { seen, remedy });
    } finally {
      await client.query(`alter system reset ${setting}`);
      await client.query('select pg_reload_conf()');
      await client.end();
    }
  });

  /** A signal to the server: it is taken when the setting shows. */
  async function reload(client: pg.Client, setting: string, value: string): Promise<void> {
    await client.query('select pg_reload_conf()');
    for (;;) {
      const { rows } = await client.query('select current_setting($1) as now', [setting]);
      if (rows[0]?.now === value) return;
    }
  }

  test.each([
    ['synchronous_commit = off', 'log.commit', /is off/, /synchronous_commit = on/, 'note'],
    ['default_transaction_read_only = on', 'log.readonly', /nothing can be/, /= off/, 'problem'],
  ] as const)('of the database: %s', async (setting, check, seen, remedy, level) => {
    const log = await server.newDatabase();
    await migrateLog(log);
    await onPostgres(server.url, `alter database "${nameOf(log)}" set ${setting}`);
    expectFound(await visit('--log', log), check, { seen, remedy, level });
  });

  test('the schema is that of an older version', async () => {
    const log = await server.newDatabase();
    const client = new pg.Client(log);
    await client.connect();
    const set = await loadMigrations('coordinator', 'postgres');
    await migrate(postgresExecutor(client), { ...set, migrations: set.migrations.slice(0, 1) });
    await client.end();
    expectFound(await visit('--log', log), 'log.schema', {
      seen: /behind: 0002_/,
      remedy: /settle migrate --log URL/,
    });
  });

  test('the clock of its machine is ahead', async () => {
    const log = await server.newDatabase();
    await migrateLog(log);
    const late = { ...systemClock(), nowMs: () => Date.now() - 600_000 };
    const findings = await examineLog(log, late);
    expectFound({ code: exitCodes.found, findings }, 'clock.log', {
      seen: /(599|600|601)\.\d s .* ahead of/,
      remedy: /chrony/,
    });
  });

  test('nothing is left of the look, and what is in order says so with figures', async () => {
    const log = await server.newDatabase();
    await migrateLog(log);
    const { findings } = await visit('--log', log);
    const seenOf = (check: string) => findings.find((one) => one.check === check)?.seen;
    expect(seenOf('log.latency')).toMatch(/takes [\d.]+ ms \(median of 6, longest [\d.]+ ms\)/);
    expect(seenOf('log.fsync')).toBe('fsync is on.');
    expect(seenOf('log.prepared')).toBe('max_prepared_transactions is 64.');
    expect(seenOf('log.replication')).toMatch(/No standby .* not the loss of its disk/);
    const rows = await onPostgres(log, `select 1 from settle_schema where set_name = 'doctor'`);
    expect(rows).toEqual([]);
  });

  test('a participant has no undo table', async () => {
    const coordinator = await serve(await scratch());
    const pool = new pg.Pool({ connectionString: await server.newDatabase() });
    const settle = await connect({ url: coordinator.url, service: 'shop' });
    settle.at(pool, { resource: 'orders' });
    await settle.ready();
    const missing = await visit('--url', coordinator.url);
    const set = await loadMigrations('participant', 'postgres');
    const client = await pool.connect();
    await migrate(postgresExecutor(client), set);
    client.release();
    const healed = await visit('--url', coordinator.url);
    await settle.close();
    await pool.end();
    expectFound(missing, 'participant.tables', {
      seen: /shop\/orders has no table settle_undo/,
      remedy: /settle migrate --participant/,
    });
    const tables = healed.findings.filter(({ check }) => check === 'participant.tables');
    expect(tables.map(({ level, seen }) => [level, seen])).toEqual([
      ['ok', expect.stringMatching(/^shop\/orders: settle_undo has 0 rows, 0\.0 MiB\.$/)],
      ['ok', expect.stringMatching(/^shop\/orders: settle_barrier has 0 rows, 0\.0 MiB\.$/)],
    ]);
  });
});

async function onPostgres(url: string, sql: string): Promise<readonly unknown[]> {
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query(sql);
  await client.end();
  return rows;
}

function nameOf(url: string): string {
  return new URL(url).pathname.slice(1);
}

await describeOnOwn('mysql', (server) => {
  test.each([
    ['innodb_flush_log_at_trx_commit', '2', 'log.fsync', /last second/, /trx_commit = 1/],
    [
      'max_allowed_packet',
      '1048576',
      'log.packet',
      /1048576 bytes/,
      /max_allowed_packet = 16777216/,
    ],
    ['read_only', '1', 'log.readonly', /read_only is on/, /primary/],
  ])('%s = %s', async (setting, value, check, seen, remedy) => {
    const log = await server.newDatabase();
    await migrateLog(log);
    const connection = await mysql.createConnection(server.url);
    const [rows] = await connection.query(`select @@global.${setting} as was`);
    const [{ was } = { was: 0 }] = rows as { was: number }[];
    try {
      await connection.query(`set global ${setting} = ${value}`);
      expectFound(await visit('--log', log), check, { seen, remedy });
    } finally {
      await connection.query(`set global ${setting} = ${was}`);
      await connection.end();
    }
  });
});

await describeOn('mysql', (server) => {
  test('a participant on it has no undo table, then it has', async () => {
    const coordinator = await serve(await scratch());
    const url = await server.newDatabase();
    const pool = mysql.createPool(url);
    const settle = await connect({ url: coordinator.url, service: 'store' });
    settle.at(pool, { resource: 'stock' });
    await settle.ready();
    const missing = await visit('--url', coordinator.url);
    const connection = await mysql.createConnection(url);
    await migrate(mysqlExecutor(connection), await loadMigrations('participant', 'mysql'));
    await connection.end();
    const healed = await visit('--url', coordinator.url);
    await settle.close();
    await pool.end();
    expectFound(missing, 'participant.tables', {
      seen: /store\/stock has no table settle_undo/,
      remedy: /settle migrate --participant/,
    });
    const tables = healed.findings.filter(({ check }) => check === 'participant.tables');
    expect(tables.map(({ level }) => level)).toEqual(['ok', 'ok']);
  });
});
