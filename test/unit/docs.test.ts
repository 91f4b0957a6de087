/**
 * The pages that users start with tell the truth: their TypeScript is that of the examples, their
 * commands are run by a test or named here as run by hand, their links lead somewhere, and the test
 * that a line of a crash table names is there.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { anchors, codeBlocks, links } from '../support/markdown.ts';

const root = join(import.meta.dirname, '..', '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const guides = readdirSync(join(root, 'docs', 'guides')).map((name) => `docs/guides/${name}`);
const started = ['README.md', 'docs/quickstart.md', ...guides];
const rootPages = readdirSync(root).filter((name) => name.endsWith('.md'));
const docsPages = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`);

/** Whether the lines of the block stand in the file one after another, perhaps indented. */
function isIn(file: string, block: string): boolean {
  const lines = file.split('\n');
  const wanted = block.trimEnd().split('\n');
  return lines.some((line, start) => {
    const [first = ''] = wanted;
    if (!line.endsWith(first)) return false;
    const indent = line.slice(0, line.length - first.length);
    return (
      indent.trim() === '' &&
      wanted.every((text, at) => lines[start + at] === (text === '' ? '' : indent + text))
    );
  });
}

describe.each(started)('%s', (path) => {
  test('each ts block stands in the example that it names', () => {
    for (const { info, text } of codeBlocks(read(path)).filter(({ info }) => info[0] === 'ts')) {
      const [, file = 'none'] = info;
      expect(file, text).toMatch(/^examples\/.*\.ts$/);
      expect(isIn(read(file), text), `${file} has this:\n${text}`).toBe(true);
    }
  });

  test('other blocks are sh, or say nothing of a language', () => {
    const languages = codeBlocks(read(path)).map(({ info }) => info[0] ?? 'none');
    expect(languages.filter((name) => !['ts', 'sh', 'none'].includes(name))).toEqual([]);
  });
});

test('commands that no test runs are these; test/examples/quickstart.test.ts runs the others', () => {
  const blocks = started.flatMap((path) =>
    codeBlocks(read(path))
      .filter(({ info }) => info[0] === 'sh' && info[1] === 'by-hand')
      .map(({ text }) => `${path}: ${text.trim()}`),
  );
  expect(blocks).toEqual([
    'README.md: npm install && npm run demo',
    'README.md: npm install && npm test',
    'docs/quickstart.md: npm install',
    'docs/quickstart.md: npm run settle -- dev',
    'docs/guides/at.md: npm run settle -- migrate --participant postgres://user@host/orders',
    `docs/guides/at.md: npm install libpg-query@18.1.5 pgsql-deparser@18.3.8      # for PostgreSQL
npm install @guanmingchiu/sqlparser-ts@0.62.0             # for MySQL and MariaDB`,
    `docs/guides/at.md: npm run settle -- migrate --participant postgres://user@host/orders --guard purchase --guard shop.line
npm run settle -- migrate --participant postgres://user@host/orders --unguard purchase`,
    'docs/guides/at.md: curl -sf $SETTLE_URL/v1/transactions/GID/undo',
    `docs/guides/at.md: curl -sf -X POST $SETTLE_URL/v1/transactions/GID/undo/resolve -H 'content-type: application/json' -d '{
  "resource": "wallets", "reason": "ticket 4711: the owner was renamed by hand", "dryRun": true,
  "rows": [{
    "table": "public.wallet", "key": "[\\"17\\"]", "seen": "DIGEST",
    "choice": "merge", "columns": { "cents": "before" }
  }]
}'`,
    'docs/guides/at.md: curl -sf "$SETTLE_URL/v1/resources/SERVICE/wallets/locks?order=oldest"',
    'docs/guides/tcc.md: npm run settle -- migrate --participant postgres://user@host/bank',
  ]);
});

describe.each([...rootPages, ...docsPages])('links of %s', (path) => {
  const own = links(read(path)).filter(({ target }) => !/^[a-z]+:/.test(target));

  test('lead to a file, and to a heading in it', () => {
    const dead = own.filter(({ target }) => {
      const [file = '', fragment] = target.split('#');
      const found = file === '' ? path : relative(root, join(root, dirname(path), file));
      if (!existsSync(join(root, found))) return true;
      return fragment !== undefined && !anchors(read(found)).has(fragment);
    });
    expect(dead).toEqual([]);
  });

  test('name tests by titles that they have', () => {
    const wrong = own.filter(({ text, target }) => {
      if (!/\/test\/.*\.ts$/.test(target)) return false;
      return !read(relative(root, join(root, dirname(path), target))).includes(text);
    });
    expect(wrong).toEqual([]);
  });
});

test('each picture of the console is shown somewhere, in words too, and is small', () => {
  const folder = 'docs/operations/images';
  const shown = [...rootPages, ...docsPages].flatMap((path) =>
    [...read(path).matchAll(/!\[([^\]]*)\]\(([^)]+\.png)\)/g)].map(
      ([, words = '', target = '']) => {
        expect(words.length, target).toBeGreaterThan(20);
        return relative(root, join(root, dirname(path), target));
      },
    ),
  );
  const pictures = readdirSync(join(root, folder)).map((name) => `${folder}/${name}`);
  expect([...new Set(shown)].toSorted()).toEqual(pictures.toSorted());
  const large = pictures.filter((path) => statSync(join(root, path)).size > 150 * 1024);
  expect(large).toEqual([]);
});

test('the README can be read in one go', () => {
  expect(read('README.md').split('\n').length).toBeLessThan(150);
});
