/** The fetch wrapper and the undici interceptor against a real HTTP server. */
import type { AddressInfo } from 'node:net';
import Fastify from 'fastify';
import { Agent, request } from 'undici';
import { describe, expect, test } from 'vitest';
import { settleFetch } from '../../client-sdk/fetch.ts';
import { currentTransaction } from '../../client-sdk/index.ts';
import { problemOf } from '../../client-sdk/problem.ts';
import { settleInterceptor } from '../../client-sdk/undici.ts';
import { ScriptedCoordinator } from './scripted-coordinator.ts';
import { connectTo, settleErrorOf } from './support.ts';

/** A service that shows the headers it got, and answers with what it is asked for. */
async function service() {
  const app = Fastify();
  app.all('/echo', async ({ headers }) => ({
    gid: headers['settle-gid'] ?? null,
    own: headers['x-own'] ?? null,
  }));
  app.post('/answer/:status', async (request, reply) => {
    const { status } = request.params as { status: string };
    return reply.code(Number(status)).type('application/problem+json').send(request.body);
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: () => app.close() };
}

const own = { 'x-own': '1' };

describe('settleFetch', () => {
  test('carries the gid once the begin is durable, and keeps other headers', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    await using echo = await service();
    const fetch = settleFetch();
    await settle.transaction({}, async ({ gid }) => {
      const asked = [
        fetch(`${echo.url}/echo`, { headers: own }),
        fetch(new Request(`${echo.url}/echo`, { headers: own })),
        fetch(new URL('/echo', echo.url), { headers: new Headers(own), method: 'POST' }),
      ];
      for (const response of await Promise.all(asked)) {
        expect(await response.json()).toEqual({ gid, own: '1' });
      }
      expect(coordinator.verbs).toEqual(['begin']);
      const other = await fetch(`${echo.url}/echo`, { headers: { 'Settle-Gid': 'other' } });
      expect(await other.json()).toEqual({ gid: 'other', own: null });
    });
    const outside = await fetch(`${echo.url}/echo`, { headers: own });
    expect(await outside.json()).toEqual({ gid: null, own: '1' });
  });

  test('rejects with the error of a begin that failed, and asks nobody', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    coordinator.next('begin', (asked) => asked.problem('CONFLICT'));
    const never: typeof fetch = () => Promise.reject(new Error('was asked'));
    const work = settle.transaction({}, () => settleFetch(never)('http://127.0.0.1:1/'));
    await settleErrorOf(work, 'CONFLICT');
  });

  test.each([
    [
      409,
      JSON.stringify(problemOf('BARRIER_BLOCKED', 'late', { gid: 'g' })),
      'BARRIER_BLOCKED',
      'late',
    ],
    [409, '{"message":"no money"}', 'REFUSED', 'no money'],
    [409, 'no money', 'REFUSED', 'no money'],
    [409, '{"code":"ER_SOMETHING","detail":"taken"}', 'REFUSED', 'taken'],
    [425, '', 'ONGOING', ''],
    [504, JSON.stringify(problemOf('UNKNOWN', 'lost')), 'UNKNOWN', 'lost'],
  ] as const)('takes %i with %s for %s', async (status, body, code, detail) => {
    await using answering = await service();
    const asked = settleFetch()(`${answering.url}/answer/${status}`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'text/plain' },
    });
    expect((await settleErrorOf(asked, code)).detail).toBe(detail);
  });

  test('gives back any other response unread', async () => {
    await using answering = await service();
    for (const status of [200, 400, 500]) {
      const response = await settleFetch()(`${answering.url}/answer/${status}`, {
        method: 'POST',
        body: '{"code":"SOMETHING"}',
        headers: { 'content-type': 'text/plain' },
      });
      expect([response.status, await response.text()]).toEqual([status, '{"code":"SOMETHING"}']);
    }
  });
});

describe('settleInterceptor', () => {
  test.each([
    ['none', undefined, null],
    ['an object', own, '1'],
    ['a flat list', ['x-own', '1'], '1'],
    ['pairs', new Map([['x-own', '1']]), '1'],
  ])('adds the gid to headers given as %s', async (_, headers, seen) => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    await using echo = await service();
    const agent = new Agent();
    const dispatcher = agent.compose(settleInterceptor());
    const given = headers === undefined ? {} : { headers };
    const ask = async () => {
      const { body } = await request(`${echo.url}/echo`, { dispatcher, ...given });
      return body.json();
    };
    await settle.transaction({}, async ({ gid }) => {
      expect(await Promise.all([ask(), ask()])).toEqual([
        { gid, own: seen },
        { gid, own: seen },
      ]);
      expect(currentTransaction()?.gid).toBe(gid);
    });
    expect(await ask()).toEqual({ gid: null, own: seen });
    await agent.close();
  });

  test('ends the request with the error of a begin that failed', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    await using settle = await connectTo(coordinator);
    await using echo = await service();
    coordinator.next('begin', (asked) => asked.problem('CONFLICT'));
    const agent = new Agent();
    const dispatcher = agent.compose(settleInterceptor());
    const work = settle.transaction({}, () => request(`${echo.url}/echo`, { dispatcher }));
    await settleErrorOf(work, 'CONFLICT');
    await agent.close();
  });
});
