/** The command line as its user meets it: real processes, real signals, real exit codes. */
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type Ended,
  type RunningCommand,
  runCommand,
  scratchFolder,
  startCommand,
  startServerCommand,
} from '../support/settle-command.ts';

let folder = '';
let cleanUp: (() => Promise<void> | void)[] = [];

beforeEach(async () => {
  const scratch = await scratchFolder();
  folder = scratch.path;
  cleanUp = [scratch.remove];
});

afterEach(async () => {
  for (const step of cleanUp.toReversed()) await step();
});

const run = (...args: string[]) => runCommand(args, { folder });

function kept<T extends RunningCommand>(command: T): T {
  cleanUp.push(async () => {
    command.signal('SIGKILL');
    await command.ended;
  });
  return command;
}

const startServer = async (...args: string[]) => kept(await startServerCommand(args, { folder }));

async function post(url: string, body?: unknown): Promise<Record<string, unknown>> {
  const answer = await fetch(url, {
    method: 'POST',
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return (await answer.json()) as Record<string, unknown>;
}

function expectFailure(ended: Ended, code: number, name: string): void {
  expect(ended.stderr).toMatch(new RegExp(`^settle: ${name}: .+\\.$`, 'm'));
  expect(ended.stderr).not.toMatch(/^\s+at /m);
  expect(ended.stderr.split('\n')).toHaveLength(1);
  expect(ended.code).toBe(code);
}

describe('settle server', () => {
  test('serves, stops on SIGTERM with exit code 0, and goes on where it was', async () => {
    const first = await startServer();
    expect((await fetch(`${first.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${first.url}/readyz`)).status).toBe(200);
    await post(`${first.url}/v1/transactions`, { gid: 'g1', name: 'kept', timeoutMs: 60_000 });
    first.signal('SIGTERM');
    expect(await first.ended).toMatchObject({ code: 0 });

    const second = await startServer();
    const answer = await fetch(`${second.url}/v1/transactions/g1`);
    expect(await answer.json()).toMatchObject({ gid: 'g1', name: 'kept', phase: 'active' });
    expect(await post(`${second.url}/v1/transactions/g1/commit`)).toMatchObject({
      phase: 'committed',
    });
  });

  test('a taken port stops the second server and leaves the first its term', async () => {
    const first = await startServer();
    const second = await run('server', '--port', new URL(first.url).port);
    expectFailure(second, 1, 'PORT_TAKEN');
    expect(await post(`${first.url}/v1/transactions`, { gid: 'g1' })).toMatchObject({ gid: 'g1' });
  });

  test('a second server on the same log ends the first with exit code 75', async () => {
    const first = await startServer();
    const second = await startServer();
    await post(`${first.url}/v1/transactions`, { gid: 'g1' });
    const ended = await first.ended;
    expectFailure(ended, 75, 'FENCED');
    expect(await post(`${second.url}/v1/transactions`, { gid: 'g2' })).toMatchObject({ gid: 'g2' });
  });

  test('a second signal ends it at once, with work in flight', async () => {
    const silent = await listenSilently();
    const server = await startServer('--allow-callback', silent.origin, '--stop-grace', '1h');
    const branch = { participant: { url: `${silent.origin}/a` } };
    await post(`${server.url}/v1/transactions`, { gid: 'g1', branches: [branch] });
    await post(`${server.url}/v1/transactions/g1/commit`, { wait: 'decided' });
    await silent.asked;
    server.signal('SIGTERM');
    await server.line(/once more to stop at once/);
    server.signal('SIGTERM');
    expect(await server.ended).toMatchObject({ code: 1 });
  });

  test('a log that cannot be written to', async () => {
    // A path below a file: nobody can make a folder there, root included.
    writeFileSync(join(folder, 'file'), '');
    const ended = await run('server', '--port', '0', '--log', 'sqlite:file/settle.db');
    expectFailure(ended, 1, 'LOG_NOT_WRITABLE');
  });

  test('a schema newer than the server', async () => {
    await run('migrate', '--log', 'sqlite:new.db');
    const database = new DatabaseSync(join(folder, 'new.db'));
    database.exec(
      `insert into settle_schema (set_name, number, name, is_breaking, applied_at_ms)
       values ('coordinator', 9999, '9999_future', 1, 0)`,
    );
    database.close();
    const ended = await run('server', '--port', '0', '--log', 'sqlite:new.db');
    expectFailure(ended, 1, 'SCHEMA_NEWER');
  });

  test('a schema that is missing, when it may not migrate', async () => {
    const env = { SETTLE_MIGRATE: 'false' };
    const ended = await runCommand(['server', '--port', '0'], { folder, env });
    expectFailure(ended, 1, 'SCHEMA_MISSING');
  });
});

describe('settings that cannot be used', () => {
  test('flag, environment and file are all named, and no password is shown', async () => {
    writeFileSync(join(folder, 'settle.config.json'), '{"logLevel":"loud","colour":"red"}');
    const env = { SETTLE_LOG: 'redis://u:topsecret@h/0' };
    const ended = await runCommand(['server', '--port', '65536'], { folder, env });
    expectFailure(ended, 2, 'INVALID_CONFIG');
    for (const part of ['flag --port', 'env SETTLE_LOG', 'logLevel', 'colour']) {
      expect(ended.stderr).toContain(part);
    }
    expect(ended.stderr).not.toContain('topsecret');
  });

  test('an address that is not ours', async () => {
    expectFailure(await run('server', '--host', '192.0.2.1', '--port', '0'), 2, 'INVALID_CONFIG');
  });

  test.each([
    [['server', '--prot', '1'], /unknown option '--prot'.*\n.*--port/],
    [['serve'], /unknown command 'serve'.*\n.*server/],
    [['tx', 'lst'], /unknown command 'lst'.*\n.*list/],
    [['tx', 'show'], /missing required argument 'gid'/],
    [['tx', 'list', '--limit', '0'], /--limit.*whole number/],
    [['tx', 'list', '--outcome', 'lost'], /Allowed choices are open, committed, rolledBack/],
  ])('%j', async (args, message) => {
    const ended = await run(...args);
    expect(ended.stderr).toMatch(message);
    expect(ended.code).toBe(2);
    expect(ended.stdout).toBe('');
  });
});

describe('settle dev', () => {
  test('needs nothing, and says what to do next', async () => {
    const dev = kept(startCommand(['dev', '--port', '0'], { folder }));
    const line = await dev.line(/Settle listens on/);
    const url = /http:\S+(?=,)/.exec(line)?.[0] ?? '';
    await dev.line(/Stop with Ctrl-C/);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    dev.signal('SIGINT');
    const ended = await dev.ended;
    expect(ended.code).toBe(0);
    expect(ended.stdout.match(/^ {5}curl /gm)).toHaveLength(3);
    expect(ended.stdout).not.toContain('\u001b');
  });
});

describe('settle migrate', () => {
  test('applies once, says so, and is safe to repeat', async () => {
    const first = await run('migrate', '--log', 'sqlite:a.db');
    expect(first).toMatchObject({
      code: 0,
      stdout: 'applied 0001_log\napplied 0002_open_transaction\napplied 0003_label',
    });
    const second = await run('migrate', '--log', 'sqlite:a.db');
    expect(second).toMatchObject({ code: 0, stdout: '', stderr: 'sqlite:a.db is up to date.' });
  });

  test("makes a participant's tables, and prints SQL without connecting", async () => {
    const barrier = await run('migrate', '--participant', 'sqlite:b.db');
    expect(barrier).toMatchObject({
      code: 0,
      stdout: 'applied 0001_barrier\napplied 0002_undo\napplied 0003_look',
    });
    const printed = await run('migrate', '--participant', 'mysql://nobody@192.0.2.1/x', '--print');
    expect(printed.code).toBe(0);
    expect(printed.stdout).toMatch(/create table.*settle_barrier/is);
  });

  test('wants to know where', async () => {
    expectFailure(await run('migrate'), 2, 'INVALID_CONFIG');
  });
});

describe('settle tx', () => {
  test('lists and shows, as tables and as JSON', async () => {
    const { url } = await startServer();
    for (const gid of ['g1', 'g2', 'g3']) {
      await post(`${url}/v1/transactions`, { gid, name: 'transfer', labels: { shop: 'x' } });
    }
    await post(`${url}/v1/transactions/g1/commit`);
    const participant = { service: 'bank', method: 'debit' };
    await post(`${url}/v1/transactions/g2/branches`, { request: 'r', branches: [{ participant }] });

    const table = await run('tx', 'list', '--url', url);
    expect(table.stdout).toMatch(/^GID +MODE +NAME +PHASE/);
    expect(table.stdout).toMatch(/^g1 +transaction +transfer +committed +2/m);
    expect(table.stdout).not.toContain('\u001b');
    const lines = await run('tx', 'list', '--url', url, '--json', '--outcome', 'open');
    const gids = lines.stdout.split('\n').map((line) => JSON.parse(line).gid);
    expect(gids.toSorted()).toEqual(['g2', 'g3']);
    const cut = await run('tx', 'list', '--url', url, '--json', '--limit', '1');
    expect(cut.stdout.split('\n')).toHaveLength(1);
    expect(cut.stderr).toMatch(/There are more: --cursor \S+/);

    const shown = await run('tx', 'show', 'g2', '--url', url);
    expect(shown.stdout).toMatch(/^phase +active$/m);
    expect(shown.stdout).toMatch(/^labels +shop=x$/m);
    expect(shown.stdout).toMatch(/^└─ 1 +tcc +bank\/debit +registered/m);
    const json = await runCommand(['tx', 'show', 'g1', '--json'], {
      folder,
      env: { SETTLE_URL: url },
    });
    expect(JSON.parse(json.stdout)).toMatchObject({ gid: 'g1', phase: 'committed' });
  });

  test('shows the records of one that this version cannot read, and that it cannot', async () => {
    const first = await startServer();
    await post(`${first.url}/v1/transactions`, { gid: 'g1', timeoutMs: 3_600_000 });
    first.signal('SIGTERM');
    await first.ended;
    const log = new DatabaseSync(join(folder, '.settle', 'settle.db'));
    log.exec(`update transaction_log set records = replace(records, '"begun"', '"begunAnew"')`);
    log.close();
    const { url } = await startServer();
    const shown = await run('tx', 'show', 'g1', '--url', url);
    expectFailure(shown, 1, 'INTERNAL');
    expect(shown.stdout).toMatch(/begunAnew +a record that this version does not know/);
    const json = await run('tx', 'show', 'g1', '--url', url, '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({
      gid: 'g1',
      timeline: [{ kind: 'begunAnew' }],
    });
  });

  test('what is not there, what does not answer, what is no gid, what is no coordinator', async () => {
    const { url } = await startServer();
    expectFailure(await run('tx', 'show', 'nothing', '--url', url), 3, 'NOT_FOUND');
    expectFailure(await run('tx', 'show', 'a/b', '--url', url), 2, 'INVALID_REQUEST');
    expectFailure(await run('tx', 'list', '--url', 'http://127.0.0.1:1'), 6, 'UNREACHABLE');
    expectFailure(await run('tx', 'list', '--url', 'nowhere'), 2, 'INVALID_CONFIG');
  });
});

/** A participant that takes a call and never answers it. */
async function listenSilently(): Promise<{ origin: string; asked: Promise<void> }> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const server: Server = createServer(() => resolve());
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  cleanUp.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, asked: promise };
}
