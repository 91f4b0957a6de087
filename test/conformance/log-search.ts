/** The part of the log's suite about `search` and `find`: what the command line and the API list. */
import { expect, it } from 'vitest';
import type { Attention, Cause } from '../../client-sdk/protocol/index.ts';
import type { IndexRow, SearchFilter, TransactionLog } from '../../server/log/log.ts';
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
  return (await log.search({ limit: 500, ...filter })).map((row) => row.gid);
}

function filters(store: () => OpenStore): void {
  const rows: readonly IndexRow[] = [
    indexRow('a', { startedAtMs: startMs + 1 }),
    indexRow('b', { startedAtMs: startMs + 2, outcome: 'committed', finishedAtMs: startMs + 3 }),
    indexRow('c', { startedAtMs: startMs + 3, outcome: 'rolledBack', name: 'Transfer' }),
    indexRow('d', { startedAtMs: startMs + 4, mode: 'saga', name: 'trip', attention }),
    indexRow('e', { startedAtMs: startMs + 5, mode: 'saga', outcome: 'committed', attention }),
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
    expect(await log.search({ limit: 500 })).toEqual(rows.toReversed());
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

function pages(store: () => OpenStore): void {
  it('pages by cursor without hole or repeat, also among equal times', async () => {
    const { log, term } = store();
    const gids = gidsOf('s', 230);
    await log.append(
      term,
      gids.map((gid, i) => beginning(term, gid, { startedAtMs: startMs + Math.floor(i / 40) })),
    );
    const seen: IndexRow[] = [];
    while (seen.length <= gids.length) {
      const last = seen.at(-1);
      const before = last && { startedAtMs: last.startedAtMs, gid: last.gid };
      const page = await log.search(before ? { limit: 17, before } : { limit: 17 });
      if (page.length === 0) break;
      seen.push(...page);
    }
    expect(seen.map((row) => row.gid)).toEqual(gids.toReversed());
  });

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
    expect(await log.search({ limit: 5, attention: true })).toEqual([indexRow('g', { attention })]);
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
    expect(await log.search({ limit: 5 })).toEqual([indexRow('h', ended), again]);
    expect(await log.find(['g', 'h'])).toHaveLength(2);
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
    expect(await log.search({ limit: 5 })).toEqual([after]);
    await log.append(term, [{ row: logRow(term, 'g', 3), index: null }]);
    expect(await log.find(['g'])).toEqual([after]);
  });
}
