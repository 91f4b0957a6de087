/**
 * The console is built while servers serve it: test files do so side by side, and so does whoever
 * works on it. A server between two builds once told that there was none, and tests failed by it.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scratchFolder } from '../support/settle-command.ts';

const script = join(import.meta.dirname, '..', '..', '.ci', 'build-console.ts');

/** With the times of their last change. */
function filesOf(folder: string): Readonly<Record<string, number>> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map(({ parentPath, name }) => [name, statSync(join(parentPath, name)).ctimeMs]),
  );
}

test('a build touches nothing that is as it should be, and takes away what is not', async () => {
  const folder = await scratchFolder();
  const target = join(folder.path, 'dist');
  const build = () => execFileSync(process.execPath, [script, target], { stdio: 'inherit' });
  build();
  const first = filesOf(target);
  const index = readFileSync(join(target, 'index.html'), 'utf8');
  expect(Object.keys(first)).toEqual(
    expect.arrayContaining(['index.html', 'license.md', expect.stringMatching(/^index-.*\.js$/)]),
  );

  build();
  // The same files, not others of the same name: they were there all the time.
  expect(filesOf(target)).toEqual(first);

  writeFileSync(join(target, 'index.html'), 'of a version before');
  mkdirSync(join(target, 'assets'), { recursive: true });
  writeFileSync(join(target, 'assets', 'index-before.js'), 'before');
  build();
  expect(readFileSync(join(target, 'index.html'), 'utf8')).toBe(index);
  expect(Object.keys(filesOf(target)).toSorted()).toEqual(Object.keys(first).toSorted());
  await folder.remove();
});
