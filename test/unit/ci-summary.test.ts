/** The closing line of a CI run: what it counts as failed, and with which exit code it ends. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const program = join(import.meta.dirname, '..', '..', '.ci', 'summary.ts');
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'settle-ci-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A file of tests that ended in these ways, as vitest reports it. */
function fileOf(...statuses: readonly string[]) {
  const assertionResults = statuses.map((status, at) => ({ status, fullName: `test ${at}` }));
  return { name: 'some.test.ts', assertionResults };
}

type Files = readonly ReturnType<typeof fileOf>[];

/** The closing line, and the exit code. `files` null: vitest has written no report. */
function closing(files: Files | null, success = true, proofs: object | null = null) {
  const paths = ['tests.json', 'proofs.json'].map((name) => join(folder, name));
  const written = [files && { success, testResults: files }, proofs ?? { passed: 7, failed: 0 }];
  paths.forEach((path, at) => {
    rmSync(path, { force: true });
    if (written[at] !== null) writeFileSync(path, JSON.stringify(written[at]));
  });
  const { stdout, status } = spawnSync(process.execPath, [program, ...paths], { encoding: 'utf8' });
  return [stdout.trimEnd().split('\n').at(-1), status];
}

test('all have passed', () => {
  expect(closing([fileOf('passed', 'passed'), fileOf('passed')])).toEqual([
    '10 passed, 0 failed',
    0,
  ]);
});

test.each(['failed', 'skipped', 'todo', 'pending', 'disabled'])('one is %s: failed', (status) => {
  expect(closing([fileOf('passed', status)])).toEqual(['8 passed, 1 failed', 1]);
});

test('a file in which nothing ran, however its suite is called: failed', () => {
  expect(closing([fileOf('passed'), fileOf()])).toEqual(['8 passed, 1 failed', 1]);
});

test('an error outside of any test: failed', () => {
  expect(closing([fileOf('passed')], false)).toEqual(['8 passed, 1 failed', 1]);
});

test('a proof that does not hold: failed', () => {
  const proofs = { passed: 5, failed: 2 };
  expect(closing([fileOf('passed')], true, proofs)).toEqual(['6 passed, 2 failed', 1]);
});

test('no report, or no test in it: failed', () => {
  expect(closing(null)).toEqual(['7 passed, 1 failed', 1]);
  expect(closing([])).toEqual(['7 passed, 1 failed', 1]);
});
