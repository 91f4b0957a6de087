/**
 * The suite that every way to a participant's database must pass: what business code does takes
 * effect once for each branch and operation, however the calls are repeated, reordered and raced.
 * Effects are rows of a table without a key, written by the handlers in the local transaction, so
 * that a second effect could not hide. Races are held open by gates, never by sleeping.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RetryableError, TerminalError } from '../../client-sdk/errors.ts';
import { barrierOf, type Database } from '../../client-sdk/participant/databases/detect.ts';
import { stepMethod, tccMethod } from '../../client-sdk/participant/method.ts';
import type { Call, CallAnswer, Json, Operation } from '../../client-sdk/protocol/index.ts';
import { afterWork, type Gate, gate } from '../support/gate.ts';
import { barrierInterleavings } from './barrier-interleavings.ts';

/** Rows by column name. */
export type Rows = readonly Readonly<Record<string, unknown>>[];

/** A participant's database, opened by one of the adapters. */
export interface BarrierStore {
  /** As a user would give it to `settle.tcc`. */
  readonly db: Database;
  /** Runs SQL in a handler's transaction. The rows are those of a select. */
  execute(trx: unknown, sql: string): Promise<Rows>;
  /** Runs SQL outside of any transaction, on a connection of its own where there are several. */
  query(sql: string): Promise<Rows>;
  /**
   * Resolves when a local transaction waits for another one inside the database; at once where
   * transactions queue in front of it (SQLite).
   */
  waiterSeen(): Promise<void>;
  close(): Promise<void>;
}

/** What a handler of the suite does besides its effect. */
export type Behaviour = (call: Call, times: number) => unknown;

/** Asks an operation of a branch. */
export type Ask = (operation: Operation, gid: string, branchId?: number) => Promise<CallAnswer>;

/** Table of the effects; the suite needs it beside settle_barrier. */
export const effectTable =
  'create table effect (gid varchar(64) not null, branch_id int not null, operation varchar(16) not null)';

/** Rows that the business code of a branch has left, as `operation` texts in order of the alphabet. */
export async function effectsOf(store: BarrierStore, gid: string, branchId = 1): Promise<string> {
  const rows = await store.query(
    `select operation, gid from effect where branch_id = ${branchId} and gid = '${gid}' order by 1`,
  );
  // MySQL's default collation takes texts that differ in case for the same.
  const own = rows.filter((row) => row['gid'] === gid);
  return own.map((row) => row['operation']).join(' ');
}

async function barrierRows(store: BarrierStore, gid: string): Promise<string> {
  const rows = await store.query(
    `select operation, state from settle_barrier where gid = '${gid}' order by 1`,
  );
  return rows.map((row) => `${row['operation']}:${row['state']}`).join(' ');
}

/**
 * Both kinds of method over one database. Each handler writes its effect, then does what the
 * behaviour says and returns it.
 */
export function asking(
  store: BarrierStore,
  behaviour: Behaviour = () => null,
  db: Database = store.db,
): Ask {
  let times = 0;
  const work = async (trx: unknown, operation: Operation, key: string) => {
    const [gid = '', branchId = ''] = key.split('/');
    await store.execute(
      trx,
      `insert into effect (gid, branch_id, operation) values ('${gid}', ${branchId}, '${operation}')`,
    );
    times += 1;
    const call = { gid, branchId: Number(branchId), operation, method: 'm', payload: null };
    return behaviour(call, times);
  };
  const tcc = tccMethod<Database, Json, unknown>('m', {
    db,
    try: (trx, _, { key }) => work(trx, 'try', key),
    confirm: (trx, _, { key }) => work(trx, 'confirm', key),
    cancel: (trx, _, { key }) => work(trx, 'cancel', key),
  });
  const step = stepMethod<Database, Json, unknown, unknown>('m', {
    db,
    run: (trx, { call }) => work(trx, 'run', call.key),
    undo: (trx, { call }) => work(trx, 'undo', call.key),
  });
  return (operation, gid, branchId = 1) => {
    const method = operation === 'run' || operation === 'undo' ? step : tcc;
    return method.handle({ gid, branchId, operation, method: 'm', payload: null });
  };
}

/** Asks until the answer is not `unknown`, as the coordinator does; deadlocks end like this. */
export async function insist(ask: () => Promise<CallAnswer>): Promise<CallAnswer> {
  for (let times = 1; ; times += 1) {
    const answer = await ask();
    if (answer.outcome !== 'unknown') return answer;
    if (times === 50) throw new Error(`still unknown after 50 times: ${answer.error}`);
  }
}

const done = { outcome: 'done', result: null } as const;
const blocked = {
  outcome: 'refused',
  error: expect.stringContaining('BARRIER_BLOCKED'),
};

/** Registers the tests; `open` gives a store with both tables, empty. */
export function barrierConformance(open: () => Promise<BarrierStore>): void {
  let store: BarrierStore;
  beforeAll(async () => {
    store = await open();
  });
  afterAll(() => store.close());
  const current = () => store;
  duplicates(current);
  orders(current);
  results(current);
  failures(current);
  races(current);
  barrierInterleavings(current);
}

function duplicates(store: () => BarrierStore): void {
  it('runs a try, a confirm, a run and an undo once, however often they are asked', async () => {
    const ask = asking(store());
    for (const [gid, forward, second] of [
      ['dup-1', 'try', 'confirm'],
      ['dup-2', 'try', 'cancel'],
      ['dup-3', 'run', 'undo'],
    ] as const) {
      for (let times = 0; times < 3; times += 1) expect(await ask(forward, gid)).toEqual(done);
      for (let times = 0; times < 3; times += 1) expect(await ask(second, gid)).toEqual(done);
      expect((await effectsOf(store(), gid)).split(' ').sort()).toEqual([forward, second].sort());
    }
  });

  it('keeps gids and branches apart', async () => {
    const ask = asking(store());
    await ask('try', 'apart');
    await ask('try', 'APART');
    await ask('try', 'apart', 2);
    await ask('cancel', 'apart', 2);
    expect(await effectsOf(store(), 'apart', 1)).toBe('try');
    expect(await effectsOf(store(), 'APART', 1)).toBe('try');
    expect(await effectsOf(store(), 'apart', 2)).toBe('cancel try');
    expect(await ask('confirm', 'apart')).toEqual(done);
  });
}

function orders(store: () => BarrierStore): void {
  it('takes an empty cancel or undo as done, and refuses what it cancelled when that comes late', async () => {
    const ask = asking(store());
    for (const [gid, forward, backward] of [
      ['empty-1', 'try', 'cancel'],
      ['empty-2', 'run', 'undo'],
    ] as const) {
      expect(await ask(backward, gid)).toEqual(done);
      expect(await ask(backward, gid)).toEqual(done);
      expect(await ask(forward, gid)).toMatchObject(blocked);
      expect(await ask(backward, gid)).toEqual(done);
      expect(await effectsOf(store(), gid)).toBe('');
      expect(await barrierRows(store(), gid)).toBe(`${forward}:blocked`);
    }
  });

  it('refuses a confirm without a try and writes nothing', async () => {
    const ask = asking(store());
    expect(await ask('confirm', 'early')).toMatchObject({
      outcome: 'refused',
      error: expect.stringContaining('confirm without a try'),
    });
    expect(await barrierRows(store(), 'early')).toBe('');
    await ask('try', 'early');
    expect(await ask('confirm', 'early')).toEqual(done);
    expect(await effectsOf(store(), 'early')).toBe('confirm try');
  });

  it('refuses the other decision once one is in the database', async () => {
    const ask = asking(store());
    await ask('try', 'both-1');
    await ask('confirm', 'both-1');
    expect(await ask('cancel', 'both-1')).toMatchObject({ outcome: 'refused' });
    await ask('try', 'both-2');
    await ask('cancel', 'both-2');
    expect(await ask('confirm', 'both-2')).toMatchObject({ outcome: 'refused' });
    expect(await effectsOf(store(), 'both-1')).toBe('confirm try');
    expect(await effectsOf(store(), 'both-2')).toBe('cancel try');
  });
}

function results(store: () => BarrierStore): void {
  it('answers a duplicate with the stored result, and hands it to confirm, cancel and undo', async () => {
    const result = {
      seat: '12A',
      price: 0.1,
      text: `' " \\ \n 🏦 \u0000 $json$ $1 ?`,
      deep: [null, [true]],
    };
    const seen: unknown[] = [];
    const method = tccMethod<Database, Json, Json>('m', {
      db: store().db,
      try: () => result,
      confirm: (_, __, { tried }) => seen.push(tried),
      cancel: () => undefined,
    });
    const step = stepMethod<Database, Json, unknown, Json>('s', {
      db: store().db,
      run: () => result,
      undo: (_, call) => seen.push(call.result),
    });
    const call = { gid: 'result', branchId: 1, method: 'm', payload: null } as const;
    const answered = { outcome: 'done', result };
    expect(await method.handle({ ...call, operation: 'try' })).toEqual(answered);
    expect(await method.handle({ ...call, operation: 'try' })).toEqual(answered);
    expect(await method.handle({ ...call, operation: 'confirm' })).toEqual(done);
    expect(await step.handle({ ...call, operation: 'run', branchId: 2 })).toEqual(answered);
    expect(await step.handle({ ...call, operation: 'undo', branchId: 2 })).toEqual(done);
    expect(seen).toEqual([result, result]);
  });

  it('keeps a result of 64 KiB, and refuses one byte more before it commits', async () => {
    const largest = 'x'.repeat(64 * 1024 - 2);
    const fits = asking(store(), () => largest);
    expect(await fits('try', 'large')).toEqual({ outcome: 'done', result: largest });
    expect(await fits('try', 'large')).toEqual({ outcome: 'done', result: largest });
    const tooLarge = asking(store(), () => `${largest}x`);
    expect(await tooLarge('try', 'larger')).toMatchObject({ outcome: 'refused' });
    expect(await effectsOf(store(), 'larger')).toBe('');
    expect(await barrierRows(store(), 'larger')).toBe('');
  });
}

function failures(store: () => BarrierStore): void {
  it('leaves no row and no effect when the handler throws, and runs it when asked again', async () => {
    for (const [name, error, answer] of [
      ['terminal', new TerminalError('no money'), { outcome: 'refused', error: 'no money' }],
      [
        'retryable',
        new RetryableError('busy', { retryAfterMs: 7 }),
        { outcome: 'unknown', error: 'busy', retryAfterMs: 7 },
      ],
      ['other', new Error('boom'), { outcome: 'unknown', error: 'boom' }],
    ] as const) {
      const gid = `throws-${name}`;
      const ask = asking(store(), ({ operation }, times) => {
        if (operation === 'try' ? times === 1 : times === 3) throw error;
      });
      expect(await ask('try', gid)).toEqual(answer);
      expect(await barrierRows(store(), gid)).toBe('');
      expect(await effectsOf(store(), gid)).toBe('');
      expect(await ask('try', gid)).toEqual(done);
      expect(await ask('cancel', gid)).toEqual(answer);
      expect(await barrierRows(store(), gid)).toBe('try:done');
      expect(await ask('cancel', gid)).toEqual(done);
      expect(await effectsOf(store(), gid)).toBe('cancel try');
    }
  });

  it('says what to run when the table is missing', async () => {
    await store().query('alter table settle_barrier rename to kept');
    try {
      const answer = await asking(store())('try', 'missing');
      expect(answer).toMatchObject({
        outcome: 'unknown',
        error: expect.stringContaining('run `settle migrate --participant URL`'),
      });
    } finally {
      await store().query('alter table kept rename to settle_barrier');
    }
  });
}

/** For databases with several connections: who waits for whom, and what an open transaction sees. */
export function concurrency(open: () => Promise<BarrierStore>): void {
  it('does not let the neighbours of an open duplicate wait', async () => {
    const store = await open();
    const held = gate();
    const ask = asking(store);
    await ask('try', 'neighbour', 3);
    const duplicate = asking(store, undefined, afterWork(barrierOf(store.db), held));
    const second = duplicate('try', 'neighbour', 3);
    await held.entered;
    for (const branchId of [1, 2, 4]) expect(await ask('try', 'neighbour', branchId)).toEqual(done);
    expect(await ask('confirm', 'neighbour', 3)).toEqual(done);
    held.open();
    expect(await second).toEqual(done);
    await store.close();
  });

  it('runs handlers under READ COMMITTED, whatever the default of the server', async () => {
    const store = await open();
    const counts: unknown[] = [];
    const reader = tccMethod<Database>('m', {
      db: store.db,
      async try(trx) {
        for (const gid of ['seen-1', 'seen-2']) {
          const [row] = await store.execute(trx, 'select count(*) as n from effect');
          counts.push(Number(row?.['n']));
          await store.query(`insert into effect values ('${gid}', 1, 'try')`);
        }
        return null;
      },
      confirm: () => undefined,
      cancel: () => undefined,
    });
    const call = {
      gid: 'fresh',
      branchId: 1,
      operation: 'try',
      method: 'm',
      payload: null,
    } as const;
    expect(await reader.handle(call)).toEqual(done);
    expect(counts).toEqual([0, 1]);
    await store.close();
  });
}

/** A try that has written its rows and waits; the gate's `entered` says when. */
function heldTry(store: BarrierStore): { readonly ask: Ask; readonly held: Gate } {
  const held = gate();
  const ask = asking(store, ({ operation }, times) =>
    operation === 'try' && times === 1 ? held.pass() : null,
  );
  return { ask, held };
}

function races(store: () => BarrierStore): void {
  it('runs the business once when two duplicates come at once', async () => {
    const { ask, held } = heldTry(store());
    const first = ask('try', 'twice');
    await held.entered;
    const second = ask('try', 'twice');
    await store().waiterSeen();
    held.open();
    expect(await Promise.all([first, second])).toEqual([done, done]);
    expect(await effectsOf(store(), 'twice')).toBe('try');
  });

  it('lets a cancel wait for the open try that it cancels', async () => {
    const { ask, held } = heldTry(store());
    const tried = ask('try', 'race-try');
    await held.entered;
    const cancelled = ask('cancel', 'race-try');
    await store().waiterSeen();
    held.open();
    expect(await Promise.all([tried, cancelled])).toEqual([done, done]);
    expect(await effectsOf(store(), 'race-try')).toBe('cancel try');
  });

  it('takes the cancel as empty when the open try that it waits for fails', async () => {
    const { ask, held } = heldTry(store());
    const tried = ask('try', 'race-fail');
    await held.entered;
    const cancelled = ask('cancel', 'race-fail');
    await store().waiterSeen();
    held.fail(new Error('boom'));
    expect((await tried).outcome).toBe('unknown');
    expect(await cancelled).toEqual(done);
    expect(await ask('try', 'race-fail')).toMatchObject(blocked);
    expect(await effectsOf(store(), 'race-fail')).toBe('');
  });

  it('refuses a try that waits for the open cancel before it', async () => {
    const held = gate();
    const cancels = asking(store(), undefined, afterWork(barrierOf(store().db), held));
    const cancelled = cancels('cancel', 'race-cancel');
    await held.entered;
    const tried = asking(store())('try', 'race-cancel');
    await store().waiterSeen();
    held.open();
    expect(await cancelled).toEqual(done);
    expect(await tried).toMatchObject(blocked);
    expect(await effectsOf(store(), 'race-cancel')).toBe('');
  });

  it('lets the try go on when the open cancel before it fails', async () => {
    const held = gate();
    const cancels = asking(store(), undefined, afterWork(barrierOf(store().db), held));
    const cancelled = cancels('cancel', 'race-lost');
    await held.entered;
    const tried = asking(store())('try', 'race-lost');
    await store().waiterSeen();
    held.fail(new Error('the connection was lost'));
    expect((await cancelled).outcome).toBe('unknown');
    expect(await tried).toEqual(done);
    expect(await effectsOf(store(), 'race-lost')).toBe('try');
  });

  it('ends well when an open try fails that two duplicates wait for', async () => {
    const { ask, held } = heldTry(store());
    const first = ask('try', 'three');
    await held.entered;
    const others = [1, 2].map(() => insist(() => ask('try', 'three')));
    await store().waiterSeen();
    held.fail(new Error('boom'));
    expect((await first).outcome).toBe('unknown');
    expect(await Promise.all(others)).toEqual([done, done]);
    expect(await effectsOf(store(), 'three')).toBe('try');
  });
}
