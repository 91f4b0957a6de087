/**
 * What every store of the log must do, as one suite. A store's own test file opens an empty,
 * migrated store for each test and adds the failures that only a real server or file can show.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppendAnswer, LogRow, Term, TransactionLog } from '../../server/log/log.ts';
import {
  appendAll,
  beginning,
  following,
  gidsOf,
  indexRow,
  logRow,
  startMs,
} from '../support/log-rows.ts';
import { searchConformance } from './log-search.ts';

/** An empty, migrated store and a first handle on it. */
export interface OpenedLog {
  readonly log: TransactionLog;
  /** One more handle on the same store, as another process would open it. The suite closes it. */
  another(): Promise<TransactionLog>;
  /** Closes the first handle and drops the store. */
  close(): Promise<void>;
}

/** How to open a store. */
export interface LogFixture {
  open(): Promise<OpenedLog>;
  /** True when what was appended is there after every handle was closed. */
  readonly isDurable: boolean;
}

/** The store of the running test. */
export interface OpenStore {
  readonly log: TransactionLog;
  readonly term: Term;
  another(): Promise<TransactionLog>;
}

/** Registers the whole suite for one store. */
export function logConformance(name: string, fixture: LogFixture): void {
  describe(`${name} log keeps the contract`, () => {
    let current: { readonly store: OpenStore; close(): Promise<void> } | undefined;
    const store = (): OpenStore => {
      if (current === undefined) throw new Error('no store is open');
      return current.store;
    };
    beforeEach(async () => {
      current = await openStore(fixture);
    });
    afterEach(async () => {
      await current?.close();
      current = undefined;
    });
    describe('compare-and-set', () => compareAndSet(store));
    describe('terms', () => terms(store));
    describe('open gids', () => openGids(store));
    describe('contents', () => contents(store));
    describe('closing', () => closing(store, fixture.isDurable));
    describe('search', () => searchConformance(store));
  });
}

async function openStore(fixture: LogFixture) {
  const opened = await fixture.open();
  const handles: TransactionLog[] = [];
  const another = async () => {
    const log = await opened.another();
    handles.push(log);
    return log;
  };
  const term = await opened.log.takeOver('node-1', '127.0.0.1:7400', startMs);
  const close = async () => {
    for (const log of handles) await log.close();
    await opened.close();
  };
  return { store: { log: opened.log, term, another }, close };
}

function compareAndSet(store: () => OpenStore): void {
  it('gives one slot to one of two rows', async () => {
    const { log, term } = store();
    const mine = beginning(term, 'g');
    const theirs = { row: logRow(term, 'g', 1, { records: '["other"]' }), index: null };
    expect(await log.append(term, [mine])).toEqual(['appended']);
    expect(await log.append(term, [theirs])).toEqual(['conflict']);
    expect(await log.read(['g'])).toEqual([mine.row]);
  });

  it.each([
    ['records', { records: '["other"]' }],
    ['time', { atMs: startMs + 1 }],
    ['epoch', { epoch: 999 }],
  ] as const)('takes a row with another %s for another row', async (_name, changes) => {
    const { log, term } = store();
    await log.append(term, [beginning(term, 'g')]);
    const row = logRow(term, 'g', 1, changes);
    expect(await log.append(term, [{ row, index: null }])).toEqual(['conflict']);
  });

  it('counts our own row, sent again to its slot, as appended and keeps one of it', async () => {
    const { log, term, another } = store();
    const append = beginning(term, 'g');
    expect(await log.append(term, [append])).toEqual(['appended']);
    expect(await log.append(term, [append])).toEqual(['appended']);
    // After a lost answer the same rows come over a new connection.
    const other = await another();
    expect(await other.append(term, [append])).toEqual(['appended']);
    expect(await log.read(['g'])).toHaveLength(1);
  });

  it('does not bring back an old index row when its log row is sent again', async () => {
    const { log, term } = store();
    const first = beginning(term, 'g');
    const finished = { outcome: 'committed', finishedAtMs: startMs + 5 } as const;
    await log.append(term, [first]);
    await log.append(term, [{ row: logRow(term, 'g', 2), index: indexRow('g', finished) }]);
    expect(await log.append(term, [first])).toEqual(['appended']);
    expect(await log.find(['g'])).toEqual([indexRow('g', finished)]);
  });

  it('answers each row of a mixed batch for itself, in the order of the batch', async () => {
    const { log, term } = store();
    await log.append(term, [beginning(term, 'taken'), beginning(term, 'mine')]);
    const lost = { row: logRow(term, 'taken', 1, { records: '[]' }), index: indexRow('taken') };
    const index = indexRow('taken', { name: 'never-written' });
    const batch = [
      beginning(term, 'z-new'),
      { ...lost, index },
      beginning(term, 'mine'),
      beginning(term, 'a-new', { name: 'written' }),
    ];
    const answers: AppendAnswer[] = ['appended', 'conflict', 'appended', 'appended'];
    expect(await log.append(term, batch)).toEqual(answers);
    expect((await log.find(['taken']))[0]?.name).toBe('transfer');
    expect((await log.find(['a-new']))[0]?.name).toBe('written');
    expect((await log.read(['z-new', 'a-new'])).map((row) => row.gid)).toEqual(['a-new', 'z-new']);
  });

  it('writes no index row for a gid whose only row lost its slot', async () => {
    const { log, term } = store();
    await log.append(term, [{ row: logRow(term, 'g', 1), index: null }]);
    const lost = { row: logRow(term, 'g', 1, { records: '[]' }), index: indexRow('g') };
    expect(await log.append(term, [lost])).toEqual(['conflict']);
    expect(await log.find(['g'])).toEqual([]);
  });

  it('keeps two batches in flight apart', async () => {
    const { log, term } = store();
    const left = gidsOf('left', 200).map((gid) => beginning(term, gid));
    const right = gidsOf('right', 200).map((gid) => beginning(term, gid));
    const answers = await Promise.all([log.append(term, left), log.append(term, right)]);
    expect(new Set(answers.flat())).toEqual(new Set(['appended']));
    expect(await log.read([...gidsOf('left', 200), ...gidsOf('right', 200)])).toHaveLength(400);
  });

  it('lets one of two racing handles have the slot, and tells the other', async () => {
    const { log, term, another } = store();
    const other = await another();
    const batchOf = (who: string) =>
      gidsOf('race', 50).map((gid) => ({
        row: logRow(term, gid, 1, { records: JSON.stringify([who]) }),
        index: indexRow(gid, { name: who }),
      }));
    const [a, b] = await Promise.all([
      log.append(term, batchOf('a')),
      other.append(term, batchOf('b')),
    ]);
    const rows = await log.read(gidsOf('race', 50));
    const index = new Map((await log.find(gidsOf('race', 50))).map((row) => [row.gid, row.name]));
    rows.forEach((row, i) => {
      const winner = row.records === '["a"]' ? 'a' : 'b';
      expect([a[i], b[i]]).toEqual(
        winner === 'a' ? ['appended', 'conflict'] : ['conflict', 'appended'],
      );
      expect(index.get(row.gid)).toBe(winner);
    });
    expect(rows).toHaveLength(50);
  });

  it('takes 1,024 rows in one batch, again and again, and an empty batch', async () => {
    const { log, term } = store();
    const gids = gidsOf('g', 1_024);
    expect(await log.append(term, [])).toEqual([]);
    for (let seq = 1; seq <= 4; seq += 1) {
      const batch = gids.map((gid) => ({ row: logRow(term, gid, seq), index: indexRow(gid) }));
      expect(await log.append(term, batch)).toEqual(gids.map(() => 'appended'));
    }
    const rows = await log.read(gids);
    expect(rows).toHaveLength(4_096);
    expect(rows.slice(0, 4).map((row) => row.seq)).toEqual([1, 2, 3, 4]);
  });
}

function terms(store: () => OpenStore): void {
  it('fences the term before and writes nothing of its batch', async () => {
    const { log, term, another } = store();
    await log.append(term, [beginning(term, 'old')]);
    const other = await another();
    const next = await other.takeOver('node-2', '127.0.0.1:7401', startMs + 1);
    expect(next.epoch).toBeGreaterThan(term.epoch);
    expect(next.node).toBe('node-2');
    const late = [following(term, 'old', 2), beginning(term, 'new'), beginning(term, 'old')];
    expect(
      await log.append(
        term,
        [late[0], late[1]].flatMap((x) => x ?? []),
      ),
    ).toEqual(['fenced', 'fenced']);
    expect(await other.read(['old', 'new'])).toHaveLength(1);
    expect(await other.find(['new'])).toEqual([]);
    expect(await other.append(next, [following(next, 'old', 2)])).toEqual(['appended']);
  });

  it('leaves what is open open when a fenced term ends it', async () => {
    const { log, term, another } = store();
    await log.append(term, [beginning(term, 'g')]);
    const next = await (await another()).takeOver('node-2', '127.0.0.1:7401', startMs + 1);
    const index = indexRow('g', { outcome: 'committed', finishedAtMs: startMs + 1 });
    expect(await log.append(term, [{ row: logRow(term, 'g', 2), index }])).toEqual(['fenced']);
    expect(await log.openGids('', 10)).toEqual(['g']);
    expect((await log.search({ limit: 10 })).rows).toEqual([indexRow('g')]);
    expect(await log.append(next, [{ row: logRow(next, 'g', 2), index }])).toEqual(['appended']);
    expect(await log.openGids('', 10)).toEqual([]);
  });

  it('waits for the appends in flight: after takeOver nothing of the old term appears', async () => {
    const { log, term, another } = store();
    const other = await another();
    const gids = gidsOf('flight', 40);
    const answers = new Map<string, AppendAnswer>();
    const started = Promise.withResolvers<void>();
    const appending = (async () => {
      for (const gid of gids) {
        const [answer] = await log.append(term, [beginning(term, gid)]);
        answers.set(gid, answer ?? 'unknown');
        if (answers.size === 10) started.resolve();
      }
    })();
    await started.promise;
    await other.takeOver('node-2', '127.0.0.1:7401', startMs + 1);
    const after = (await other.read(gids)).map((row) => row.gid);
    await appending;
    expect((await other.read(gids)).map((row) => row.gid)).toEqual(after);
    const appended = gids.filter((gid) => answers.get(gid) === 'appended');
    expect(after).toEqual(appended);
    expect(gids.filter((gid) => answers.get(gid) === 'fenced')).toEqual(gids.slice(after.length));
  });

  it('only ever raises the epoch, also over handles that take over at once', async () => {
    const { log, term, another } = store();
    const handles = [log, await another(), await another()];
    const epochs: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      const taken = await Promise.all(handles.map((each) => each.takeOver('n', 'a', startMs)));
      epochs.push(...taken.map((each) => each.epoch));
    }
    expect(new Set([term.epoch, ...epochs]).size).toBe(10);
    expect(Math.min(...epochs)).toBeGreaterThan(term.epoch);
    const last = { node: 'n', epoch: Math.max(...epochs) };
    expect(await log.append(last, [beginning(last, 'g')])).toEqual(['appended']);
    for (const epoch of epochs.filter((each) => each !== last.epoch)) {
      expect(await log.append({ node: 'n', epoch }, [following(last, 'g', 2)])).toEqual(['fenced']);
    }
  });

  it('fences a released term, and releasing twice or late is harmless', async () => {
    const { log, term } = store();
    await log.release(term);
    await log.release(term);
    expect(await log.append(term, [beginning(term, 'g')])).toEqual(['fenced']);
    const next = await log.takeOver('node-1', '127.0.0.1:7400', startMs + 1);
    await log.release(term);
    expect(await log.append(next, [beginning(next, 'g')])).toEqual(['appended']);
  });

  it('fences a term that never was', async () => {
    const { log, term } = store();
    const invented = { node: 'nobody', epoch: term.epoch + 1000 };
    expect(await log.append(invented, [beginning(invented, 'g')])).toEqual(['fenced']);
    expect(await log.read(['g'])).toEqual([]);
  });
}

function openGids(store: () => OpenStore): void {
  async function pageThrough(log: TransactionLog, limit: number, onPage?: () => Promise<void>) {
    const seen: string[] = [];
    while (seen.length < 10_000) {
      const page = await log.openGids(seen.at(-1) ?? '', limit);
      if (page.length === 0) return seen;
      seen.push(...page);
      await onPage?.();
    }
    throw new Error('the pages have no end');
  }

  it('pages 1,300 of them in order, without hole or repeat', async () => {
    const { log, term } = store();
    const gids = gidsOf('g', 1300);
    const shuffled = gids.toSorted((a, b) => (a.slice(-2) < b.slice(-2) ? -1 : 1));
    await appendAll(
      log,
      term,
      shuffled.map((gid) => beginning(term, gid)),
    );
    expect(await pageThrough(log, 100)).toEqual(gids);
    expect(await log.openGids('', 1300)).toEqual(gids);
    expect(await log.openGids(gids[1299] ?? '', 10)).toEqual([]);
  });

  it('holds while others begin and finish between the pages', async () => {
    const { log, term } = store();
    const gids = gidsOf('m', 1200);
    await appendAll(
      log,
      term,
      gids.map((gid) => beginning(term, gid)),
    );
    let page = 0;
    const seen = await pageThrough(log, 150, async () => {
      page += 1;
      const begun = [`a-${page}`, `z-${page}`].map((gid) => beginning(term, gid));
      const gid = gids[page] ?? '';
      const finished = indexRow(gid, { outcome: 'committed', finishedAtMs: startMs });
      await log.append(term, [...begun, { row: logRow(term, gid, 2), index: finished }]);
    });
    expect(seen.filter((gid) => gid.startsWith('m'))).toEqual(gids);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('leaves out a gid once its index row has an outcome', async () => {
    const { log, term } = store();
    await log.append(term, [beginning(term, 'a'), beginning(term, 'b'), beginning(term, 'c')]);
    for (const [gid, outcome] of [
      ['a', 'committed'],
      ['b', 'rolledBack'],
    ] as const) {
      const index = indexRow(gid, { outcome, finishedAtMs: startMs + 1 });
      await log.append(term, [{ row: logRow(term, gid, 2), index }]);
    }
    expect(await log.openGids('', 10)).toEqual(['c']);
  });

  it('orders gids byte by byte', async () => {
    const { log, term } = store();
    const gids = ['-', '.', '0', 'A', 'Z', '_', 'a', 'aA', 'aa', 'z'];
    await log.append(
      term,
      gids.toReversed().map((gid) => beginning(term, gid)),
    );
    expect(await pageThrough(log, 3)).toEqual(gids);
  });
}

function contents(store: () => OpenStore): void {
  const texts = [
    `it's "quoted" \\ and \\" and \\u0041 and $1 and ? and :name and %s`,
    `naïve 日本語 עברית 🏦👩‍👩‍👧 e\u0301 \ufeff \ufffd`,
    Array.from({ length: 0x1f }, (_, i) => String.fromCharCode(i + 1)).join(''),
    `line\r\nline\u2028line\u2029tab\t\u007f\u0080\u00ff`,
    `'); drop table transaction_log; --`,
    '',
  ];

  it.each(texts)('gives back text %# as it was', async (text) => {
    const { log, term } = store();
    const records = [text, JSON.stringify([text])];
    const gids = gidsOf('t', records.length);
    const batch = gids.map((gid, i) => ({
      row: logRow(term, gid, 1, { records: records[i] ?? '' }),
      index: indexRow(gid, { name: text.slice(0, 128), labels: { [text]: text } }),
    }));
    expect(await log.append(term, batch)).toEqual(['appended', 'appended']);
    expect(await log.append(term, batch)).toEqual(['appended', 'appended']);
    expect((await log.read(gids)).map((row) => row.records)).toEqual(records);
    const index = (await log.find(gids)).toSorted((a, b) => (a.gid < b.gid ? -1 : 1));
    expect(index).toEqual(batch.map((each) => each.index));
  });

  it('tells gids apart that differ in case, length or one character', async () => {
    const { log, term } = store();
    const gids = ['abc', 'ABC', 'aBc', 'ab', 'abc.', 'abc-', 'abc_', 'abcd'];
    expect(
      new Set(
        await appendAll(
          log,
          term,
          gids.map((gid) => beginning(term, gid)),
        ),
      ),
    ).toEqual(new Set(['appended']));
    for (const gid of gids) {
      expect((await log.read([gid])).map((row) => row.gid)).toEqual([gid]);
      expect((await log.find([gid])).map((row) => row.gid)).toEqual([gid]);
    }
  });

  it('takes gids of 64 characters, of every character that is allowed', async () => {
    const { log, term } = store();
    const allowed = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._';
    const gids = [allowed, `${allowed.slice(1)}-`, '-'.repeat(64), '9'.repeat(64)];
    await log.append(
      term,
      gids.map((gid) => beginning(term, gid)),
    );
    expect((await log.read(gids)).map((row) => row.gid)).toEqual(gids.toSorted());
  });

  it('reads each gid in order of seq, and only what was asked for', async () => {
    const { log, term } = store();
    for (const seq of [1, 2, 3]) {
      await log.append(term, [following(term, 'b', seq), following(term, 'a', seq)]);
    }
    await log.append(term, [following(term, 'c', 1)]);
    const slots = (await log.read(['b', 'a', 'nowhere'])).map((row) => [row.gid, row.seq]);
    expect(slots).toEqual(['a', 'b'].flatMap((gid) => [1, 2, 3].map((seq) => [gid, seq])));
    expect(await log.read([])).toEqual([]);
    expect(await log.find([])).toEqual([]);
  });

  it('keeps a row of ten times 64 KiB, and 40 of them in one batch', async () => {
    const { log, term } = store();
    const payload = `${'é"\\'.repeat(13_107)}🏦`;
    const records = JSON.stringify(Array(10).fill(payload.slice(0, 32_768)));
    const gids = gidsOf('large', 40);
    const batch = gids.map((gid) => ({
      row: logRow(term, gid, 1, { records }),
      index: indexRow(gid),
    }));
    expect(records.length).toBeGreaterThan(10 * 32_768);
    expect(await log.append(term, batch)).toEqual(gids.map(() => 'appended'));
    const rows = await log.read(gids);
    expect(rows.map((row: LogRow) => row.gid)).toEqual(gids);
    expect(rows.every((row) => row.records === records)).toBe(true);
  });

  it('keeps numbers at the ends of their ranges', async () => {
    const { log, term } = store();
    const row = logRow(term, 'n', 2_147_483_647, { atMs: Number.MAX_SAFE_INTEGER, shard: 63 });
    const index = indexRow('n', { startedAtMs: 0, deadlineAtMs: null, finishedAtMs: 8.64e15 });
    expect(await log.append(term, [{ row, index }])).toEqual(['appended']);
    expect(await log.read(['n'])).toEqual([row]);
    expect(await log.find(['n'])).toEqual([index]);
  });
}

function closing(store: () => OpenStore, isDurable: boolean): void {
  it('answers what is pending, then unknown, and closes twice', async () => {
    const { log, term, another } = store();
    const gids = gidsOf('p', 256);
    const pending = log.append(
      term,
      gids.map((gid) => beginning(term, gid)),
    );
    await Promise.all([log.close(), log.close()]);
    const answers = await pending;
    await log.close();
    expect(await log.append(term, [beginning(term, 'late')])).toEqual(['unknown']);
    await log.release(term);
    await expect(log.read(['late'])).rejects.toThrow();
    await expect(log.takeOver('n', 'a', startMs)).rejects.toThrow();
    const appended = gids.filter((_, i) => answers[i] === 'appended');
    expect(answers).toHaveLength(256);
    const found = (await (await another()).read(gids)).map((row) => row.gid);
    expect(found).toEqual(expect.arrayContaining(appended));
  });

  if (!isDurable) return;

  it('has everything after every handle was closed', async () => {
    const { log, term, another } = store();
    const batch = gidsOf('d', 100).map((gid) => beginning(term, gid));
    await log.append(term, batch);
    await log.close();
    const reopened = await another();
    expect(await reopened.read(gidsOf('d', 100))).toEqual(batch.map((each) => each.row));
    const next = await reopened.takeOver('node-1', '127.0.0.1:7400', startMs + 1);
    expect(next.epoch).toBeGreaterThan(term.epoch);
  });
}
