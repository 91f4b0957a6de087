/** The reference pages say what the tables in the code say, row for row. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { errorTable, limits } from '../../client-sdk/protocol/index.ts';
import { version as clientVersion } from '../../client-sdk/version.ts';
import { exitCodes } from '../../server/cli/exit.ts';
import { version } from '../../server/version.ts';

const root = join(import.meta.dirname, '..', '..');
const page = (name: string) => readFileSync(join(root, 'docs', 'reference', name), 'utf8');

/** Cells of the table rows whose first cell is code. The padding of columns is the formatter's. */
function rowsOf(text: string): readonly (readonly string[])[] {
  return text
    .split('\n')
    .filter((line) => /^\| (<a id="\w+"><\/a>)?`/.test(line))
    .map((line) => line.split(/\s*\|(?:\s+|$)/).slice(1, -1));
}

test('errors.md has a line for each code, equal to the table', () => {
  const expected = Object.entries(errorTable).map(([code, entry]) => [
    `<a id="${code}"></a>\`${code}\``,
    String(entry.status),
    entry.retryable ? 'yes' : 'no',
    entry.title,
    entry.remedy,
  ]);
  expect(rowsOf(page('errors.md'))).toEqual(expected);
});

test('limits.md has a line for each limit, with its value', () => {
  const shown = rowsOf(page('limits.md')).map(([name, value]) => [name, value]);
  const expected = Object.entries(limits).map(([name, value]) => [
    `\`${name}\``,
    typeof value === 'number' ? String(value) : `\`${value}\``,
  ]);
  expect(shown).toEqual(expected);
});

test('cli.md lists the exit codes', () => {
  const shown = [...page('cli.md').matchAll(/^\| (\d+) +\| (\w+) +\|/gm)].map(([, code, name]) => [
    name,
    Number(code),
  ]);
  expect(Object.fromEntries(shown)).toEqual(exitCodes);
});

test('the version is that of the package', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'server', 'package.json'), 'utf8'));
  expect(manifest).toMatchObject({ version });
  const client = JSON.parse(readFileSync(join(root, 'client-sdk', 'package.json'), 'utf8'));
  expect(client).toMatchObject({ version: clientVersion });
});
