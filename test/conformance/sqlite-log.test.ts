/** The SQLite log under the common suite, and the failures that only a real file can show. */
import { execFileSync, spawnSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { openLog } from '../../server/log/index.ts';
import type { TransactionLog } from '../../server/log/log.ts';
import { migrateLog } from '../../server/log/schema.ts';
import { openSqliteLog } from '../../server/log/sqlite-log.ts';
import type { Failure } from '../../server/runtime/failure.ts';
import { expectWholeBatches, startAppending } from '../support/append-process.ts';
import { beginning, childBatch, following, gidsOf, logRow, startMs } from '../support/log-rows.ts';
import { logConformance } from './log.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'settle-log-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

logConformance('sqlite', {
  isDurable: true,
  async open() {
    const path = join(directory, 'log.db');
    const log = await openLog(`sqlite:${path}`, { migrate: true });
    return { log, another: () => openSqliteLog({ path }), close: () => log.close() };
  },
});

async function opened(path: string, bytesMax?: number) {
  await migrateLog(path);
  const troubles: Failure[] = [];
  const onTrouble = (failure: Failure) => void troubles.push(failure);
  const log = await openSqliteLog({ path, onTrouble, ...(bytesMax && { bytesMax }) });
  onTestFinished(() => log.close());
  const term = await log.takeOver('node-1', '127.0.0.1:7400', startMs);
  return { log, term, troubles };
}

describe('processes', () => {
  it('has every appended row, whole, after kill -9 in the middle of appends', async () => {
    const url = `sqlite:${join(directory, 'log.db')}`;
    const ends: { readonly epoch: number; readonly appended: number }[] = [];
    for (const lines of [1, 4, 9, 16, 25]) {
      const child = await startAppending(url);
      for (let line = 0; line < lines; line += 1) await child.next('appended');
      ends.push({ epoch: child.epoch, appended: await child.kill() });
    }
    const log = await openLog(url, { migrate: false });
    onTestFinished(() => log.close());
    for (const { epoch, appended } of ends) await expectWholeBatches(log, epoch, appended);
    expect(ends.map((each) => each.epoch)).toEqual([1, 2, 3, 4, 5]);
    expect(await log.openGids('', 1_000)).toHaveLength(5 * 64);
  });

  it('fences a process when another one takes the file over', async () => {
    const path = join(directory, 'log.db');
    const child = await startAppending(path);
    await child.next('appended');
    const { log, term } = await opened(path);
    const after = await log.read(
      childBatch({ node: 'child', epoch: child.epoch }, 1).map(({ row }) => row.gid),
    );
    expect(await log.append(term, [beginning(term, 'ours')])).toEqual(['appended']);
    const fencedAt = await child.next('fenced');
    expect(await child.ended()).toBe(0);
    const last = await expectWholeBatches(log, child.epoch, fencedAt - 1);
    expect(after).toHaveLength(last * 64);
  });

  it('goes on after an I/O error in the same slots', async ({ skip }) => {
    if (spawnSync('prlimit', ['--version']).status !== 0) skip('prlimit is not installed');
    // A write past the limit on file size fails with EFBIG, which SQLite reports as an I/O error.
    const limited = ['sh', '-c', 'ulimit -S -f 4000; exec "$@"', 'sh'];
    const child = await startAppending(join(directory, 'log.db'), limited);
    // The first failure is the write-ahead log's; opening it again empties it into the file, which
    // makes room for a while. In the end the file itself is at its limit.
    let failed = 0;
    for (let seq = await child.next('unknown'); seq !== failed; seq = await child.next('unknown')) {
      failed = seq;
      child.retry();
    }
    execFileSync('prlimit', ['--pid', String(child.pid), '--fsize=unlimited']);
    child.retry();
    while ((await child.next('appended')) < failed + 20);
    const appended = await child.kill();
    const log = await openSqliteLog({ path: join(directory, 'log.db') });
    onTestFinished(() => log.close());
    await expectWholeBatches(log, child.epoch, appended);
  });
});

describe('a full disk', () => {
  async function appendUntilUnknown(log: TransactionLog, term: { node: string; epoch: number }) {
    for (let seq = 1; seq < 10_000; seq += 1) {
      const batch = childBatch(term, seq);
      const answers = await log.append(term, batch);
      if (answers.includes('unknown')) return { seq, batch, answers };
    }
    throw new Error('the disk was never full');
  }

  async function fillThenFree(
    log: TransactionLog,
    term: { node: string; epoch: number },
    free: () => unknown,
  ) {
    const { seq, batch, answers } = await appendUntilUnknown(log, term);
    expect(new Set(answers)).toEqual(new Set(['unknown']));
    expect(new Set(await log.append(term, batch))).toEqual(new Set(['unknown']));
    await expectWholeBatches(log, term.epoch, seq - 1);
    await free();
    expect(new Set(await log.append(term, batch))).toEqual(new Set(['appended']));
    expect(await expectWholeBatches(log, term.epoch, seq)).toBe(seq);
  }

  it('answers unknown when the file may not grow, and goes on when there is room', async () => {
    const path = join(directory, 'log.db');
    await migrateLog(path);
    const other = new DatabaseSync(path);
    other.exec('create table ballast as select zeroblob(4000000) as filling');
    const { log, term, troubles } = await opened(path, 6_000_000);
    await fillThenFree(log, term, () => other.exec('drop table ballast'));
    other.close();
    expect(troubles.map((failure) => failure.code)).toEqual([
      'LOG_NOT_WRITABLE',
      'LOG_NOT_WRITABLE',
    ]);
    expect(troubles[0]?.detail).toMatch(/log\.db: database or disk is full/);
  });

  it('does so on a real file system without space', async ({ skip }) => {
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', directory]);
    if (mounted.status !== 0) skip('this user may not mount a small file system');
    try {
      const ballast = join(directory, 'ballast');
      await writeFile(ballast, Buffer.alloc(3_000_000));
      await migrateLog(join(directory, 'log.db'));
      const log = await openSqliteLog({ path: join(directory, 'log.db') });
      const term = await log.takeOver('node-1', '127.0.0.1:7400', startMs);
      await fillThenFree(log, term, () => rm(ballast));
      await log.close();
    } finally {
      execFileSync('umount', [directory]);
    }
  });
});

describe('trouble with the file or the worker', () => {
  it('answers unknown while another process holds the lock, then goes on', async () => {
    const path = join(directory, 'log.db');
    const { log, term, troubles } = await opened(path);
    const other = new DatabaseSync(path);
    other.exec('begin immediate');
    expect(await log.append(term, [beginning(term, 'g')])).toEqual(['unknown']);
    expect(troubles.map((failure) => failure.code)).toEqual(['LOG_UNAVAILABLE']);
    other.exec('rollback');
    other.close();
    expect(await log.append(term, [beginning(term, 'g')])).toEqual(['appended']);
  });

  it('answers unknown when the worker dies, then goes on with a new one', async () => {
    const workers = watchWorkers();
    const { log, term, troubles } = await opened(join(directory, 'log.db'));
    const batch = gidsOf('w', 256).map((gid) => beginning(term, gid));
    const seen = new Set<string>();
    while (!seen.has('unknown')) {
      const answers = log.append(term, batch);
      await workers.at(-1)?.terminate();
      for (const answer of await answers) seen.add(answer);
    }
    expect(troubles[0]?.detail).toBe('The worker of the log has stopped.');
    expect(new Set(await log.append(term, batch))).toEqual(new Set(['appended']));
    expect(await log.append(term, [following(term, batch[0]?.row.gid ?? '', 2)])).toEqual([
      'appended',
    ]);
    expect(await log.read(gidsOf('w', 256))).toHaveLength(257);
  });

  it('keeps answering unknown, and never makes an empty file, when the file is gone', async () => {
    const path = join(directory, 'log.db');
    const { log, term } = await opened(path);
    await log.close();
    await rm(path);
    await expect(openSqliteLog({ path })).rejects.toMatchObject({ code: 'LOG_NOT_WRITABLE' });
    expect(await log.append(term, [{ row: logRow(term, 'g', 1), index: null }])).toEqual([
      'unknown',
    ]);
    await expect(stat(path)).rejects.toThrow();
  });

  it.each([
    ['is no database', 'log.db', 'LOG_NOT_WRITABLE', /log\.db is not a SQLite database/],
    ['is a directory', 'folder', 'LOG_NOT_WRITABLE', /folder: unable to open/],
    ['lies two levels deep', 'a/b/log.db', 'LOG_NOT_WRITABLE', /a\/b.*ENOENT|ENOENT.*a\/b/],
    ['lies under a file', 'log.db/log.db', 'LOG_NOT_WRITABLE', /log\.db/],
  ])('refuses to open a path that %s', async (_what, name, code, detail) => {
    await writeFile(join(directory, 'log.db'), 'this is a letter, not a database. '.repeat(300));
    await mkdir(join(directory, 'folder'));
    const opening = openLog(`sqlite:${join(directory, name)}`, { migrate: true });
    await expect(opening).rejects.toMatchObject({ code, detail: expect.stringMatching(detail) });
  });

  it('refuses a file that may only be read', async ({ skip }) => {
    const path = join(directory, 'log.db');
    await migrateLog(path);
    const mounted = spawnSync('mount', ['-o', 'bind,ro', directory, directory]);
    if (mounted.status !== 0) skip('this user may not mount');
    try {
      await expect(openLog(path, { migrate: true })).rejects.toMatchObject({
        code: 'LOG_NOT_WRITABLE',
      });
    } finally {
      execFileSync('umount', [directory]);
    }
  });

  it('says what is missing when it may not migrate, and creates nothing', async () => {
    const path = join(directory, 'new.db');
    await expect(openLog(path, { migrate: false })).rejects.toMatchObject({
      code: 'SCHEMA_MISSING',
    });
    await expect(stat(path)).rejects.toThrow();
  });

  it('creates the directory, one level, for nobody else to read', async () => {
    const path = join(directory, 'made', 'log.db');
    await (await openLog(path, { migrate: true })).close();
    expect((await stat(join(directory, 'made'))).mode & 0o777).toBe(0o700);
  });
});

/** The worker threads started from now on: Node tells of them; the log's way to its own is closed. */
function watchWorkers(): readonly Worker[] {
  const workers: Worker[] = [];
  const watch = (message: unknown) => {
    workers.push((message as { readonly worker: Worker }).worker);
  };
  subscribe('worker_threads', watch);
  onTestFinished(() => void unsubscribe('worker_threads', watch));
  return workers;
}
