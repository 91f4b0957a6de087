/** Texts of the command line, and that its reference and its completions forget no command. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { InspectedRow, UndoOfResource } from '../../client-sdk/protocol/index.ts';
import { targetText } from '../../server/cli/audit.ts';
import { completionScript } from '../../server/cli/completion.ts';
import { maskedUndo } from '../../server/cli/export.ts';
import { ageOf } from '../../server/cli/options.ts';
import { pagesOf } from '../../server/cli/pages.ts';
import { buildProgram } from '../../server/cli/program.ts';
import { startProgress } from '../../server/cli/progress.ts';
import { queryOf } from '../../server/cli/query.ts';
import { isRow, rowNameIn } from '../../server/cli/row-name.ts';
import type { Terminal } from '../../server/cli/terminal.ts';
import { ageText, nextText } from '../../server/cli/transaction-text.ts';
import { diffLines } from '../../server/cli/undo-text.ts';
import { verbsOf } from '../support/verbs.ts';

const page = readFileSync(
  join(import.meta.dirname, '..', '..', 'docs', 'reference', 'cli.md'),
  'utf8',
);

const verbs = verbsOf(buildProgram()).map((verb) => `settle ${verb}`);

test('cli.md has a line for each command, and no other', () => {
  const listed = [...page.matchAll(/^\| `(settle [a-z]+(?: [a-z]+)?)/gm)].map(([, name]) => name);
  const named = [...new Set(listed)];
  expect(named.toSorted()).toEqual(verbs.toSorted());
});

test.each([
  { limit: 1, asked: ['1 at start'], count: 1 },
  { limit: 3, asked: ['2 at start', '1 at b', '1 at c'], count: 3 },
  { limit: 9, asked: ['2 at start', '2 at b', '2 at c', '2 at d'], count: 4 },
])(
  'pages are asked for until there are $limit, or none is left',
  async ({ limit, ...expected }) => {
    const all = [
      { at: 'start', rows: [1, 2], next: 'b' },
      { at: 'b', rows: [], next: 'c' },
      { at: 'c', rows: [3, 4], next: 'd' },
      { at: 'd', rows: [], next: null },
    ];
    const asked: string[] = [];
    let count = 0;
    const pages = pagesOf({
      ...{ limit, pageMax: 2 },
      async ask(most, cursor: string | undefined) {
        const at = cursor ?? 'start';
        asked.push(`${most} at ${at}`);
        const page = all.find((each) => each.at === at);
        if (page === undefined) throw new Error(`no page at ${at}`);
        return { ...page, rows: page.rows.slice(0, most) };
      },
      read: ({ rows, next }) => ({ count: rows.length, next }),
    });
    for await (const { rows } of pages) count += rows.length;
    expect({ asked, count }).toEqual(expected);
  },
);

test('whatever asks a coordinator takes --url, --token-file and --json; a change needs a reason', () => {
  const local = /^settle (dev|server|migrate|token|demo|completion)/;
  const changes = /(retry|rollback|resolve|skip|drain)$/;
  for (const verb of verbs.filter((each) => !local.test(each))) {
    const [, noun = '', name = ''] = verb.split(' ');
    const found = buildProgram().commands.find((each) => each.name() === noun);
    const command = name === '' ? found : found?.commands.find((each) => each.name() === name);
    const options = command?.options.map(({ long }) => long) ?? [];
    expect(options, verb).toEqual(expect.arrayContaining(['--url', '--token-file', '--json']));
    const reason = command?.options.find(({ long }) => long === '--reason');
    expect(reason?.mandatory, verb).toBe(changes.test(verb) ? true : undefined);
    expect(options.includes('--dry-run'), verb).toBe(changes.test(verb));
    expect(options.includes('--yes'), verb).toBe(changes.test(verb));
  }
});

describe('completion', () => {
  test('bash finds nouns, verbs and options', () => {
    const script = completionScript('bash', buildProgram());
    const complete = (...words: string[]) => {
      const list = words.map((word) => `'${word}'`).join(' ');
      const ask = `COMP_WORDS=(settle ${list}); COMP_CWORD=${words.length}; _settle`;
      const ran = spawnSync('bash', ['-c', `${script}\n${ask}; echo "\${COMPREPLY[*]}"`]);
      return ran.stdout.toString().trim();
    };
    expect(complete('un')).toBe('undo');
    expect(complete('undo', '')).toBe('show diff resolve --help');
    expect(complete('tx', 'retry', 'g1', '--re')).toBe('--reason --resource');
    expect(complete('migrate', 'x', '--gu')).toBe('--guard');
  });

  test.each(['zsh', 'fish'] as const)('%s has every verb', (shell) => {
    const script = completionScript(shell, buildProgram());
    for (const verb of verbs) for (const word of verb.split(' ')) expect(script).toContain(word);
  });
});

test('filters become a query; what only open ones can be found by says open', () => {
  expect(queryOf({}, 0)).toEqual({});
  expect(queryOf({ olderThan: 5, youngerThan: 7 }, 10)).toEqual({
    startedAfterMs: 3,
    startedBeforeMs: 5,
  });
  expect(queryOf({ phase: 'committed', label: 'a=b' }, 0)).toEqual({
    phase: 'committed',
    label: 'a=b',
  });
  expect(queryOf({ phase: 'active' }, 0)).toEqual({ phase: 'active', outcome: 'open' });
  expect(queryOf({ error: 'x', outcome: 'committed' }, 0)).toMatchObject({ outcome: 'committed' });
  expect(queryOf({ resource: 'main' }, 0)).toEqual({ method: 'at.main', outcome: 'open' });
});

test('ages are read and written', () => {
  expect(['30s', '5m', '1.5h', '7d'].map(ageOf)).toEqual([30_000, 300_000, 5_400_000, 604_800_000]);
  for (const text of ['5', '-5m', '5 m', 'm', '5w']) expect(() => ageOf(text)).toThrow('such as');
  const times = [-5, 45_000, 720_000, 12_600_000, 400_000_000];
  expect(times.map(ageText)).toEqual(['0 s', '45 s', '12 min', '3.5 h', '4.6 d']);
  const next = [null, 0, 12_345, 720_000, 43_187_600].map((atMs) => nextText(atMs, 0));
  expect(next).toEqual(['-', 'now', 'in 12.3 s', 'in 12 min', 'in 12.0 h']);
});

test('rows are named with their schema or without, by key or by values', () => {
  const place = { table: 'public."Order"', key: '["1","a b"]' };
  for (const text of ['Order 1,a b', 'public.Order ["1","a b"]', 'public."Order"  1,a b ']) {
    expect(isRow(place, rowNameIn(text) ?? place), text).toBe(true);
  }
  for (const text of ['rder 1,a b', 'Order 1', 'other.Order 1,a b']) {
    expect(isRow(place, rowNameIn(text) ?? place), text).toBe(false);
  }
  expect(rowNameIn('Order')).toBeNull();
});

test('the target of an audit entry is short', () => {
  expect(targetText({ gids: ['g1'], branchId: 2 })).toBe('g1 branch 2');
  expect(targetText({ gids: ['g1', 'g2'], query: {} })).toBe('2 transactions');
  expect(targetText({ service: 'bank' })).toBe('bank');
  expect(targetText({ gid: 'g1', rows: [] })).toBe('g1');
  expect(targetText(null)).toBe('null');
});

const row: InspectedRow = {
  table: 'public.t',
  key: '["1"]',
  steps: 1,
  state: 'dirty',
  why: 'somebody else changed it',
  differing: ['a', 'b'],
  seen: '',
  types: {},
  before: { id: '1', a: '1', b: null, c: 'NULL' },
  after: { id: '1', a: '1', b: 'NULL', c: '' },
  current: null,
  cut: [],
  columnsLeftOut: 2,
};
const resource: UndoOfResource = {
  participant: { service: 'shop', method: 'at.bank' },
  resource: 'bank',
  branchIds: [1, 3],
  isFinished: false,
  error: null,
  rows: [row],
  rowsTotal: 1,
  dirtyTotal: 1,
  seen: '0f',
  nextCursor: null,
};

test('a diff tells apart no row, NULL, the text NULL and the empty text', () => {
  const lines = diffLines(resource, false, terminalOf([], false));
  expect(lines.map((line) => line.replaceAll(/ +/g, ' '))).toEqual([
    'shop/at.bank (branches 1, 3)',
    'rows 1, dirty 1, seen 0f',
    '',
    'public.t ["1"] dirty: somebody else changed it',
    ' COLUMN BEFORE AFTER CURRENT',
    ' id 1 1 (no row)',
    ' a 1 1 (no row)',
    ' b NULL "NULL" (no row)',
    ' c "NULL" "" (no row)',
    ' and 2 columns that are not shown',
  ]);
});

test('masked rows keep what is needed to understand them', () => {
  const [masked] = maskedUndo([resource])[0]?.rows ?? [];
  expect(masked).toMatchObject({
    key: '["1"]',
    before: { id: '***', a: '***', b: null, c: '***' },
    current: null,
  });
});

test('progress is a bar on a terminal, else a line for each tenth', () => {
  const lines: string[] = [];
  const plain = startProgress(terminalOf(lines, false), 'retry', 100);
  for (const done of [0, 5, 10, 12, 100]) plain.reach(done);
  plain.end();
  expect(lines).toEqual(['retry: 0 of 100', 'retry: 10 of 100', 'retry: 100 of 100']);
  const drawn: string[] = [];
  const bar = startProgress(terminalOf(drawn, true), 'retry', 3);
  bar.reach(1);
  bar.end();
  expect(drawn).toEqual([`redrawn retry ${'█'.repeat(10)}${'░'.repeat(20)}  33 % 1/3`, '']);
});

/** A terminal that keeps what is said. */
function terminalOf(said: string[], isTalkScreen: boolean): Terminal {
  return {
    print: (line) => void said.push(line),
    say: (line) => void said.push(line),
    paint: (_, text) => text,
    isAsking: false,
    isScreen: false,
    isTalkScreen,
    confirm: async () => false,
    redraw: (line) => void said.push(`redrawn ${line}`),
    show: (lines) => void said.push(...lines),
    width: () => 100,
  };
}
