/** Who gets in where tokens are needed, what each role may do, and how the console's login ends. */
import { describe, expect, it } from 'vitest';
import { createAccess, hashOf, sessionMs, type TokenEntry } from '../../server/api/access.ts';
import { createSteppedClock } from '../support/stepped-clock.ts';
import { createEdge } from './support.ts';

const tokens: readonly TokenEntry[] = (['viewer', 'operator', 'service'] as const).map((role) => ({
  name: `${role}-1`,
  role,
  sha256: hashOf(`secret-of-${role}`),
}));
const bearer = (role: string) => ({ authorization: `Bearer secret-of-${role}` });
const json = { 'content-type': 'application/json' };

describe('with tokens', () => {
  const { app, get } = createEdge(tokens);

  it('gives nobody anything without one, but a sign of life', async () => {
    for (const path of ['/v1/transactions', '/v1/transactions/g', '/metrics', '/v1/session']) {
      const answer = await get(path);
      expect([path, answer.statusCode]).toEqual([path, 401]);
      expect(answer.json()).toMatchObject({ code: 'UNAUTHORIZED' });
    }
    expect((await get('/v1/transactions')).headers['www-authenticate']).toBe('Bearer');
    expect((await get('/healthz')).statusCode).toBe(200);
    expect((await get('/readyz')).statusCode).not.toBe(401);
  });

  it.each(['', 'Bearer', 'Bearer wrong', 'Basic c2VjcmV0', `Bearer ${'x'.repeat(600)}`])(
    'takes %j for no token',
    async (authorization) => {
      const answer = await get('/v1/transactions', { authorization });
      expect(answer.statusCode).toBe(401);
    },
  );

  it('lets everybody look, and only services begin', async () => {
    for (const role of ['viewer', 'operator', 'service']) {
      expect((await get('/v1/transactions', bearer(role))).statusCode).toBe(200);
      expect((await get('/metrics', bearer(role))).statusCode).toBe(200);
    }
    const begin = (role: string) =>
      app.inject({
        method: 'POST',
        url: '/v1/transactions',
        headers: { ...json, ...bearer(role) },
        payload: '{}',
      });
    expect((await begin('viewer')).json()).toMatchObject({
      code: 'FORBIDDEN',
      detail: 'viewer-1 is a viewer',
    });
    expect((await begin('operator')).statusCode).toBe(403);
    expect((await begin('service')).statusCode).toBe(201);
  });

  it('makes a token of a person a session that ends with the logout', async () => {
    const login = (payload: string) =>
      app.inject({ method: 'POST', url: '/v1/session', headers: json, payload });
    for (const body of ['{}', '{"token":1}', '"secret-of-operator"', '{"token":"wrong"}']) {
      expect((await login(body)).statusCode).toBe(401);
    }
    // A service has no business in a browser.
    expect((await login('{"token":"secret-of-service"}')).statusCode).toBe(401);
    const answer = await login('{"token":"secret-of-operator"}');
    expect(answer.json()).toEqual({
      who: 'operator-1',
      role: 'operator',
      isReadOnly: false,
      needsLogin: true,
    });
    const [cookie] = answer.cookies;
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict', path: '/' });
    const headers = { cookie: `other=1; ${cookie?.name}=${cookie?.value}` };
    expect((await get('/v1/session', headers)).json()).toMatchObject({ who: 'operator-1' });
    expect((await get('/v1/transactions', headers)).statusCode).toBe(200);
    // Who sends a token means it.
    expect(
      (await get('/v1/session', { ...headers, authorization: 'Bearer wrong' })).statusCode,
    ).toBe(401);
    const out = await app.inject({ method: 'DELETE', url: '/v1/session', headers });
    expect(out.statusCode).toBe(204);
    expect((await get('/v1/session', headers)).statusCode).toBe(401);
  });
});

describe('without tokens', () => {
  it('takes the name that is claimed, if it is one', async () => {
    const { get } = createEdge();
    const whoIs = async (name: string) =>
      (await get('/v1/session', { 'settle-operator': name })).json();
    expect(await whoIs('ada')).toMatchObject({ who: 'ada', role: 'anyone', needsLogin: false });
    expect(await whoIs('a b\u0007')).toMatchObject({ who: 'anonymous' });
  });
});

it('ends sessions after a working day', async () => {
  const time = createSteppedClock();
  const access = createAccess(tokens, time.clock);
  const session = access.login('secret-of-viewer', true);
  expect(session?.cookie).toContain('; Secure');
  const headers = { cookie: session?.cookie.split(';')[0] ?? '' };
  expect(access.identify(headers)?.who).toBe('viewer-1');
  await time.advance(sessionMs);
  expect(access.identify(headers)).toBeNull();
});
