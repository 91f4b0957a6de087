/** The routes that operators look through, at the edge: who may, what is refused, and the stream. */
import { afterEach, describe, expect, it } from 'vitest';
import { hashOf, type TokenEntry } from '../../server/api/access.ts';
import { lookoutRoutes } from '../../server/api/lookout.ts';
import { listenersMax } from '../../server/desk/events.ts';
import { createEdge, type Edge } from './support.ts';

const tokens: readonly TokenEntry[] = (['viewer', 'operator', 'service'] as const).map((role) => ({
  name: `${role}-1`,
  role,
  sha256: hashOf(role),
}));
const reason = 'ticket 7';
const json = { 'content-type': 'application/json' };

describe('roles', () => {
  it('viewers look, services do not, strangers are told nothing', async () => {
    const { app } = createEdge(tokens);
    for (const { method, path } of lookoutRoutes()) {
      const url = path.replace('{gid}', 'g1').replace('{service}', 'bank');
      const ask = (headers: Record<string, string>) =>
        app.inject({ method, url, headers, ...(method === 'POST' && { payload: '{}' }) });
      expect((await ask(json)).statusCode, url).toBe(401);
      const of = async (role: string) =>
        (await ask({ ...json, authorization: `Bearer ${role}` })).statusCode;
      expect(await of('service'), url).toBe(403);
      expect(await of('viewer'), url).toBe(
        method === 'POST' ? 403 : url.includes('g1') ? 404 : 200,
      );
    }
    for (const [role, status] of [
      ['', 401],
      ['service', 403],
    ] as const) {
      const headers = { authorization: `Bearer ${role}` };
      expect((await app.inject({ url: '/v1/events', headers })).statusCode).toBe(status);
    }
  });

  it('operators drain a service, and the audit has who it was', async () => {
    const { app } = createEdge(tokens);
    const headers = { ...json, authorization: 'Bearer operator' };
    const drained = await app.inject({
      ...{ method: 'POST', url: '/v1/participants/bank/drain', headers },
      payload: JSON.stringify({ reason }),
    });
    expect(drained.json()).toEqual({
      service: 'bank',
      isDrained: true,
      auditSeq: 1,
      dryRun: false,
    });
    const { participants } = (await app.inject({ url: '/v1/participants', headers })).json();
    expect(participants).toMatchObject([{ service: 'bank', isDrained: true }]);
    const { entries } = (await app.inject({ url: '/v1/audit', headers })).json();
    expect(entries).toMatchObject([
      { seq: 2, stage: 'done', after: { isDrained: true } },
      { seq: 1, who: 'operator-1', action: 'participant.drain', reason },
    ]);
  });
});

it.each([
  ['POST', '/v1/participants/bank/drain', {}, 'reason: is missing'],
  ['POST', '/v1/participants/bank/drain', { reason: '' }, 'reason'],
  ['POST', '/v1/participants/b%20k/drain', { reason }, 'service: must be a name'],
  ['POST', '/v1/participants/bank/undrain', { reason, service: 'shop' }, 'by the address already'],
  ['GET', '/v1/log/verify?limit=0', null, 'limit: must be from 1 to 500'],
  ['GET', '/v1/overview?x=1', null, 'x: is not a known field'],
  ['GET', '/v1/transactions/a%20b/timeline', null, 'gid'],
] as const)('refuses %s %s %j', async (method, url, body, detail) => {
  const { app } = createEdge();
  const payload = body === null ? {} : { headers: json, payload: JSON.stringify(body) };
  const answer = await app.inject({ method, url, ...payload });
  expect(answer.statusCode).toBe(400);
  expect(answer.json().detail).toContain(detail);
});

describe('the stream', () => {
  const open: Edge[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map(({ app }) => app.close()));
  });

  /** On a port, for a stream never ends by itself. */
  async function listening(edge: Edge): Promise<string> {
    open.push(edge);
    return `${await edge.app.listen({ host: '127.0.0.1', port: 0 })}/v1/events`;
  }

  it('sends the overview at once, and ends when the server closes', async () => {
    const edge = createEdge();
    const answer = await fetch(await listening(edge));
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    const { value } = await reader.read();
    const [kind, line = ''] = new TextDecoder().decode(value).split('\n');
    expect(kind).toBe('event: overview');
    expect(JSON.parse(line.slice('data: '.length))).toMatchObject({
      kind: 'overview',
      overview: { state: 'running', connectedInstances: 1, second: { begun: { saga: 0 } } },
    });
    expect(edge.coordinator.watchers.size).toBe(1);
    expect((await edge.get('/metrics')).body).toContain('settle_event_streams 1');
    const closing = edge.app.close();
    while (!(await reader.read()).done);
    await closing;
    expect(edge.coordinator.watchers.size).toBe(0);
  });

  it('takes no more than it may', async () => {
    const edge = createEdge();
    const url = await listening(edge);
    const streams = await Promise.all(Array.from({ length: listenersMax }, () => fetch(url)));
    expect(streams.every(({ ok }) => ok)).toBe(true);
    const refused = await fetch(url);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await refused.json()).toMatchObject({ code: 'OVERLOADED' });
  });

  it('ends for a session that is over', async () => {
    const edge = createEdge(tokens);
    const url = await listening(edge);
    const session = url.replace('events', 'session');
    const body = JSON.stringify({ token: 'viewer' });
    const login = await fetch(session, { method: 'POST', headers: json, body });
    const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? '';
    const answer = await fetch(url, { headers: { cookie } });
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await fetch(session, { method: 'DELETE', headers: { cookie } });
    while (!(await reader.read()).done);
    expect(edge.coordinator.watchers.size).toBe(0);
  });
});
