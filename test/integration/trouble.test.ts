/**
 * `settle demo --trouble` as somebody on call meets it: what broke is found and mended by the command
 * line alone, the demo says what the books say, and nothing of it stays.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TransactionSummary } from '../../client-sdk/protocol/index.ts';
import { describeOn } from '../support/databases.ts';
import {
  type Ended,
  type RunningCommand,
  runCommand,
  scratchFolder,
  startCommand,
} from '../support/settle-command.ts';

interface Report {
  readonly url: string;
  readonly folder: string;
  readonly stock: string | null;
  readonly troubles: readonly { readonly kind: string; readonly gid: string }[];
}

let folder = '';
let cleanUp: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  const scratch = await scratchFolder();
  folder = scratch.path;
  cleanUp = [scratch.remove];
});

afterEach(async () => {
  for (const step of cleanUp.toReversed()) await step();
});

/** The demo once everything is broken; it ends with the test at the latest. */
async function breakThings(env: Readonly<Record<string, string>>) {
  const demo = startCommand(['demo', '--trouble', '--json', '--port', '0'], { folder, env });
  cleanUp.push(async () => {
    demo.signal('SIGKILL');
    await demo.ended;
  });
  const report = JSON.parse(await demo.line(/^\{"url"/)) as Report;
  // First in, last out: the demo has ended by then.
  cleanUp.unshift(() => rm(report.folder, { recursive: true, force: true }));
  const settle = (...args: string[]): Promise<Ended> =>
    runCommand(args, { folder, env: { SETTLE_URL: report.url, USER: 'eve' } });
  const gidOf = (kind: string) => report.troubles.find((each) => each.kind === kind)?.gid ?? kind;
  return { demo, report, settle, gidOf };
}

async function listed(settle: (...args: string[]) => Promise<Ended>, ...filters: string[]) {
  const { stdout } = await settle('tx', 'list', '--json', ...filters);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as TransactionSummary);
}

async function stopped(demo: RunningCommand): Promise<void> {
  demo.signal('SIGINT');
  expect(await demo.ended).toMatchObject({ code: 0 });
  expect(readdirSync(folder)).toEqual([]);
}

const why = ['--reason', 'ticket 7'];

await describeOn('postgres', (server) => {
  test('three failures are found, and mended by what the commands say', async () => {
    const env = { TMPDIR: folder, SETTLE_TROUBLE_POSTGRES: server.url };
    const { demo, report, settle, gidOf } = await breakThings(env);
    const open = await listed(settle, '--outcome', 'open', '--sort', 'oldest');
    expect(open).toMatchObject([
      { gid: gidOf('poison'), phase: 'committing', attention: { reason: 'retries' } },
      { gid: gidOf('dirty'), phase: 'rollingBack', attention: { reason: 'refused' } },
      { gid: gidOf('abandoned'), phase: 'active', attention: null },
    ]);

    const poison = await settle('tx', 'explain', gidOf('poison'));
    const [, frozen = ''] = /frozen, says (\S+frozen\.txt)/.exec(poison.stdout) ?? [];
    writeFileSync(frozen, '');
    await settle('tx', 'retry', gidOf('poison'), ...why);
    await demo.line(/payout has ended, and no cent is missing/);

    expect((await settle('undo', 'diff', gidOf('dirty'))).stdout).toMatch(/shelf +A-1 +A-1 +B-7/);
    await settle('undo', 'resolve', gidOf('dirty'), '--keep', 'article kettle', ...why);
    await demo.line(/7 kettles on shelf B-7. But 10 were there/);
    const { default: pg } = await import('pg');
    const stock = new pg.Client({ connectionString: report.stock ?? '' });
    await stock.connect();
    await stock.query("update article set pieces = 10 where name = 'kettle'");
    await stock.end();
    await demo.line(/10 kettles on shelf B-7. Those that it took are back/);

    const abandoned = await settle('tx', 'show', gidOf('abandoned'), '--json');
    const { labels } = JSON.parse(abandoned.stdout) as { labels: { process: string } };
    expect(() => process.kill(Number(labels.process), 0)).toThrow('ESRCH');
    await settle('tx', 'rollback', gidOf('abandoned'), ...why);
    await demo.line(/All is mended/);
    expect(await listed(settle, '--outcome', 'open')).toEqual([]);
    expect(await settle('audit', 'verify')).toMatchObject({ code: 0 });
    await stopped(demo);
  });
});

test('without PostgreSQL it says so, breaks two, and tells of money that a skip leaves behind', async () => {
  const env = { TMPDIR: folder, SETTLE_TROUBLE_POSTGRES: 'postgres://127.0.0.1:1/none' };
  const { demo, report, settle, gidOf } = await breakThings(env);
  await demo.line(/^ONE OF THE THREE FAILURES IS MISSING/);
  await demo.line(/SETTLE_TROUBLE_POSTGRES is of no use: connect ECONNREFUSED/);
  expect(report).toMatchObject({ stock: null, troubles: [{ kind: 'poison' }, {}] });
  await settle('branch', 'skip', gidOf('poison'), '2', ...why);
  await demo.line(/42\.00 are in no wallet/);
  const wallets = new DatabaseSync(join(report.folder, 'wallets.db'));
  wallets.exec("update account set cents = cents + 4200 where account = 'zoe'");
  wallets.close();
  await demo.line(/no cent is missing/);
  await settle('tx', 'rollback', gidOf('abandoned'), ...why);
  await demo.line(/All is mended/);
  await stopped(demo);
});

test('killed itself, it leaves no server behind', async () => {
  // Where the programs of PostgreSQL are installed, one of them is its own.
  const { demo, report } = await breakThings({});
  const ports = [report.url, report.stock].flatMap((url) =>
    url === null ? [] : new URL(url).port,
  );
  for (const port of ports) expect(await isTaken(port)).toBe(true);
  demo.signal('SIGKILL');
  await demo.ended;
  for (const port of ports) {
    await expect.poll(() => isTaken(port), { timeout: 20_000 }).toBe(false);
  }
});

test('options of the other demo are refused', async () => {
  const ended = await runCommand(['demo', '--trouble', '--kill'], { folder });
  expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('--kill') });
});

function isTaken(port: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
