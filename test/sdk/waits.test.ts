/** What local transactions wait for: who ends it, and what that may never hit. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SettleError } from '../../client-sdk/index.ts';
import { silentLogger } from '../../client-sdk/logger.ts';
import type { ReportWaitsAnswer, ReportWaitsRequest } from '../../client-sdk/protocol/index.ts';
import {
  type LocalWaitsPorts,
  ScopeWaits,
  type StatementWait,
} from '../../client-sdk/resource/waits.ts';
import { WaitWatch } from '../../client-sdk/resource/waits-watch.ts';

const unwatched = { enter() {}, leave() {} };
const connection = { database: 'db', id: 5 };

/** A database whose statements end, and whose cancels are answered, when the test says so. */
function stage() {
  const done: string[] = [];
  const [statement, cancel] = [Promise.withResolvers<string>(), Promise.withResolvers<void>()];
  const ports: LocalWaitsPorts = {
    resource: 'orders',
    connection,
    session: {
      async query(text) {
        done.push(text);
        return { rows: [], count: 0 };
      },
    },
    source: {
      blockers: async () => new Map(),
      async cancel(_, sending) {
        if (!sending()) return;
        done.push('cancel sent');
        await cancel.promise;
        done.push('cancel answered');
      },
    },
  };
  const scope = new ScopeWaits('young', () => false);
  const local = scope.open(unwatched, ports);
  const run = () => local.run('update t', () => statement.promise);
  const theWait = () => {
    const [wait] = scope.waitsSince(Number.POSITIVE_INFINITY);
    if (wait === undefined) throw new Error('nothing is waited for');
    return wait;
  };
  return { done, statement, cancel, ports, scope, local, run, theWait };
}

describe('a statement that gives way', () => {
  it('has failed, and says to whom it gave way', async () => {
    const { run, theWait, statement, cancel, done } = stage();
    const outcome = expect(run()).rejects.toMatchObject({
      code: 'LOCK_CONFLICT',
      gid: 'young',
      detail: expect.stringMatching(/^young gave way to old: /),
      cause: expect.objectContaining({ message: 'canceled' }),
    });
    theWait().giveWay('old');
    statement.reject(new Error('canceled'));
    cancel.resolve();
    await outcome;
    expect(done).toEqual(['cancel sent', 'cancel answered', 'select 1']);
  });

  it('has failed even when it was done before the cancel came to it', async () => {
    const { run, theWait, statement, cancel } = stage();
    const outcome = expect(run()).rejects.toMatchObject({ code: 'LOCK_CONFLICT' });
    theWait().giveWay('old');
    statement.resolve('done');
    cancel.resolve();
    await outcome;
  });

  it('keeps its connection until no cancel can hit another one there', async () => {
    const { run, theWait, statement, cancel, local, done } = stage();
    const outcome = run().catch(() => undefined);
    theWait().giveWay('old');
    statement.resolve('done');
    const released = Promise.withResolvers<void>();
    local.close(() => {
      done.push('released');
      released.resolve();
    });
    expect(done).toEqual(['cancel sent']);
    cancel.resolve();
    await released.promise;
    await outcome;
    expect(done).toEqual(['cancel sent', 'cancel answered', 'select 1', 'released']);
  });

  it('is let alone when it is over, and when no cancel could be sent', async () => {
    const { run, theWait, statement, scope, ports, local, done } = stage();
    const first = run();
    const wait = theWait();
    statement.resolve('done');
    expect(await first).toBe('done');
    wait.giveWay('old');
    const idle = { ...ports.source, cancel: async () => undefined };
    const other = scope.open(unwatched, { ...ports, source: idle });
    const second = other.run('update t', async () => {
      theWait().giveWay('old');
      return 'done, too';
    });
    expect(await second).toBe('done, too');
    local.close(() => done.push('released'));
    expect(done).toEqual(['released']);
  });

  it('is asked again to, when the first cancel has ended nothing', async () => {
    const { run, theWait, statement, cancel, done } = stage();
    const outcome = run().catch(() => undefined);
    theWait().giveWay('old');
    theWait().giveWay('old');
    cancel.resolve();
    await vi.waitFor(() => expect(done).toEqual(['cancel sent', 'cancel answered']));
    theWait().giveWay('old');
    expect(done.at(-1)).toBe('cancel sent');
    statement.resolve('done');
    await outcome;
  });

  it('so does a wait for a decision', async () => {
    const { local, theWait } = stage();
    const waiting = local.decision('old', (signal) => {
      const { promise, reject } = Promise.withResolvers<void>();
      signal.addEventListener('abort', () => reject(signal.reason));
      return promise;
    });
    theWait().giveWay('old');
    await expect(waiting).rejects.toMatchObject({ code: 'LOCK_CONFLICT' });
  });
});

describe('the watch', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** A scope under watch: what its database is asked, and what its coordinator is told. */
  function watched(isElsewhere: boolean, answer: () => Promise<ReportWaitsAnswer>) {
    const asked: (readonly StatementWait[])[] = [];
    const told: ReportWaitsRequest[] = [];
    const watch = new WaitWatch({
      logger: silentLogger,
      channel: {
        request(_, body) {
          // Parse boundary: the watch asks nothing else.
          told.push(body as ReportWaitsRequest);
          return answer() as Promise<never>;
        },
      },
    });
    const { ports } = stage();
    const scope = new ScopeWaits('young', () => isElsewhere);
    const local = scope.open(watch, {
      ...ports,
      source: {
        async blockers(waits) {
          asked.push(waits);
          return new Map(waits.map((wait) => [wait, [7]]));
        },
        cancel: async () => undefined,
      },
    });
    return { asked, told, scope, local };
  }

  const goOn = async (): Promise<ReportWaitsAnswer> => ({ giveWay: null });

  it('asks and tells nothing of what ends soon', async () => {
    const { asked, told, local } = watched(false, goOn);
    const quick = Promise.withResolvers<void>();
    const running = local.run('update t', () => quick.promise);
    await vi.advanceTimersByTimeAsync(99);
    quick.resolve();
    await running;
    await vi.advanceTimersByTimeAsync(1_000);
    expect([asked, told]).toEqual([[], []]);
    local.close(() => undefined);
    await vi.advanceTimersByTimeAsync(150);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('tells of what waits, look after look, under one name', async () => {
    const { told, local } = watched(false, goOn);
    void local.run('update t', () => new Promise(() => undefined));
    await vi.advanceTimersByTimeAsync(460);
    expect(told).toHaveLength(3);
    expect(new Set(told.map(({ scope }) => scope)).size).toBe(1);
    expect(told.map(({ look }) => look)).toEqual([1, 2, 3]);
    expect(told[0]).toMatchObject({
      gid: 'young',
      waits: [{ id: 1, database: 'db', blockers: [7] }],
      holders: [],
      connections: [connection],
    });
  });

  it('tells of connections alone when others may work for the same gid', async () => {
    const { asked, told } = watched(true, goOn);
    await vi.advanceTimersByTimeAsync(310);
    expect(told.map(({ waits, connections }) => [waits, connections])).toEqual([
      [[], [connection]],
      [[], [connection]],
    ]);
    expect(asked).toEqual([]);
  });

  it('is another scope after a report whose answer is lost', async () => {
    const { told } = watched(true, () => Promise.reject(new SettleError('UNREACHABLE', 'no line')));
    await vi.advanceTimersByTimeAsync(310);
    expect(new Set(told.map(({ scope }) => scope)).size).toBe(2);
  });

  it('leaves a coordinator alone that does not know the question', async () => {
    const { told } = watched(true, () =>
      Promise.reject(new SettleError('INVALID_REQUEST', 'verb: is not a known verb')),
    );
    await vi.advanceTimersByTimeAsync(5_000);
    expect(told).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(6_000);
    expect(told).toHaveLength(2);
  });

  it('does without a database that does not answer', async () => {
    const { told, scope, local } = watched(false, goOn);
    const { ports } = stage();
    const silent = { ...ports.source, blockers: () => new Promise<never>(() => undefined) };
    const other = scope.open(unwatched, { ...ports, connection: null, source: silent });
    void other.run('update u', () => new Promise(() => undefined));
    void local.run('update t', () => new Promise(() => undefined));
    await vi.advanceTimersByTimeAsync(700);
    expect(told[0]?.waits).toHaveLength(1);
  });
});
