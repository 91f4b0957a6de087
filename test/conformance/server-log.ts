/**
 * The failures that only a real database server can show, for every log on one: lost answers, dead
 * networks, kill -9 of the server and of its client, a full disk, terms that change under an append.
 * The suite owns its server and hurts it.
 */

import { spawnSync } from 'node:child_process';
import { chown, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { AppendAnswer, Term, TransactionLog } from '../../server/log/log.ts';
import { migrateLog } from '../../server/log/schema.ts';
import type { ServerLog, ServerLogOptions } from '../../server/log/server-log.ts';
import type { Failure } from '../../server/runtime/failure.ts';
import { expectWholeBatches, startAppending } from '../support/append-process.ts';
import type { OwnServer } from '../support/databases.ts';
import {
  beginning,
  childBatch,
  childGids,
  ending,
  following,
  gidsOf,
  startMs,
} from '../support/log-rows.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

/** A plain connection beside the log, to hold locks and to look around. */
export interface RawConnection {
  /** Runs one statement; answers its rows. */
  run(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  close(): Promise<void>;
}

/** What differs between the servers. */
export interface ServerLogFixture {
  readonly open: (options: ServerLogOptions) => ServerLog;
  readonly connect: (url: string) => Promise<RawConnection>;
  /** Bytes that only the statement which commits an append contains. */
  readonly commitMark: string;
  /** How many sessions of the server wait for a lock now. */
  readonly lockWaits: (connection: RawConnection) => Promise<number>;
  /** Moves `transaction_log` into the folder, which the server may write. */
  readonly moveLogTable: (connection: RawConnection, folder: string) => Promise<void>;
}

/** What each test starts with. */
interface Opened {
  readonly url: string;
  readonly log: ServerLog;
  readonly term: Term;
  readonly troubles: readonly Failure[];
}

/** Registers the tests. */
export function serverLogConformance(server: OwnServer, fixture: ServerLogFixture): void {
  async function openOn(url: string, answerMsMax?: number): Promise<Opened> {
    const troubles: Failure[] = [];
    const onTrouble = (failure: Failure) => void troubles.push(failure);
    const log = fixture.open({ url, onTrouble, ...(answerMsMax && { answerMsMax }) });
    onTestFinished(() => log.close());
    const term = await log.takeOver('node-1', '127.0.0.1:7400', startMs);
    return { url, log, term, troubles };
  }
  async function newUrl(): Promise<string> {
    const url = await server.newDatabase();
    await migrateLog(url);
    return url;
  }
  async function connect(url: string): Promise<RawConnection> {
    const connection = await fixture.connect(url);
    onTestFinished(() => connection.close());
    return connection;
  }
  const context = { server, fixture, openOn, newUrl, connect };
  networkFailures(context);
  serverFailures(context);
  fullDisk(context);
  commitsSideBySide(context);
  termChanges(context);
}

interface Context {
  readonly server: OwnServer;
  readonly fixture: ServerLogFixture;
  openOn(url: string, answerMsMax?: number): Promise<Opened>;
  newUrl(): Promise<string>;
  connect(url: string): Promise<RawConnection>;
}

function every(answers: readonly AppendAnswer[]): AppendAnswer | 'mixed' {
  const [answer = 'mixed', ...others] = new Set(answers);
  return others.length === 0 ? answer : 'mixed';
}

function networkFailures({ openOn, newUrl, fixture }: Context): void {
  it('answers unknown when the answer to the commit is lost, then finds its own rows', async () => {
    const url = await newUrl();
    const proxy = await startTcpProxy(url);
    onTestFinished(() => proxy.close());
    const direct = await openOn(url);
    const { log, term, troubles } = await openOn(proxy.url);
    const batch = gidsOf('g', 50).map((gid) => beginning(term, gid));
    await log.append(term, [beginning(term, 'first')]);
    const lost = proxy.loseAnswerTo(fixture.commitMark);
    expect(every(await log.append(term, batch))).toBe('unknown');
    await lost;
    expect(troubles.map((failure) => failure.code)).toEqual(['LOG_UNAVAILABLE']);
    expect(await direct.log.read(gidsOf('g', 50))).toHaveLength(50);
    expect(every(await log.append(term, batch))).toBe('appended');
    const later = gidsOf('g', 60).map((gid) => beginning(term, gid));
    expect(every(await log.append(term, later))).toBe('appended');
    expect(await log.read(gidsOf('g', 60))).toHaveLength(60);
    expect(await log.openGids('', 100)).toHaveLength(61);
  });

  it('answers in time when the network is dead, then appends to the same slots', async () => {
    const proxy = await startTcpProxy(await newUrl());
    onTestFinished(() => proxy.close());
    const { log, term, troubles } = await openOn(proxy.url, 500);
    proxy.swallow();
    const startedMs = performance.now();
    const asked = [0, 1, 2].map((i) => log.append(term, [beginning(term, `g${i}`)]));
    expect((await Promise.all(asked)).flat()).toEqual(['unknown', 'unknown', 'unknown']);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    expect(troubles[0]?.detail).toMatch(/no answer within 500 ms|timeout|ETIMEDOUT/);
    await expect(log.read(['g0'])).rejects.toThrow();
    proxy.heal();
    expect(await log.append(term, [beginning(term, 'g0')])).toEqual(['appended']);
  });

  it('answers unknown when nobody listens, and throws from reads and takeOver', async () => {
    const url = await newUrl();
    const proxy = await startTcpProxy(url);
    const { log, term } = await openOn(proxy.url);
    await proxy.close();
    expect(await log.append(term, [beginning(term, 'g')])).toEqual(['unknown']);
    await expect(log.openGids('', 1)).rejects.toThrow();
    await expect(log.takeOver('n', 'a', startMs)).rejects.toThrow();
    await log.release(term);
    const direct = await openOn(url);
    expect(await direct.log.read(['g'])).toEqual([]);
  });
}

function serverFailures({ server, fixture, openOn, newUrl }: Context): void {
  /** Does not take over, which would fence the child. */
  function readerOn(url: string): TransactionLog {
    const log = fixture.open({ url });
    onTestFinished(() => log.close());
    return log;
  }

  it('has every appended row after kill -9 of the server, and the client goes on', async () => {
    const url = await newUrl();
    const child = await startAppending(url);
    for (const lines of [3, 20, 7]) {
      for (let line = 0; line < lines; line += 1) await child.next('appended');
      await server.control.kill();
      const seq = await child.next('unknown');
      await server.control.restart();
      const rows = await readerOn(url).read(childGids(child.epoch));
      expect([seq - 1, seq]).toContain(rows.length / 64);
      child.retry();
      expect(await child.next('appended')).toBe(seq);
    }
    const appended = await child.kill();
    // Not by a mere reader: what the dead client had sent may land between two reads.
    const { log } = await openOn(url);
    await expectWholeBatches(log, child.epoch, appended);
  });

  it('has every appended row, whole and without gaps, after kill -9 of the client', async () => {
    const url = await newUrl();
    for (const lines of [1, 5, 17]) {
      const child = await startAppending(url);
      for (let line = 0; line < lines; line += 1) await child.next('appended');
      const appended = await child.kill();
      // Taking over waits for what the dead client had sent.
      const { log } = await openOn(url);
      await expectWholeBatches(log, child.epoch, appended);
    }
  });

  it('answers in time while the server stands still, then finds out', async () => {
    const { log, term } = await openOn(await newUrl(), 500);
    await log.append(term, [beginning(term, 'before')]);
    await server.control.pause();
    const startedMs = performance.now();
    expect(await log.append(term, [beginning(term, 'g')])).toEqual(['unknown']);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    await server.control.resume();
    let answer: AppendAnswer | undefined;
    while (answer !== 'appended') [answer] = await log.append(term, [beginning(term, 'g')]);
    expect(await log.read(['g'])).toHaveLength(1);
  });

  it('survives a restart of the server while it is idle', async () => {
    const { log, term } = await openOn(await newUrl());
    await log.append(term, [beginning(term, 'a')]);
    await server.control.restart();
    let answer: AppendAnswer | undefined;
    while (answer !== 'appended') [answer] = await log.append(term, [following(term, 'a', 2)]);
    expect(await log.read(['a'])).toHaveLength(2);
  });
}

function fullDisk({ server, fixture, openOn, newUrl, connect }: Context): void {
  it('answers unknown while the disk is full, and goes on when there is room', async ({ skip }) => {
    const folder = await smallDisk(server, skip);
    const url = await newUrl();
    await fixture.moveLogTable(await connect(url), join(folder, 'log'));
    const { log, term, troubles } = await openOn(url);
    let seq = 1;
    while (every(await log.append(term, childBatch(term, seq))) === 'appended') seq += 1;
    expect(seq).toBeGreaterThan(2);
    expect(every(await log.append(term, childBatch(term, seq)))).toBe('unknown');
    expect(troubles.map((failure) => failure.code)).toEqual(['LOG_UNAVAILABLE', 'LOG_UNAVAILABLE']);
    expect(troubles[0]?.detail).toMatch(/full|No space left/);
    await expectWholeBatches(log, term.epoch, seq - 1);
    await rm(join(folder, 'ballast'));
    expect(every(await log.append(term, childBatch(term, seq)))).toBe('appended');
    expect(await expectWholeBatches(log, term.epoch, seq)).toBe(seq);
  });
}

/** A file system of 24 MB with ballast in it and a folder `log` that the server may write. */
async function smallDisk(server: OwnServer, skip: (why: string) => never): Promise<string> {
  const owned = server.control.folder;
  if (owned === null) skip('SKIPPED: the disk of a container cannot be made small');
  const folder = join(owned, 'small');
  await mkdir(folder);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m,mode=755', 'tmpfs', folder]);
  if (mounted.status !== 0) skip('SKIPPED: this user may not mount a small file system');
  await writeFile(join(folder, 'ballast'), Buffer.alloc(12_000_000));
  const { uid, gid } = await stat(owned);
  await mkdir(join(folder, 'log'), { mode: 0o700 });
  await chown(join(folder, 'log'), uid, gid);
  return folder;
}

function commitsSideBySide({ openOn, newUrl, connect }: Context): void {
  it.for([4, 40, 400])('ends some while another commit ends others, of %i open', async (open) => {
    const url = await newUrl();
    const { log, term } = await openOn(url, 2_000);
    const gids = gidsOf('g', open);
    await log.append(
      term,
      gids.map((gid) => beginning(term, gid)),
    );
    const other = await connect(url);
    await other.run('begin');
    for (let i = 0; i < open; i += 2) {
      await other.run(`delete from open_transaction where gid = '${gids[i]}'`);
    }
    const ends = gids.filter((_, i) => i % 2 === 1).map((gid) => ending(term, gid, 2));
    expect(every(await log.append(term, ends))).toBe('appended');
    await other.run('rollback');
    expect(await log.openGids('', 1_000)).toEqual(gids.filter((_, i) => i % 2 === 0));
  });
}

function termChanges({ fixture, openOn, newUrl, connect }: Context): void {
  async function untilWaiting(connection: RawConnection, sessions: number): Promise<void> {
    for (let waits = -1; waits < sessions; ) {
      waits = await fixture.lockWaits(connection);
    }
  }

  it('makes takeOver wait for an append in flight, which is still written', async () => {
    const url = await newUrl();
    const { log, term } = await openOn(url);
    const [holder, observer] = [await connect(url), await connect(url)];
    await holder.run('begin');
    await holder.run(`insert into transaction_log (gid, seq, shard, epoch, at_ms, records)
      values ('held', 1, 0, 0, 0, '[]')`);
    const appending = log.append(term, [beginning(term, 'a'), beginning(term, 'held')]);
    await untilWaiting(observer, 1);
    const other = fixture.open({ url });
    onTestFinished(() => other.close());
    let isOver = false;
    const taking = other.takeOver('node-2', '127.0.0.1:7401', startMs).then((next) => {
      isOver = true;
      return next;
    });
    await untilWaiting(observer, 2);
    expect(isOver).toBe(false);
    await holder.run('rollback');
    expect(await appending).toEqual(['appended', 'appended']);
    await taking;
    expect(await other.read(['a', 'held'])).toHaveLength(2);
    expect(await log.append(term, [following(term, 'a', 2)])).toEqual(['fenced']);
  });

  it('fences an append that is in flight while its term is ended', async () => {
    const url = await newUrl();
    const { log, term } = await openOn(url);
    const [holder, observer] = [await connect(url), await connect(url)];
    await holder.run('begin');
    await holder.run('update coordinator_node set ended_at_ms = 1 where ended_at_ms is null');
    const appending = log.append(term, [beginning(term, 'a')]);
    await untilWaiting(observer, 1);
    await holder.run('commit');
    expect(await appending).toEqual(['fenced']);
    expect(await log.read(['a'])).toEqual([]);
    expect(await log.find(['a'])).toEqual([]);
  });

  it('takes over in the middle of steady appends, within seconds', async () => {
    const url = await newUrl();
    const { log, term } = await openOn(url);
    const flowing = Promise.withResolvers<void>();
    let count = 0;
    const appendUntilFenced = async (name: string) => {
      for (;;) {
        const batch = gidsOf(`${name}-${count}`, 64).map((gid) => beginning(term, gid));
        count += 1;
        if (count === 20) flowing.resolve();
        const answer = every(await log.append(term, batch));
        if (answer !== 'appended') return answer;
      }
    };
    const appending = [appendUntilFenced('left'), appendUntilFenced('right')];
    await flowing.promise;
    const startedMs = performance.now();
    const next = await openOn(url);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect(await Promise.all(appending)).toEqual(['fenced', 'fenced']);
    const rows = await next.log.openGids('', 1_000_000);
    expect(rows.length % 64).toBe(0);
  });

  it('gives two who take over at once two epochs, and fences all but the later', async () => {
    const url = await newUrl();
    const logs = [fixture.open({ url }), fixture.open({ url })] as const;
    onTestFinished(async () => void (await Promise.all(logs.map((log) => log.close()))));
    const terms = await Promise.all(logs.map((log) => log.takeOver('n', 'a', startMs)));
    const epochs = terms.map((term) => term.epoch).toSorted((a, b) => a - b);
    expect(new Set(epochs).size).toBe(2);
    const answers = terms.map(async (term, i) => {
      const [answer] = (await logs[i]?.append(term, [beginning(term, `g${i}`)])) ?? [];
      return [term.epoch, answer];
    });
    expect(new Map((await Promise.all(answers)) as [number, AppendAnswer][])).toEqual(
      new Map([
        [epochs[0], 'fenced'],
        [epochs[1], 'appended'],
      ]),
    );
    const shards = await (await connect(url)).run('select distinct epoch from log_shard');
    expect(shards.map((row) => Number(row['epoch']))).toEqual([epochs[1]]);
  });
}
