/**
 * Every `sh` block of the README, the quickstart and the guides that is not marked `by-hand`, as it
 * stands there, beside a `settle dev`. (The examples have tests of their own, which look at what
 * they print; their commands are run there.)
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { codeBlocks } from '../support/markdown.ts';
import { type RunningCommand, scratchFolder, startCommand } from '../support/settle-command.ts';
import { runAsUser } from './run-as-user.ts';

const root = join(import.meta.dirname, '..', '..');
const guides = readdirSync(join(root, 'docs', 'guides')).map((name) => `docs/guides/${name}`);
const commands = ['README.md', 'docs/quickstart.md', ...guides].flatMap((path) =>
  codeBlocks(readFileSync(join(root, path), 'utf8'))
    .filter(({ info }) => info.length === 1 && info[0] === 'sh')
    .map(({ text }) => text.trim()),
);
/** Command → what it must have printed; null: run, and its story compared, by the file named. */
const prints: Readonly<Record<string, RegExp | null>> = {
  'npm run demo': /Ledger check: holds/,
  'npm run demo -- --kill': /Ledger check: holds/,
  'npm start -w @settle/example-quickstart':
    /moved 300\nREFUSED: .*anna has not enough money[\s\S]*'anna' │ 700[\s\S]*'ben' +│ 1300/,
  'npm run settle -- tx list': /transfer +rolledBack[\s\S]*transfer +committed/,
  // shop-at.test.ts, transfer-tcc.test.ts, trip-saga.test.ts
  'npm start -w @settle/example-shop-at': null,
  'npm start -w @settle/example-transfer-tcc': null,
  'npm start -w @settle/example-trip-saga': null,
};

let folder = '';
let url = '';
let coordinator: RunningCommand;
let remove: () => Promise<void>;

beforeAll(async () => {
  const scratch = await scratchFolder();
  folder = scratch.path;
  remove = scratch.remove;
  coordinator = startCommand(['dev', '--port', '0'], { folder });
  url = /on (\S+?),/.exec(await coordinator.line(/Settle listens on/))?.[1] ?? '';
});

afterAll(async () => {
  coordinator.signal('SIGTERM');
  await coordinator.ended;
  await remove();
});

test('the blocks are those that are known here', () => {
  expect([...new Set(commands)].sort()).toEqual(Object.keys(prints).sort());
});

const runHere = Object.entries(prints).flatMap(([command, expected]) =>
  expected === null ? [] : [[command, expected] as const],
);

test.each(runHere)('%s', async (command, expected) => {
  const ran = await runAsUser(command, { SETTLE_URL: url, TMPDIR: folder });
  expect(ran.code, ran.stderr + ran.stdout).toBe(0);
  expect(ran.stdout).toMatch(expected);
});
