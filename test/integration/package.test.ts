/** What is published: built by tsc into `dist`, it must run as it lies there. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const settle = join(root, 'dist', 'server', 'server', 'cli', 'main.js');

beforeAll(() => {
  execFileSync(process.execPath, [join(root, '.ci', 'build.ts')]);
});

function run(...args: readonly string[]) {
  return spawnSync(process.execPath, [settle, ...args], { encoding: 'utf8' });
}

test('the built command runs, with its migrations beside it', () => {
  expect(run('--version').stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
  const printed = run('migrate', '--print', '--log', 'postgres://127.0.0.1/none');
  expect(printed.stdout).toContain('create table');
});

test('the built demo moves money', () => {
  const demo = run('demo', '--transfers', '50', '--json');
  expect(demo.status, demo.stderr).toBe(0);
  expect(JSON.parse(demo.stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({
    transfers: 50,
    conserved: true,
  });
});

test('every export of the client is there as JavaScript and as types', async () => {
  const manifest = (await import(join(root, 'dist', 'client', 'package.json'), {
    with: { type: 'json' },
  })) as {
    default: { exports: Record<string, { types: string; default: string }> };
  };
  for (const file of Object.values(manifest.default.exports)) {
    expect(existsSync(join(root, 'dist', 'client', file.types)), file.types).toBe(true);
    await import(join(root, 'dist', 'client', file.default));
  }
});
