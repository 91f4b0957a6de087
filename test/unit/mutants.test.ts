/** The list of mutants is up to date: patches apply, names are unique, the page says the same. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { attempt } from '../mutants/attempt.ts';
import { explained } from '../mutants/explained.ts';
import { killers } from '../mutants/killers.ts';
import { mutants } from '../mutants/list.ts';
import { type Mutant, plant } from '../mutants/mutant.ts';
import { mutantsPage, pagePath } from '../mutants/page.ts';
import { pathOf, patternOf, readSightings } from '../mutants/sightings.ts';
import { copyTree, root } from '../mutants/tree.ts';

const names = mutants.map((mutant) => mutant.name);

/** The bugs that must be among them, and must be found: no explanation is good enough. */
const indispensable = [
  'reply-before-durable',
  'unknown-taken-for-failed',
  'no-cas',
  'no-empty-rollback-guard',
  'no-hanging-guard',
  'no-dedupe',
  'timer-not-restored',
  'undo-in-forward-order',
  'phase-two-before-durable',
  'decision-overwritten',
  'content-hash-ignored',
  'recovery-skips-a-page',
];

describe('the list of mutants', () => {
  test.each(mutants)('$name can be planted', (mutant) => {
    const text = readFileSync(join(root, mutant.file), 'utf8');
    expect(plant(mutant, text)).toMatchObject({ ok: true });
    expect(mutant.name).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(mutant.idea).toMatch(/[^.|]$/);
  });

  test('has at least 40 of them, each once', () => {
    expect(names.length).toBeGreaterThanOrEqual(40);
    expect(new Set(names).size).toBe(names.length);
    const patches = mutants.map(({ file, find, replace }) => [file, find, replace].join('\0'));
    expect(new Set(patches).size).toBe(patches.length);
  });

  test('has the indispensable ones, and none of them may live', () => {
    expect(indispensable.filter((name) => !names.includes(name))).toEqual([]);
    expect(indispensable.filter((name) => explained[name] !== undefined)).toEqual([]);
  });

  test('explains only what is in it', () => {
    expect(Object.keys(explained).filter((name) => !names.includes(name))).toEqual([]);
  });

  test('tells of each that lives on the page about reliability', () => {
    const page = readFileSync(join(root, 'docs/reliability.md'), 'utf8');
    expect(Object.keys(explained).filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });

  test('names suites that are there', () => {
    const files = Object.values(killers).flatMap((killer) =>
      'files' in killer ? killer.files : [],
    );
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  test('has sightings only of its own, by suites that are asked, in files that are there', () => {
    for (const [name, { by, file }] of Object.entries(readSightings())) {
      const mutant = mutants.find((each) => each.name === name);
      expect(mutant?.killedBy, name).toContain(by);
      expect(existsSync(join(root, file)), file).toBe(true);
    }
  });

  test('is shown by the page; `npm run mutants -- --write-docs` makes it anew', () => {
    expect(readFileSync(join(root, pagePath), 'utf8')).toBe(mutantsPage(mutants));
  });
});

describe('a sighting', () => {
  test('fits its test wherever the server comes from, and no other', () => {
    const titles = ['on postgres (program)', 'takes (a|b) and $1'];
    expect(pathOf(titles)).toBe('on postgres (…) > takes (a|b) and $1');
    const pattern = new RegExp(patternOf(['x', pathOf(titles)]));
    expect(pattern.test(titles.join(' > '))).toBe(true);
    expect(pattern.test('on postgres (container) > takes (a|b) and $1')).toBe(true);
    expect(pattern.test('on postgres (elsewhere) > takes (a|b) and $1')).toBe(false);
    expect(pattern.test('on postgres (program) > takes a and $1')).toBe(false);
  });

  test('is asked alone, inside of suites too', async () => {
    const file = 'test/core/traces.test.ts';
    const names = ['transaction/01-commit.txt', 'saga/01-linear.txt'];
    const tests = names.map((name) => pathOf(['traces', name]));
    const tree = copyTree();
    onTestFinished(tree.remove);
    const asked = await attempt(tree.folder, 'traces', 1, { files: [file], tests });
    expect(asked).toEqual({ kind: 'passed', tests: new Set(tests) });
    const gone = await attempt(tree.folder, 'traces', 1, { files: [file], tests: ['traces > x'] });
    expect(gone).toEqual({ kind: 'absent' });
  });
});

describe('planting', () => {
  const mutant = (find: string, replace: string): Mutant => ({
    name: 'm',
    idea: 'a bug',
    file: 'f.ts',
    find,
    replace,
    killedBy: ['traces'],
  });

  test('changes one place, and takes dollar signs as they are', () => {
    expect(plant(mutant('b', '$&$1'), 'abc')).toEqual({ ok: true, text: 'a$&$1c' });
  });

  test('refuses text that is missing or ambiguous, and a patch that changes nothing', () => {
    expect(plant(mutant('x', 'y'), 'abc')).toMatchObject({ ok: false });
    expect(plant(mutant('b', 'y'), 'abcb')).toMatchObject({ ok: false });
    expect(plant(mutant('b', 'b'), 'abc')).toMatchObject({ ok: false });
  });
});
