import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { limits } from '../../client-sdk/protocol/index.ts';
import { createEdge } from './support.ts';

const json = { 'content-type': 'application/json' };

function nested(depth: number): string {
  return '['.repeat(depth) + ']'.repeat(depth);
}

describe('bodies', () => {
  test.each([
    ['{', 'INVALID_JSON', 400],
    ['{"gid":"a"} x', 'INVALID_JSON', 400],
    ['null', 'INVALID_REQUEST', 400],
    ['[]', 'INVALID_REQUEST', 400],
    ['"text"', 'INVALID_REQUEST', 400],
  ])('%s is refused %s', async (body, code, status) => {
    const { post, coordinator } = createEdge();
    const answer = await post('/v1/transactions', body);
    expect(answer.statusCode).toBe(status);
    expect(answer.json()).toMatchObject({ code });
    expect(coordinator.asked).toEqual([]);
  });

  test('bytes that are no UTF-8', async () => {
    const { app } = createEdge();
    const payload = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/transactions',
      payload,
      headers: json,
    });
    expect(answer.json()).toMatchObject({ code: 'INVALID_JSON', detail: 'The body is not UTF-8.' });
  });

  test('depth 32 is taken, 33 is refused', async () => {
    const { post } = createEdge();
    // The body is level 1, `input` begins at level 2.
    const deep = (depth: number) => `{"name":"n","steps":[],"input":${nested(depth - 1)}}`;
    expect((await post('/v1/sagas', deep(limits.jsonDepthMax))).statusCode).toBe(201);
    const refused = await post('/v1/sagas', deep(limits.jsonDepthMax + 1));
    expect(refused.json()).toMatchObject({ code: 'INVALID_JSON' });
  });

  test('half a million brackets do no harm', async () => {
    const { post } = createEdge();
    const refused = await post('/v1/sagas', `{"input":${nested(500_000)}}`);
    expect(refused.json()).toMatchObject({ code: 'INVALID_JSON' });
  });

  test('1 MiB is taken, one byte more is refused', async () => {
    const { post } = createEdge();
    const padded = (bytes: number) => `{"gid":"g"}${' '.repeat(bytes - 11)}`;
    expect((await post('/v1/transactions', padded(limits.bodyBytesMax))).statusCode).toBe(201);
    const refused = await post('/v1/transactions', padded(limits.bodyBytesMax + 1));
    expect(refused.statusCode).toBe(413);
    expect(refused.json()).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  test('another content-type, and a compressed body', async () => {
    const { app } = createEdge();
    const ask = (headers: Record<string, string>) =>
      app.inject({ method: 'POST', url: '/v1/transactions', payload: '{}', headers });
    expect((await ask({ 'content-type': 'text/plain' })).json()).toMatchObject({
      code: 'INVALID_REQUEST',
      detail: 'content-type: must be application/json',
    });
    expect((await ask({ ...json, 'content-encoding': 'gzip' })).json()).toMatchObject({
      code: 'INVALID_REQUEST',
    });
  });

  test('__proto__ and constructor: refused as fields, plain keys inside a payload', async () => {
    const { post, coordinator } = createEdge();
    const asField = await post('/v1/transactions', '{"__proto__":{"gid":"x"}}');
    expect(asField.json()).toMatchObject({ detail: '__proto__: is not a known field' });
    const other = await post('/v1/transactions', '{"constructor":1}');
    expect(other.json()).toMatchObject({ detail: 'constructor: is not a known field' });
    const payload = '{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}}}';
    const participant = '{"service":"a","method":"b"}';
    const taken = await post(
      '/v1/transactions',
      `{"gid":"g","branches":[{"participant":${participant},"payload":${payload}}]}`,
    );
    expect(taken.statusCode).toBe(201);
    expect(JSON.stringify(coordinator.asked[0]?.body)).toContain(payload);
    expect(Reflect.get({}, 'isAdmin')).toBeUndefined();
  });

  test('payloads are never logged', async () => {
    const { post, logged } = createEdge();
    await post('/v1/transactions', { gid: 'g', nonsense: 'topsecret' });
    await post('/v1/sagas', { name: 'n', steps: [], input: 'topsecret' });
    expect(logged.join('')).not.toContain('topsecret');
  });
});

describe('addresses', () => {
  test('an unknown one, and an unknown method', async () => {
    const { get, app } = createEdge();
    const answer = await get('/v1/nothing?token=x');
    expect(answer.statusCode).toBe(404);
    expect(answer.json()).toMatchObject({
      code: 'NOT_FOUND',
      detail: 'No such address: GET /v1/nothing',
    });
    const removed = await app.inject({ method: 'DELETE', url: '/v1/transactions/g' });
    expect(removed.json()).toMatchObject({ code: 'NOT_FOUND' });
  });

  test.each([
    ['/v1/transactions/a%2Fb', 'gid: must be 1 to 64'],
    [`/v1/transactions/${'g'.repeat(65)}`, 'gid: must be 1 to 64'],
    ['/v1/transactions/%', 'not a valid URL path'],
    ['/v1/transactions/g?wait=soon', 'wait: must be one of decided, completed'],
    ['/v1/transactions/g?waitMs=60001', 'waitMs: must be from 0 to 60000'],
    ['/v1/transactions/g?waitMs=-1', 'waitMs: must be an integer'],
    ['/v1/transactions/g?waitMs=1&waitMs=2', 'waitMs: must be an integer'],
    ['/v1/transactions/g?gid=h', 'gid: is given by the address already'],
    ['/v1/transactions?limit=0', 'limit: must be from 1 to 500'],
    ['/v1/transactions?limit=501', 'limit: must be from 1 to 500'],
    ['/v1/transactions?attention=yes', 'attention: must be a boolean'],
    ['/v1/transactions?sort=up', 'sort: must be one of newest, oldest'],
    ['/v1/transactions?order=up', 'order: is not a known field'],
    ['/v1/transactions?label=tenant', 'label: must be key=value'],
    ['/v1/transactions?phase=open', 'phase: must be one of active, committing'],
    ['/v1/transactions?startedAfterMs=soon', 'startedAfterMs: must be an integer'],
    ['/v1/transactions?startedBeforeMs=1234567890123456', 'startedBeforeMs: must be an integer'],
    ['/v1/transactions?gid=%25', 'gid: must be 1 to 64 characters'],
    ['/v1/transactions?error=', 'error: must NOT have fewer than 1 characters'],
    ['/v1/transactions?__proto__=x', '__proto__: is not a known field'],
  ])('%s', async (url, detail) => {
    const { get, coordinator } = createEdge();
    const answer = await get(url);
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({
      code: 'INVALID_REQUEST',
      detail: expect.stringContaining(detail),
    });
    expect(coordinator.asked).toEqual([]);
  });

  test.each(['0', '257', 'x', '1.5'])('branch %s', async (branchId) => {
    const { post } = createEdge();
    const answer = await post(`/v1/transactions/g/branches/${branchId}/try`);
    expect(answer.json()).toMatchObject({ code: 'INVALID_REQUEST' });
  });

  test('a field that the address gives must not be in the body', async () => {
    const { post } = createEdge();
    const answer = await post('/v1/transactions/g/commit', { direction: 'rollback' });
    expect(answer.json()).toMatchObject({ detail: 'direction: is given by the address already' });
  });
});

test('a page from elsewhere may not post; one of our own may', async () => {
  const { app, coordinator } = createEdge();
  const post = (origin: string) =>
    app.inject({ method: 'POST', url: '/v1/transactions', headers: { host: 'a:7400', origin } });
  for (const origin of ['http://evil.example', 'null', 'http://a:7401']) {
    const answer = await post(origin);
    expect(answer.statusCode).toBe(401);
    expect(answer.json()).toMatchObject({ code: 'UNAUTHORIZED' });
  }
  expect(coordinator.asked).toEqual([]);
  expect((await post('http://a:7400')).statusCode).toBe(201);
});

describe('our own mistakes', () => {
  test('answer INTERNAL without a stack, and are logged', async () => {
    const { get, coordinator, logged } = createEdge();
    coordinator.get = () => {
      throw new Error('a broken rule at /srv/secret/path');
    };
    const answer = await get('/v1/transactions/g');
    expect(answer.statusCode).toBe(500);
    expect(answer.json()).toMatchObject({ code: 'INTERNAL' });
    expect(answer.body).not.toMatch(/secret|at .*:\d+/);
    expect(logged.join('')).toContain('a broken rule');
  });
});

test('bytes that are no HTTP request get a problem, too', async () => {
  const { app } = createEdge();
  const url = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
  const socket = connect(Number(url.port), url.hostname);
  socket.write('this is no request\r\n\r\n');
  const answer = await text(socket);
  expect(answer).toMatch(/^HTTP\/1.1 400 /);
  expect(answer).toContain('"code":"INVALID_REQUEST"');
  await app.close();
});

test('a caller that goes away while it waits breaks nothing', async () => {
  const { app, coordinator } = createEdge();
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const gone = new AbortController();
  const held = new Promise<() => void>((resolve) => {
    coordinator.get = (_request, answered) =>
      resolve(() => answered({ ok: false, code: 'NOT_FOUND', detail: 'late' }));
  });
  const waiting = fetch(`${url}/v1/transactions/g`, { signal: gone.signal });
  const answerNow = await held;
  gone.abort();
  await expect(waiting).rejects.toThrow();
  answerNow();
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  await app.close();
});
