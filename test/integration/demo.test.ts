/**
 * `settle demo` as a user runs it: processes, shards, kills and all. What it prints last must say
 * that nothing was lost, and when it dies nothing of it stays.
 */
import { readdirSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type Ended,
  type RunningCommand,
  runCommand,
  scratchFolder,
  startCommand,
} from '../support/settle-command.ts';

let folder = '';
let remove: () => Promise<void>;

beforeEach(async () => {
  const scratch = await scratchFolder();
  folder = scratch.path;
  remove = scratch.remove;
});

afterEach(() => remove());

const runDemo = (...args: string[]): Promise<Ended> =>
  runCommand(['demo', '--json', ...args], { folder, env: { TMPDIR: folder } });
const startDemo = (...args: string[]): RunningCommand =>
  startCommand(['demo', '--json', ...args], { folder, env: { TMPDIR: folder } });
const lastLine = ({ stdout }: Ended): string => stdout.split('\n').at(-1) ?? '';

test('200 transfers: nothing is lost, within two waits a transaction and one a saga', async () => {
  const ended = await runDemo('--transfers', '200');
  expect(ended.code, ended.stderr).toBe(0);
  const report = JSON.parse(lastLine(ended));
  expect(report).toMatchObject({
    transfers: 200,
    open: 0,
    attention: 0,
    kills: 0,
    residue: 0,
    conserved: true,
    violations: 0,
    durableWaitsPerCommit: { transaction: 2, saga: 1 },
  });
  expect(report.moneyAfter).toBe(report.moneyBefore);
  expect(report.committed).toBeGreaterThan(0);
  expect(report.rolledBack).toBeGreaterThan(0);
  expect(report.committed + report.rolledBack).toBe(200);
  expect(readdirSync(folder)).toEqual([]);
});

test('300 transfers under kill -9 of every kind of process: nothing is lost', async () => {
  const ended = await runDemo('--transfers', '300', '--kill');
  expect(ended.code, ended.stderr).toBe(0);
  const report = JSON.parse(lastLine(ended));
  expect(report).toMatchObject({ open: 0, attention: 0, residue: 0, conserved: true });
  expect(report.kills).toBeGreaterThanOrEqual(6);
  for (const target of ['coordinator', 'bank-1', 'bank-2', 'bank-3', 'teller-1', 'teller-2']) {
    expect(ended.stderr).toContain(`kill -9 ${target}`);
  }
  expect(report.committed).toBeGreaterThan(0);
  expect(report.committed + report.rolledBack).toBe(300);
});

test('a log that cannot be reached: says so, exits 1, leaves nothing behind', async () => {
  const ended = await runDemo('--transfers', '10', '--log', 'postgres://127.0.0.1:1/x');
  expect(ended.code).toBe(1);
  expect(ended.stderr).toContain('coordinator ended by itself');
  expect(ended.stderr).toContain('LOG_UNAVAILABLE');
  expect(readdirSync(folder)).toEqual([]);
});

test('when it is killed itself, its processes do not go on', async () => {
  const demo = startDemo('--transfers', '1000000');
  const line = await demo.line(/coordinator at/);
  const url = /coordinator at (\S+)/.exec(line)?.[1];
  expect(await isServing(`${url}/healthz`)).toBe(true);
  demo.signal('SIGKILL');
  await demo.ended;
  await expect.poll(() => isServing(`${url}/healthz`), { timeout: 20_000 }).toBe(false);
});

async function isServing(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}
