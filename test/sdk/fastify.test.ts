/** The Fastify plugin against a real app: which transaction a handler is in, and how errors leave. */
import Fastify, { type FastifyInstance } from 'fastify';
import { describe, expect, test } from 'vitest';
import { participantRoutes, settlePlugin } from '../../client-sdk/fastify.ts';
import {
  currentTransaction,
  RetryableError,
  SettleError,
  TerminalError,
} from '../../client-sdk/index.ts';
import { stepMethod, tccMethod } from '../../client-sdk/participant/index.ts';
import type { Settle } from '../../client-sdk/settle.ts';
import { version } from '../../client-sdk/version.ts';
import { ScriptedCoordinator } from './scripted-coordinator.ts';
import { connectTo, idle } from './support.ts';

const gid = 'gid-1';
const headers = { 'settle-gid': gid };
const inTransaction = () => ({ gid: currentTransaction()?.gid ?? null });

interface World extends AsyncDisposable {
  readonly coordinator: ScriptedCoordinator;
  readonly settle: Settle;
  readonly app: FastifyInstance;
}

async function world(): Promise<World> {
  const coordinator = await ScriptedCoordinator.start();
  const settle = await connectTo(coordinator);
  const app = Fastify();
  await app.register(settlePlugin(settle));
  return {
    coordinator,
    settle,
    app,
    async [Symbol.asyncDispose]() {
      await app.close();
      await settle.close();
      await coordinator[Symbol.asyncDispose]();
    },
  };
}

describe('joining', () => {
  test('a request with a gid runs in that transaction, one without in none', async () => {
    await using all = await world();
    all.app.get('/', async () => inTransaction());
    expect((await all.app.inject({ url: '/', headers })).json()).toEqual({ gid });
    expect((await all.app.inject('/')).json()).toEqual({ gid: null });
  });

  test('also after a large body was read, in parallel, and in child plugins', async () => {
    await using all = await world();
    await all.app.register(async (child) => {
      child.post('/child', async (request) => {
        await new Promise((resolve) => setImmediate(resolve));
        return { ...inTransaction(), length: String(request.body).length };
      });
    });
    const gids = Array.from({ length: 20 }, (_, index) => `gid-${index}`);
    const bodies = await Promise.all(
      gids.map(async (each) => {
        const response = await all.app.inject({
          method: 'POST',
          url: '/child',
          headers: { 'settle-gid': each, 'content-type': 'text/plain' },
          payload: 'x'.repeat(200_000),
        });
        return response.json();
      }),
    );
    expect(bodies).toEqual(gids.map((each) => ({ gid: each, length: 200_000 })));
  });

  test('branches that a handler calls are registered, and the response waits for them', async () => {
    await using all = await world();
    const order: string[] = [];
    const debit = all.settle.tcc('debit', {
      try: async (_, input: number) => {
        await new Promise((resolve) => setImmediate(resolve));
        order.push('tried');
        return input;
      },
      ...idle,
    });
    all.app.post('/pay', async () => {
      // Not awaited: a mistake that must not leave a branch untried behind a success.
      void debit(5);
      return { ok: true };
    });
    const response = await all.app.inject({ method: 'POST', url: '/pay', headers });
    order.push('answered');
    expect(response.json()).toEqual({ ok: true });
    expect(order).toEqual(['tried', 'answered']);
    expect(all.coordinator.of('register')).toMatchObject([{ body: { gid } }]);
    expect(all.coordinator.of('decide')).toEqual([]);
  });

  test('handlers that answer by reply.send, now or later, keep working', async () => {
    await using all = await world();
    all.app.get('/now', (_, reply) => reply.send(inTransaction()));
    all.app.get('/later', (_, reply) => {
      setImmediate(() => reply.send(inTransaction()));
    });
    all.app.get('/async', async (_, reply) => {
      await reply.code(201).send(inTransaction());
      return reply;
    });
    for (const url of ['/now', '/later', '/async']) {
      expect((await all.app.inject({ url, headers })).json()).toEqual({ gid });
      expect((await all.app.inject(url)).json()).toEqual({ gid: null });
    }
  });

  test('a gid outside its grammar is 400; a route that came before the plugin refuses a gid', async () => {
    await using all = await world();
    all.app.get('/', async () => inTransaction());
    const wrong = await all.app.inject({ url: '/', headers: { 'settle-gid': 'not a gid' } });
    expect([wrong.statusCode, wrong.json().code]).toEqual([400, 'INVALID_REQUEST']);

    const early = Fastify();
    early.get('/', async () => inTransaction());
    await early.register(settlePlugin(all.settle));
    const lost = await early.inject({ url: '/', headers });
    expect([lost.statusCode, lost.json().code]).toEqual([500, 'INVALID_CONFIG']);
    expect((await early.inject('/')).json()).toEqual({ gid: null });
    expect((await early.inject({ url: '/nowhere', headers })).statusCode).toBe(404);
    await early.close();
  });
});

describe('errors', () => {
  test.each([
    ['TerminalError', new TerminalError('no money'), 409, 'REFUSED', undefined],
    ['RetryableError', new RetryableError('busy', { retryAfterMs: 1_500 }), 503, 'UNKNOWN', '2'],
    ['SettleError', new SettleError('ONGOING', 'wait', { gid }), 425, 'ONGOING', undefined],
  ])('%s becomes a problem, sync or async, in a transaction or not', async (...row) => {
    const [, error, status, code, retryAfter] = row;
    await using all = await world();
    const fail = () => {
      throw error;
    };
    all.app.get('/sync', fail);
    all.app.get('/async', async () => fail());
    for (const url of ['/sync', '/async']) {
      for (const sent of [{}, headers]) {
        const response = await all.app.inject({ url, headers: sent });
        expect(response.statusCode).toBe(status);
        expect(response.headers['content-type']).toContain('application/problem+json');
        expect(response.headers['retry-after']).toBe(retryAfter);
        expect(response.json()).toMatchObject({ status, code, remedy: expect.any(String) });
      }
    }
  });

  test('other errors go to the error handler of the app, and show no stack', async () => {
    await using all = await world();
    const fail = () => {
      throw new Error('boom');
    };
    all.app.setErrorHandler((_, __, reply) => reply.code(418).send({ own: true }));
    all.app.get('/', async () => fail());
    for (const sent of [{}, headers]) {
      const response = await all.app.inject({ url: '/', headers: sent });
      expect([response.statusCode, response.json()]).toEqual([418, { own: true }]);
    }
  });
});

describe('participant routes', () => {
  const seats = tccMethod('seats', {
    try: (_, input: { seat: string } | null) => {
      if (input === null) throw new TerminalError('no seat');
      return { seat: input.seat, ...inTransaction() };
    },
    confirm: () => {
      throw new RetryableError('busy', { retryAfterMs: 3_000 });
    },
    cancel: () => {
      throw new SettleError('ONGOING', '');
    },
  });

  async function ask(app: FastifyInstance, url: string, body: unknown) {
    const response = await app.inject({
      method: 'POST',
      url,
      headers: { ...headers, 'content-type': 'application/json' },
      payload: JSON.stringify(body),
    });
    return { status: response.statusCode, body: response.json(), headers: response.headers };
  }

  test('answer by status: done, refused, unknown, ongoing', async () => {
    await using all = await world();
    participantRoutes(all.app, seats, '/seats');
    participantRoutes(all.app, stepMethod('car', { run: () => undefined }), '/car');
    const call = { gid, branchId: 1 };
    // Not joined, although the coordinator sends the header: nobody decides inside an operation.
    expect(await ask(all.app, '/seats/try', { ...call, payload: { seat: '1A' } })).toMatchObject({
      status: 200,
      body: { seat: '1A', gid: null },
    });
    expect(await ask(all.app, '/seats/try', call)).toMatchObject({
      status: 409,
      body: { code: 'REFUSED', detail: 'no seat' },
    });
    expect(await ask(all.app, '/seats/confirm', call)).toMatchObject({
      status: 503,
      headers: { 'retry-after': '3' },
      body: { code: 'UNKNOWN', detail: 'busy' },
    });
    expect(await ask(all.app, '/seats/cancel', call)).toMatchObject({ status: 425 });
    expect(await ask(all.app, '/car/run', call)).toMatchObject({ status: 200, body: null });
    expect(await ask(all.app, '/car/undo', call)).toMatchObject({ status: 200, body: null });
    expect(await ask(all.app, '/car/confirm', call)).toMatchObject({ status: 404 });
    expect(await ask(all.app, '/car/ping', call)).toMatchObject({ status: 200, body: { version } });
  });

  test.each([
    ['no object', []],
    ['no gid', { branchId: 1 }],
    ['a gid outside its grammar', { gid: "' or 1", branchId: 1 }],
    ['no branchId', { gid }],
    ['branchId 257', { gid, branchId: 257 }],
    ['branchId as text', { gid, branchId: '1' }],
    ['results that are a list', { gid, branchId: 1, results: [] }],
  ])('answer 400 to %s', async (_, body) => {
    await using all = await world();
    participantRoutes(all.app, seats, '/seats');
    expect(await ask(all.app, '/seats/try', body)).toMatchObject({
      status: 400,
      body: { code: 'INVALID_REQUEST' },
    });
  });
});
