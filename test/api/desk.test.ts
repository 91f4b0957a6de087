/** `/v1/operations` and `/v1/audit` at the edge: who may, what is refused, and what an answer looks like. */
import { describe, expect, it } from 'vitest';
import { limits } from '../../client-sdk/protocol/index.ts';
import { hashOf, type TokenEntry } from '../../server/api/access.ts';
import { createEdge } from './support.ts';

const tokens: readonly TokenEntry[] = (['viewer', 'operator', 'service'] as const).map((role) => ({
  name: `${role}-1`,
  role,
  sha256: hashOf(role),
}));
const retry = { action: 'retry', gids: ['g1'], reason: 'the bank is back' };

describe('/v1/operations', () => {
  it('is for operators, and the audit has who it was', async () => {
    const { app, get, coordinator } = createEdge(tokens);
    const ask = (role: string, method: 'GET' | 'POST', url: string, payload?: object) =>
      app.inject({
        ...{ method, url },
        headers: { authorization: `Bearer ${role}`, 'content-type': 'application/json' },
        ...(payload && { payload: JSON.stringify(payload) }),
      });
    await ask('service', 'POST', '/v1/transactions', { gid: 'g1', name: 'transfer' });
    for (const role of ['viewer', 'service']) {
      expect((await ask(role, 'POST', '/v1/operations', retry)).statusCode).toBe(403);
    }
    expect(coordinator.operated).toEqual([]);
    const answer = await ask('operator', 'POST', '/v1/operations', retry);
    expect(answer.json()).toEqual({
      auditSeq: 1,
      dryRun: false,
      matched: 1,
      results: [{ gid: 'g1', name: 'transfer', before: 'active', after: 'active', error: null }],
    });
    expect(coordinator.operated).toEqual(['g1']);
    const page = (await ask('viewer', 'GET', '/v1/audit?limit=1')).json();
    expect(page).toMatchObject({
      entries: [{ seq: 2, who: 'operator-1', stage: 'done', of: 1 }],
      nextBefore: 2,
    });
    const rest = (await ask('viewer', 'GET', '/v1/audit?before=2')).json();
    expect(rest).toMatchObject({ entries: [{ seq: 1 }], nextBefore: null });
    expect((await ask('viewer', 'GET', '/v1/audit/verify')).json()).toMatchObject({
      entries: 2,
      brokenAt: null,
    });
    expect((await ask('service', 'GET', '/v1/audit')).statusCode).toBe(403);
    expect((await get('/v1/audit')).statusCode).toBe(401);
  });

  it('takes every query that the list takes, at its limits', async () => {
    const { get, post } = createEdge();
    const query = {
      label: `${'k'.repeat(128)}=${'v'.repeat(limits.labelLengthMax)}`,
      error: 'e'.repeat(limits.detailLengthMax),
    };
    const listed = await get(`/v1/transactions?${new URLSearchParams(query)}`);
    expect(listed.statusCode).toBe(200);
    const operated = await post('/v1/operations', { action: 'retry', query, reason: 'r' });
    expect(operated.statusCode).toBe(200);
  });

  it.each([
    [{ action: 'retry', gids: ['g1'] }, 'reason: is missing'],
    [{ ...retry, reason: '' }, 'reason'],
    [{ ...retry, gids: [] }, 'gids'],
    [{ action: 'retry', reason: 'r' }, 'give either gids or query'],
    [{ ...retry, query: {} }, 'give either gids or query'],
    [{ ...retry, action: 'delete' }, 'action: must be one of retry, rollback, skip, resolve'],
    [{ ...retry, action: 'skip' }, 'skip needs both'],
    [{ ...retry, branchId: 1 }, 'belong to skip'],
    [{ ...retry, action: 'skip', branchId: 1, operation: 'undo', result: 1 }, 'only a run has one'],
    [{ ...retry, countMax: 1 }, 'belongs to a query'],
    [{ ...retry, force: true }, 'force: is not a known field'],
    [{ ...retry, query: { state: 'x' } }, 'state'],
    [{ action: 'retry', query: { label: 'tenant' }, reason: 'r' }, 'label: must be key=value'],
  ])('refuses %j', async (body, detail) => {
    const { post, coordinator } = createEdge();
    const answer = await post('/v1/operations', body);
    expect(answer.statusCode).toBe(400);
    expect(answer.json().detail).toContain(detail);
    expect(coordinator.operated).toEqual([]);
  });
});
