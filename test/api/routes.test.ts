import { describe, expect, test } from 'vitest';
import { errorTable, isErrorCode } from '../../client-sdk/protocol/index.ts';
import { createEdge } from './support.ts';

const branch = { participant: { service: 'bank', method: 'debit' }, payload: { cents: 5 } };
const step = { name: 'fly', participant: { service: 'trip', method: 'fly' } };

describe('transactions', () => {
  test('begin takes the gid of the caller and answers 201', async () => {
    const { post, coordinator } = createEdge();
    const answer = await post('/v1/transactions', { gid: 'g1', branches: [branch] });
    expect(answer.statusCode).toBe(201);
    expect(answer.json()).toMatchObject({ gid: 'g1', mode: 'transaction', phase: 'active' });
    expect(coordinator.asked).toEqual([{ verb: 'begin', body: { gid: 'g1', branches: [branch] } }]);
  });

  test('begin without a body makes a gid', async () => {
    const { post } = createEdge();
    const answer = await post('/v1/transactions');
    expect(answer.statusCode).toBe(201);
    expect(answer.json()).toMatchObject({ gid: 'made-1' });
  });

  test('register, try, commit and rollback join address and body', async () => {
    const { post, coordinator } = createEdge();
    await post('/v1/transactions', { gid: 'g1' });
    const answers = [
      await post('/v1/transactions/g1/branches', { request: 'r1', branches: [branch] }),
      await post('/v1/transactions/g1/branches/2/try'),
      await post('/v1/transactions/g1/commit', { wait: 'decided' }),
      await post('/v1/transactions/g1/rollback', { reason: 'changed my mind' }),
    ];
    expect(answers.map((answer) => answer.statusCode)).toEqual([200, 200, 200, 200]);
    expect(coordinator.asked.slice(1)).toEqual([
      { verb: 'register', body: { gid: 'g1', request: 'r1', branches: [branch] } },
      { verb: 'try', body: { gid: 'g1', branchId: 2 } },
      { verb: 'decide', body: { gid: 'g1', direction: 'commit', wait: 'decided' } },
      { verb: 'decide', body: { gid: 'g1', direction: 'rollback', reason: 'changed my mind' } },
    ]);
  });

  test('the place in a trace comes in the body, else by the header; one that is none is no fault', async () => {
    const { app, post, coordinator } = createEdge();
    const own = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const foreign = '00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00';
    const url = '/v1/transactions';
    for (const traceparent of [
      foreign,
      `${own}, ${foreign}`,
      `00-${'0'.repeat(32)}${own.slice(35)}`,
    ]) {
      await app.inject({ method: 'POST', url, headers: { traceparent } });
    }
    const headers = { traceparent: foreign, 'content-type': 'application/json' };
    const payload = JSON.stringify({ gid: 'g1', traceparent: own });
    await app.inject({ method: 'POST', url, headers, payload });
    expect(coordinator.asked.map(({ body }) => body)).toEqual([
      { gid: 'made-1', traceparent: foreign },
      { gid: 'made-2' },
      { gid: 'made-3' },
      { gid: 'g1', traceparent: own },
    ]);
    const refused = await post(url, { gid: 'g2', traceparent: 'nonsense' });
    expect(refused.json()).toMatchObject({
      code: 'INVALID_REQUEST',
      detail: 'traceparent: must be a traceparent of version 00',
    });
    await app.inject({ method: 'POST', url: `${url}/g1/commit`, headers: { traceparent: own } });
    expect(coordinator.asked.at(-1)?.body).toEqual({ gid: 'g1', direction: 'commit' });
  });

  test('a report of waits needs no known gid', async () => {
    const { post, coordinator } = createEdge();
    const body = { scope: 's', look: 1, waits: [], holders: [], connections: [] };
    const answer = await post('/v1/transactions/g9/waits', body);
    expect([answer.statusCode, answer.json()]).toEqual([200, { giveWay: null }]);
    expect(coordinator.asked).toEqual([{ verb: 'reportWaits', body: { gid: 'g9', ...body } }]);
  });

  test('get and list take their query', async () => {
    const { post, get, coordinator } = createEdge();
    await post('/v1/transactions', { gid: 'g1' });
    const one = await get('/v1/transactions/g1?wait=completed&waitMs=50');
    expect(one.statusCode).toBe(200);
    const page = await get(
      '/v1/transactions?mode=saga&name=trip&outcome=open&attention=true&limit=7&cursor=abc',
    );
    expect(page.json()).toMatchObject({ nextCursor: null });
    expect(coordinator.asked.slice(1)).toEqual([
      { verb: 'get', body: { gid: 'g1', wait: 'completed', waitMs: 50 } },
      {
        verb: 'list',
        body: {
          mode: 'saga',
          name: 'trip',
          outcome: 'open',
          attention: true,
          limit: 7,
          cursor: 'abc',
        },
      },
    ]);
  });
});

describe('sagas', () => {
  test('submit, get, roll back and list', async () => {
    const { post, get, coordinator } = createEdge();
    const submitted = await post('/v1/sagas', { name: 'trip', steps: [step] });
    expect(submitted.statusCode).toBe(201);
    expect((await get('/v1/sagas/made-1')).json()).toMatchObject({ mode: 'saga' });
    expect((await post('/v1/sagas/made-1/rollback')).statusCode).toBe(200);
    expect((await get('/v1/sagas?limit=1')).statusCode).toBe(200);
    expect(coordinator.asked.at(-1)).toEqual({ verb: 'list', body: { mode: 'saga', limit: 1 } });
  });

  test('an address of sagas neither shows nor changes a transaction of another mode', async () => {
    const { post, get, coordinator } = createEdge();
    await post('/v1/transactions', { gid: 'g1' });
    expect((await get('/v1/sagas/g1')).json()).toMatchObject({ code: 'WRONG_MODE' });
    const refused = await post('/v1/sagas/g1/rollback');
    expect(refused.statusCode).toBe(409);
    expect(coordinator.asked.some((asked) => asked.verb === 'decide')).toBe(false);
  });

  test('the mode of the saga list is fixed', async () => {
    const { get } = createEdge();
    expect((await get('/v1/sagas?mode=transaction')).json()).toMatchObject({
      code: 'INVALID_REQUEST',
      detail: 'mode: is given by the address already',
    });
  });
});

describe('refusals of the coordinator', () => {
  test.each(Object.keys(errorTable))('%s has its status, type and remedy', async (code) => {
    if (!isErrorCode(code)) throw new Error('not a code');
    const { get, coordinator } = createEdge();
    coordinator.refusal = { ok: false, code, detail: 'because', retryAfterMs: 1_001 };
    const answer = await get('/v1/transactions/g1');
    const { status, title, remedy } = errorTable[code];
    expect(answer.statusCode).toBe(status);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(answer.headers['retry-after']).toBe('2');
    expect(answer.json()).toEqual({
      type: `/docs/errors#${code}`,
      title,
      status,
      code,
      detail: 'because',
      remedy,
      gid: 'g1',
      retryAfterMs: 1_001,
    });
  });

  test('the page that `type` points to has an anchor for every code', async () => {
    const { get } = createEdge();
    const page = (await get('/docs/errors')).body;
    for (const code of Object.keys(errorTable)) expect(page).toContain(`id="${code}"`);
  });
});

describe('health', () => {
  test('alive, ready, and not ready with reasons', async () => {
    const { get, coordinator } = createEdge();
    expect((await get('/healthz')).json()).toEqual({ status: 'alive' });
    expect((await get('/readyz')).json()).toEqual({ status: 'ready', engine: 'running' });
    coordinator.current = { state: 'recovering' };
    expect((await get('/readyz')).statusCode).toBe(200);
    coordinator.current = { state: 'stopping', oldestPendingMs: 2_001 };
    const answer = await get('/readyz');
    expect(answer.statusCode).toBe(503);
    expect(answer.json()).toEqual({
      status: 'not ready',
      engine: 'stopping',
      reasons: ['the engine is stopping', 'the log has not answered for 2001 ms'],
    });
  });
});

describe('metrics', () => {
  test('text exposition with bounded labels', async () => {
    const { get, coordinator } = createEdge();
    coordinator.current = { committed: { transaction: 3, saga: 1 }, oldestPendingMs: 1_500 };
    const answer = await get('/metrics');
    expect(answer.headers['content-type']).toContain('text/plain; version=0.0.4');
    const lines = answer.body.split('\n');
    expect(lines).toContain(
      'settle_transactions_finished_total{mode="transaction",outcome="committed"} 3',
    );
    expect(lines).toContain('settle_engine_state{state="running"} 1');
    expect(lines).toContain('settle_log_oldest_pending_seconds 1.5');
    expect(lines).toContain('settle_connected_instances{service="bank"} 2');
    expect(lines).toContain('settle_calls_queued{transport="http"} 4');
    const sample = /^[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.e+]+$/;
    for (const line of lines.slice(0, -1)) {
      if (!line.startsWith('# ')) expect(line).toMatch(sample);
    }
  });
});
