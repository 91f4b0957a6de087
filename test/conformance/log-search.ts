/** The part of the log's suite about `search` and `find`: what the command line and the API list. */
import { expect, it } from 'vitest';
import type { Attention, Cause } from '../../client-sdk/protocol/index.ts';
import type {
  IndexRow,
  Place,
  SearchFilter,
  SearchPage,
  TransactionLog,
} from '../../server/log/log.ts';
import { beginning, following, gidsOf, indexRow, logRow, startMs } from '../support/log-rows.ts';
import type { OpenStore } from './log.ts';

const attention: Attention = {
  reason: 'retries',
  branchId: 3,
  detail: `asked "10" times; 'no' answer \\ 🏦`,
  atMs: startMs + 9,
};

/** Registers the tests inside the suite of the store. */
export function searchConformance(store: () => OpenStore): void {
  filters(store);
  pages(store);
  upserts(store);
}

async function gidsFound(log: TransactionLog, filter: Partial<SearchFilter>) {
  return (await log.search({ limit: 500, ...filter })).rows.map((row) => row.gid);
}

async function rowsFound(log: TransactionLog, filter: Partial<SearchFilter>) {
  return (await log.search({ limit: 500, ...filter })).rows;
}

function filters(store: () => OpenStore): void {
  const rows: readonly IndexRow[] = [
    indexRow('a', { startedAtMs: startMs + 1, labels: { tenant: 'x', order: '1' } }),
    indexRow('b', {
      ...{ startedAtMs: startMs + 2, outcome: 'committed', finishedAtMs: startMs + 3 },
      labels: { tenant: 'x' },
    }),
    indexRow('c', { startedAtMs: startMs + 3, outcome: 'rolledBack', name: 'Transfer' }),
    indexRow('d', {
      ...{ startedAtMs: startMs + 4, mode: 'saga', name: 'trip', attention },
      labels: { tenant: 'X', order: 'x', 'shop/no': 'x=y' },
    }),
    indexRow('e', {
      ...{ startedAtMs: startMs + 5, mode: 'saga', outcome: 'committed', attention },
      labels: { tenant: 'x', order: '1' },
    }),
  ];
  const cases: readonly (readonly [Partial<SearchFilter>, string])[] = [
    [{}, 'edcba'],
    [{ mode: 'saga' }, 'ed'],
    [{ mode: 'transaction' }, 'cba'],
    [{ name: 'transfer' }, 'eba'],
    [{ name: 'Transfer' }, 'c'],
    [{ name: `' or 1=1 --` }, ''],
    [{ name: '%' }, ''],
    [{ outcome: 'open' }, 'da'],
    [{ outcome: 'committed' }, 'eb'],
    [{ outcome: 'rolledBack' }, 'c'],
    [{ attention: true }, 'ed'],
    [{ attention: false }, 'edcba'],
    [{ attention: true, outcome: 'open', mode: 'saga', name: 'trip' }, 'd'],
    [{ before: { startedAtMs: startMs + 3, gid: 'c' } }, 'ba'],
    [{ before: { startedAtMs: startMs + 3, gid: 'd' } }, 'cba'],
    [{ before: { startedAtMs: startMs + 5, gid: 'e' }, outcome: 'committed' }, 'b'],
    [{ outcome: 'finished' }, 'ecb'],
    [{ outcome: 'finished', mode: 'transaction' }, 'cb'],
    [{ label: { key: 'tenant', value: 'x' } }, 'eba'],
    [{ label: { key: 'tenant', value: 'x ' } }, ''],
    [{ label: { key: 'tenant', value: 'X' } }, 'd'],
    [{ label: { key: 'tenant', value: '' } }, ''],
    [{ label: { key: 'Tenant', value: 'x' } }, ''],
    [{ label: { key: 'shop/no', value: 'x=y' } }, 'd'],
    [{ label: { key: 'tenant', value: 'x' }, outcome: 'committed' }, 'eb'],
    [{ label: { key: 'tenant', value: 'x' }, outcome: 'open' }, 'a'],
    [{ label: { key: 'order', value: '1' }, mode: 'saga', attention: true }, 'e'],
    [{ label: { key: 'order', value: '1' }, outcome: 'rolledBack' }, ''],
    [{ startedAfterMs: startMs + 2 }, 'edcb'],
    [{ startedBeforeMs: startMs + 4 }, 'cba'],
    [{ startedAfterMs: startMs + 2, startedBeforeMs: startMs + 4, outcome: 'finished' }, 'cb'],
    [{ startedAfterMs: startMs + 3, name: 'transfer' }, 'e'],
    [{ startedAfterMs: startMs + 9 }, ''],
    [{ gidPrefix: 'b' }, 'b'],
    [{ gidPrefix: 'B' }, ''],
    [{ gidPrefix: 'bb' }, ''],
    [{ gidPrefix: 'e', outcome: 'committed', startedAfterMs: startMs + 6 }, ''],
    [{ gidPrefix: 'c', name: 'Transfer', outcome: 'rolledBack' }, 'c'],
    [{ order: 'oldest' }, 'abcde'],
    [{ order: 'oldest', outcome: 'finished', limit: 2 }, 'bc'],
    [{ order: 'oldest', before: { startedAtMs: startMs + 3, gid: 'c' } }, 'de'],
    [{ order: 'oldest', before: { startedAtMs: startMs + 3, gid: 'b' }, mode: 'transaction' }, 'c'],
    [{ order: 'oldest', label: { key: 'tenant', value: 'x' } }, 'abe'],
    [{ order: 'oldest', attention: true, mode: 'saga' }, 'de'],
    [{ limit: 2 }, 'ed'],
    [{ limit: 1, mode: 'transaction', outcome: 'open' }, 'a'],
  ];

  it('finds by every filter, newest first', async () => {
    const { log, term } = store();
    await log.append(
      term,
      rows.map((index) => ({ row: logRow(term, index.gid, 1), index })),
    );
    for (const [filter, expected] of cases) {
      expect([filter, (await gidsFound(log, filter)).join('')]).toEqual([filter, expected]);
    }
    expect(await rowsFound(log, {})).toEqual(rows.toReversed());
  });

  it('finds rows by gid and leaves out what is missing', async () => {
    const { log, term } = store();
    await log.append(
      term,
      rows.map((index) => ({ row: logRow(term, index.gid, 1), index })),
    );
    const found = await log.find(['d', 'nowhere', 'a', 'D']);
    expect(found.toSorted((x, y) => (x.gid < y.gid ? -1 : 1))).toEqual([rows[0], rows[3]]);
  });
}

/** Ends of four in five, mostly commits; a few of another name, another mode, with labels. */
function mixed(i: number): Partial<IndexRow> {
  const isOpen = i % 5 === 0;
  return {
    startedAtMs: startMs + Math.floor(i / 40),
    ...(isOpen ? {} : { outcome: i % 7 === 0 ? 'rolledBack' : 'committed' }),
    ...(i % 3 === 0 ? { name: 'trip', mode: 'saga' } : {}),
    ...(i % 11 === 0 ? { attention } : {}),
    labels: i % 2 === 0 ? { parity: 'even', tenant: `t${i % 4}` } : {},
  };
}

const paged: readonly Partial<SearchFilter>[] = [
  {},
  { outcome: 'finished' },
  { outcome: 'open' },
  { name: 'trip' },
  { mode: 'saga', outcome: 'rolledBack' },
  { mode: 'transaction', name: 'trip' },
  { label: { key: 'parity', value: 'even' } },
  { label: { key: 'tenant', value: 't2' }, outcome: 'committed', name: 'transfer' },
  { attention: true },
  { gidPrefix: 's-00' },
  { gidPrefix: 's-00001', outcome: 'committed' },
  { startedAfterMs: startMs + 2, startedBeforeMs: startMs + 4, mode: 'saga' },
];

function pages(store: () => OpenStore): void {
  it.each(['newest', 'oldest'] as const)(
    'pages by cursor without hole or repeat, also among equal times, %s first',
    async (order) => {
      const { log, term } = store();
      const gids = gidsOf('s', 230);
      await log.append(
        term,
        gids.map((gid, i) => beginning(term, gid, mixed(i))),
      );
      for (const filter of paged) {
        const whole = await gidsFound(log, { ...filter, order });
        const seen: string[] = [];
        let before: Place | null = null;
        do {
          const page: SearchPage = await log.search({
            ...{ ...filter, order, limit: 17 },
            ...(before && { before }),
          });
          expect(page.rows.length).toBeLessThanOrEqual(17);
          seen.push(...page.rows.map((row) => row.gid));
          before = page.next;
        } while (before !== null && seen.length <= gids.length);
        expect([filter, seen]).toEqual([filter, whole]);
        if (Object.keys(filter).length === 0) {
          expect(seen).toEqual(order === 'oldest' ? gids : gids.toReversed());
        }
      }
    },
  );

  it('orders gids of one time byte by byte', async () => {
    const { log, term } = store();
    const gids = ['-', '.', '0', 'A', 'Z', '_', 'a', 'z'];
    await log.append(
      term,
      gids.map((gid) => beginning(term, gid)),
    );
    expect(await gidsFound(log, {})).toEqual(gids.toReversed());
    const before = { startedAtMs: startMs, gid: '_' };
    expect(await gidsFound(log, { before })).toEqual(['Z', 'A', '0', '.', '-']);
  });
}

function upserts(store: () => OpenStore): void {
  it('sets and clears attention', async () => {
    const { log, term } = store();
    await log.append(term, [beginning(term, 'g'), beginning(term, 'other')]);
    expect(await gidsFound(log, { attention: true })).toEqual([]);
    await log.append(term, [{ row: logRow(term, 'g', 2), index: indexRow('g', { attention }) }]);
    expect(await rowsFound(log, { attention: true })).toEqual([indexRow('g', { attention })]);
    await log.append(term, [{ row: logRow(term, 'g', 3), index: indexRow('g') }]);
    expect(await gidsFound(log, { attention: true })).toEqual([]);
    expect(await log.find(['g'])).toEqual([indexRow('g')]);
  });

  it('takes begin, change, end and lost slots in one batch', async () => {
    const { log, term } = store();
    const ended = { outcome: 'committed', finishedAtMs: startMs + 1 } as const;
    await log.append(
      term,
      ['change', 'end', 'lost'].map((gid) => beginning(term, gid)),
    );
    const lost = logRow(term, 'lost', 1, { records: '[]' });
    const answers = await log.append(term, [
      beginning(term, 'begin'),
      { row: logRow(term, 'change', 2), index: indexRow('change', { attention }) },
      { row: logRow(term, 'end', 2), index: indexRow('end', ended) },
      { row: lost, index: indexRow('lost', ended) },
      { row: logRow(term, 'at-once', 1), index: indexRow('at-once', ended) },
      following(term, 'none', 1),
    ]);
    const [, , , answerOfLost] = answers;
    expect(answerOfLost).toBe('conflict');
    expect(answers.filter((answer) => answer === 'appended')).toHaveLength(5);
    expect(await log.openGids('', 10)).toEqual(['begin', 'change', 'lost']);
    expect(await gidsFound(log, {})).toEqual(['lost', 'end', 'change', 'begin', 'at-once']);
    expect(await gidsFound(log, { outcome: 'committed' })).toEqual(['end', 'at-once']);
    expect(await log.find(['lost'])).toEqual([indexRow('lost')]);
    expect(await log.find(['change'])).toEqual([indexRow('change', { attention })]);
    expect(await log.find(['end', 'at-once'])).toHaveLength(2);
  });

  it('shows what has ended once, though its end is written again', async () => {
    const { log, term } = store();
    const ended = { outcome: 'rolledBack', finishedAtMs: startMs + 1 } as const;
    await log.append(term, [beginning(term, 'g'), beginning(term, 'h')]);
    const ends = ['g', 'h'].map((gid) => ({
      row: logRow(term, gid, 2),
      index: indexRow(gid, ended),
    }));
    await log.append(term, ends);
    const again = indexRow('g', { ...ended, name: 'again' });
    await log.append(term, [{ row: logRow(term, 'g', 3), index: again }]);
    expect(await log.openGids('', 10)).toEqual([]);
    expect(await rowsFound(log, {})).toEqual([indexRow('h', ended), again]);
    expect(await log.find(['g', 'h'])).toHaveLength(2);
  });

  it('finds by any label, whatever is in it', async () => {
    const { log, term } = store();
    const values = ['\u0000', '\ud800', 'ä', '🏦', `'"\\\n%_`, ' ', 'x'.repeat(128)];
    await log.append(
      term,
      values.map((value, i) => beginning(term, `g${i}`, { labels: { 'a.b/c': value } })),
    );
    for (const [i, value] of values.entries()) {
      expect(await gidsFound(log, { label: { key: 'a.b/c', value } })).toEqual([`g${i}`]);
    }
  });

  it('keeps the labels of the row that got the slot, and of no other', async () => {
    const { log, term } = store();
    const label = (value: string) => ({ label: { key: 'of', value } });
    await log.append(term, [beginning(term, 'taken', { labels: { of: 'winner' } })]);
    const records = '["other"]';
    const lost = {
      row: logRow(term, 'taken', 1, { records }),
      index: indexRow('taken', { labels: { of: 'loser' } }),
    };
    const sentAgain = beginning(term, 'taken', { labels: { of: 'winner' } });
    const fresh = beginning(term, 'fresh', { labels: { of: 'winner' } });
    expect(await log.append(term, [lost, fresh])).toEqual(['conflict', 'appended']);
    expect(await log.append(term, [sentAgain])).toEqual(['appended']);
    expect(await gidsFound(log, label('winner'))).toEqual(['taken', 'fresh']);
    expect(await gidsFound(log, label('loser'))).toEqual([]);
    const ended = { outcome: 'committed', finishedAtMs: startMs + 1 } as const;
    const index = indexRow('fresh', { ...ended, labels: { of: 'winner' } });
    await log.append(term, [{ row: logRow(term, 'fresh', 2), index }]);
    expect(await gidsFound(log, { ...label('winner'), outcome: 'finished' })).toEqual(['fresh']);
    expect(await gidsFound(log, { ...label('winner'), outcome: 'open' })).toEqual(['taken']);
  });

  it('replaces every field of the index row', async () => {
    const { log, term } = store();
    const cause: Cause = { kind: 'refused', detail: `"no" 'money' \\ 🏦`, branchId: 2 };
    const before = indexRow('g', { cause: { kind: 'deadline' }, labels: { order: '1' } });
    const after = indexRow('g', {
      mode: 'saga',
      name: 'trip',
      outcome: 'rolledBack',
      cause,
      attention,
      startedAtMs: startMs + 1,
      deadlineAtMs: null,
      finishedAtMs: startMs + 2,
      labels: { tenant: 'ä', 'order-id': `o'1` },
    });
    await log.append(term, [{ row: logRow(term, 'g', 1), index: before }]);
    expect(await log.find(['g'])).toEqual([before]);
    await log.append(term, [{ row: logRow(term, 'g', 2), index: after }]);
    expect(await log.find(['g'])).toEqual([after]);
    expect(await rowsFound(log, {})).toEqual([after]);
    await log.append(term, [{ row: logRow(term, 'g', 3), index: null }]);
    expect(await log.find(['g'])).toEqual([after]);
  });
}
