/** Methods and the host: what a handler returns or throws, as the protocol says it. No database. */
import { readdir, readFile } from 'node:fs/promises';
import type { Kysely, Transaction } from 'kysely';
import type { Pool as MysqlPool, PoolConnection } from 'mysql2/promise';
import type { Pool, PoolClient } from 'pg';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { RetryableError, SettleError, TerminalError } from '../../client-sdk/errors.ts';
import { barrierSchema } from '../../client-sdk/participant/barrier-schema.ts';
import { barrierOf, type TrxOf } from '../../client-sdk/participant/databases/detect.ts';
import { createHost } from '../../client-sdk/participant/host.ts';
import { stepMethod, tccMethod } from '../../client-sdk/participant/method.ts';
import { undoSchema } from '../../client-sdk/participant/undo-schema.ts';
import type { CallAnswer, Operation } from '../../client-sdk/protocol/index.ts';

function methodThat(behave: () => unknown) {
  return tccMethod<undefined, unknown, unknown>('m', {
    try: behave,
    confirm: behave,
    cancel: behave,
  });
}

function answerTo(behave: () => unknown, operation: Operation = 'try'): Promise<CallAnswer> {
  const host = createHost();
  host.offer(methodThat(behave));
  return host.answer({ gid: 'g', branchId: 1, operation, method: 'm', payload: null });
}

function throwing(error: unknown): () => never {
  return () => {
    throw error;
  };
}

describe('host', () => {
  it('keeps the methods in the order of their offers and tells listeners', () => {
    const host = createHost();
    const seen: string[][] = [];
    const stop = host.onChange(() => seen.push([...host.methods()]));
    for (const name of ['debit', 'trip.flight']) {
      host.offer(stepMethod(name, { run: () => null }));
    }
    stop();
    host.offer(stepMethod('late', { run: () => null }));
    expect(seen).toEqual([['debit'], ['debit', 'trip.flight']]);
    expect(host.methods()).toEqual(['debit', 'trip.flight', 'late']);
  });

  it('refuses a name twice and a name outside its grammar', () => {
    const host = createHost();
    host.offer(methodThat(() => null));
    expect(() => host.offer(methodThat(() => null))).toThrow(
      expect.objectContaining({ code: 'CONFLICT' }),
    );
    expect(() => host.offer(stepMethod('not a name', { run: () => null }))).toThrow(
      expect.objectContaining({ code: 'INVALID_REQUEST' }),
    );
  });

  it('answers unknown for a method or an operation that it does not offer', async () => {
    const host = createHost();
    host.offer(methodThat(() => null));
    const call = { gid: 'g', branchId: 1, payload: null } as const;
    for (const [method, operation] of [
      ['n', 'try'],
      ['m', 'run'],
    ] as const) {
      expect(await host.answer({ ...call, method, operation })).toMatchObject({
        outcome: 'unknown',
        error: expect.stringContaining('METHOD_NOT_OFFERED'),
      });
    }
  });

  it('never rejects, even when a method breaks its promise', async () => {
    const host = createHost();
    const handle = async () => throwing(new Error('broken'))();
    host.offer({ name: 'm', operations: ['try'], handle });
    const call = { gid: 'g', branchId: 1, operation: 'try', method: 'm', payload: null } as const;
    expect(await host.answer(call)).toEqual({ outcome: 'unknown', error: 'broken' });
  });
});

describe('answers', () => {
  const circle: { self?: unknown } = {};
  circle.self = circle;
  const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
  const database = (fields: object) => Object.assign(new Error('database'), fields);

  it.each<[string, unknown, CallAnswer]>([
    ['a TerminalError', new TerminalError('no'), { outcome: 'refused', error: 'no' }],
    [
      'a RetryableError',
      new RetryableError('later', { retryAfterMs: 5 }),
      { outcome: 'unknown', error: 'later', retryAfterMs: 5 },
    ],
    ['any other error', new Error('boom'), { outcome: 'unknown', error: 'boom' }],
    ['a text', 'boom', { outcome: 'unknown', error: 'boom' }],
    ['nothing', undefined, { outcome: 'unknown', error: 'the handler failed' }],
    [
      'a blocked call',
      new SettleError('BARRIER_BLOCKED', 'late'),
      { outcome: 'refused', error: 'BARRIER_BLOCKED: late' },
    ],
    [
      'a refusal from further on',
      new SettleError('REFUSED', 'no money'),
      { outcome: 'refused', error: 'no money' },
    ],
    ['work that goes on', new SettleError('ONGOING', ''), { outcome: 'ongoing' }],
    [
      'an unknown outcome',
      new SettleError('UNKNOWN', 'lost'),
      { outcome: 'unknown', error: 'UNKNOWN: lost' },
    ],
    [
      'a deadlock of PostgreSQL',
      database({ code: '40P01' }),
      { outcome: 'unknown', error: 'database', retryAfterMs: 50 },
    ],
    [
      'a deadlock of MySQL',
      database({ code: 'ER_LOCK_DEADLOCK' }),
      { outcome: 'unknown', error: 'database', retryAfterMs: 50 },
    ],
    [
      'a busy SQLite',
      database({ code: 'ERR_SQLITE_ERROR', errcode: 517 }),
      { outcome: 'unknown', error: 'database', retryAfterMs: 50 },
    ],
    [
      'a refused connection',
      Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }),
      { outcome: 'unknown', error: 'ECONNREFUSED' },
    ],
  ])('takes %s for what it is', async (_, error, answer) => {
    expect(await answerTo(throwing(error))).toEqual(answer);
  });

  it('cuts texts at 512 characters and never shows a stack', async () => {
    const answer = await answerTo(throwing(new Error('x'.repeat(513))));
    expect(answer).toEqual({ outcome: 'unknown', error: 'x'.repeat(512) });
  });

  it.each<[string, unknown, unknown]>([
    ['undefined', undefined, null],
    ['a Date', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['a missing property', { a: undefined, b: [undefined] }, { b: [null] }],
    ['an own __proto__', JSON.parse('{"__proto__":1}'), JSON.parse('{"__proto__":1}')],
    ['32 levels', nested(32), nested(32)],
  ])('answers %s as JSON has it', async (_, result, value) => {
    expect(await answerTo(() => result)).toEqual({ outcome: 'done', result: value });
  });

  it.each<[string, unknown, string]>([
    ['a BigInt', { cents: 1n }, 'a BigInt'],
    ['a function', { undo: () => 1 }, 'a function'],
    ['a symbol', Symbol('s'), 'a symbol'],
    ['NaN', Number.NaN, 'the number NaN'],
    ['a Map', new Map(), 'a Map'],
    ['a circle', circle, 'nested more than 32 levels'],
    ['33 levels', nested(33), 'nested more than 32 levels'],
    ['64 KiB and a byte', 'x'.repeat(64 * 1024 - 1), 'has 65537 bytes'],
  ])('refuses %s as a result', async (_, result, why) => {
    expect(await answerTo(() => result)).toMatchObject({
      outcome: 'refused',
      error: expect.stringContaining(why),
    });
  });

  it('takes no notice of what confirm and cancel return', async () => {
    for (const operation of ['confirm', 'cancel'] as const) {
      expect(await answerTo(() => 1n, operation)).toEqual({ outcome: 'done', result: null });
    }
  });
});

describe('methods', () => {
  const call = { gid: 'g', branchId: 2, method: 'm', payload: '7' } as const;
  const numeric = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value: unknown) =>
        value === '7' ? { value: 7 } : { issues: [{ message: 'is no 7', path: ['cents'] }] },
    },
  } as const;

  it('gives handlers the keys of the call, and step handlers their results', async () => {
    const seen: unknown[] = [];
    const step = stepMethod('m', {
      run: (_, { input, results, call: { key, forwardKey } }) =>
        seen.push([input, results, key, forwardKey]),
      undo: (_, { result, call: { key, forwardKey } }) => seen.push([result, key, forwardKey]),
    });
    await step.handle({ ...call, operation: 'run', results: { before: 1 } });
    await step.handle({ ...call, operation: 'undo', result: null });
    await step.handle({ ...call, operation: 'undo' });
    expect(seen).toEqual([
      ['7', { before: 1 }, 'g/2/run', 'g/2/run'],
      [null, 'g/2/undo', 'g/2/run'],
      [undefined, 'g/2/undo', 'g/2/run'],
    ]);
  });

  it('takes an undo that was left out for done', async () => {
    const pivot = stepMethod('m', { run: () => null });
    const answer = await pivot.handle({ ...call, operation: 'undo' });
    expect(answer).toEqual({ outcome: 'done', result: null });
  });

  it('does not run anything for an operation of a resource', async () => {
    let ran = 0;
    const run = () => {
      ran += 1;
    };
    const method = tccMethod('m', { try: run, confirm: run, cancel: run });
    for (const operation of ['commit', 'rollback'] as const) {
      const error = `METHOD_NOT_OFFERED: "m" has no operation "${operation}"`;
      expect(await method.handle({ ...call, operation })).toEqual({ outcome: 'unknown', error });
    }
    expect(ran).toBe(0);
  });

  it('refuses input outside of the schema before try, but never stops phase two', async () => {
    const seen: unknown[] = [];
    const see = (_: unknown, input: number) => seen.push(input);
    const method = tccMethod<undefined, number, unknown>('m', {
      input: numeric,
      try: see,
      confirm: see,
      cancel: see,
    });
    const wrong = { ...call, payload: '8' };
    expect(await method.handle({ ...wrong, operation: 'try' })).toEqual({
      outcome: 'refused',
      error: 'invalid input: cents: is no 7',
    });
    for (const operation of ['try', 'confirm'] as const)
      await method.handle({ ...call, operation });
    expect((await method.handle({ ...wrong, operation: 'cancel' })).outcome).toBe('done');
    expect(seen).toEqual([7, 7, '8']);
  });

  it('asks the function for the database of each call, with the same input', async () => {
    const asked: string[] = [];
    const shard = { transact: async () => throwing(new Error('this shard'))() };
    const method = tccMethod('m', {
      db: (input: string) => {
        asked.push(input);
        return shard;
      },
      try: () => null,
      confirm: () => undefined,
      cancel: () => undefined,
    });
    for (const operation of method.operations) {
      const answer = await method.handle({ ...call, operation });
      expect(answer).toEqual({ outcome: 'unknown', error: 'this shard' });
    }
    expect(asked).toEqual(['7', '7', '7']);
  });
});

describe('databases', () => {
  const isConfigError = expect.objectContaining({ code: 'INVALID_CONFIG' });

  it('refuses what is no database, a transaction, and the callback flavour of mysql2', () => {
    const adapter = { supportsReturning: true };
    const kysely = { transaction: () => null, getExecutor: () => ({ adapter }) };
    const callbackPool = { getConnection: () => null, promise: () => null };
    for (const db of [{}, 'postgres://', { ...kysely, isTransaction: true }, callbackPool]) {
      expect(() => barrierOf(db)).toThrow(isConfigError);
    }
    const mssql = () => ({ adapter: { supportsOutput: true } });
    expect(() => barrierOf({ ...kysely, isTransaction: false, getExecutor: mssql })).toThrow(
      isConfigError,
    );
  });

  it('types the transaction that handlers get by the database', () => {
    interface Tables {
      account: { id: string; cents: number };
    }
    expectTypeOf<TrxOf<Kysely<Tables>>>().toEqualTypeOf<Transaction<Tables>>();
    expectTypeOf<TrxOf<Pool>>().toEqualTypeOf<PoolClient>();
    expectTypeOf<TrxOf<MysqlPool>>().toEqualTypeOf<PoolConnection>();
    expectTypeOf<TrxOf<undefined>>().toEqualTypeOf<undefined>();
  });

  it.each(['sqlite', 'postgres', 'mysql'] as const)(
    'creates the table of the migration on %s',
    async (dialect) => {
      const folder = new URL(`../../migrations/participant/${dialect}/`, import.meta.url);
      const text = await readFile(new URL('0001_barrier.sql', folder), 'utf8');
      const statement = text.replaceAll(/^--.*\n/gm, '').trim();
      expect(`${barrierSchema(dialect)};`).toBe(statement);
    },
  );

  it.each(['postgres', 'mysql', 'sqlite'] as const)(
    'has the text of the migration for undo rows: %s',
    async (dialect) => {
      const folder = new URL(`../../migrations/participant/${dialect}/`, import.meta.url);
      const files = (await readdir(folder)).sort().slice(1);
      const texts = await Promise.all(files.map((file) => readFile(new URL(file, folder), 'utf8')));
      const statements = undoSchema(dialect).map((statement) => `${statement};\n`);
      expect(statements.join('')).toBe(texts.join('').replaceAll(/^--.*\n/gm, ''));
    },
  );
});
