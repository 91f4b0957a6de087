/** Requests over the channel: how they reach the coordinator, windows, and lost answers. */
import { describe, expect, test } from 'vitest';
import type { Answered, Coordinator } from '../../server/engine/coordinator.ts';
import { Arrivals } from '../support/arrivals.ts';
import { beginning, problemIn, request, stateOf } from '../support/channel-requests.ts';
import { serveChannel } from '../support/channel-server.ts';

describe('requests', () => {
  const bodies = {
    begin: { gid: 'g', branches: [{ participant: { service: 'bank', method: 'debit' } }] },
    register: {
      gid: 'g',
      request: 'r1',
      branches: [{ participant: { service: 'bank', method: 'debit' } }],
    },
    try: { gid: 'g', branchId: 1 },
    decide: { gid: 'g', direction: 'commit' },
    submit: {
      gid: 'g',
      name: 'trip',
      steps: [{ name: 'hotel', participant: { service: 'hotel', method: 'book' } }],
    },
    get: { gid: 'g' },
    list: { limit: 10 },
    reportWaits: { gid: 'g', scope: 's', look: 1, waits: [], holders: [], connections: [] },
  };

  test('of every verb reach the coordinator with their body, and its answer comes back', async () => {
    const seen: [string, unknown][] = [];
    const take = (verb: string) => (body: unknown, answered: Answered<never>) => {
      seen.push([verb, body]);
      answered({ ok: true, body: { verb } as never });
    };
    const client = await (
      await serveChannel({
        coordinator: {
          begin: take('begin'),
          register: take('register'),
          tryBranch: take('try'),
          decide: take('decide'),
          submit: take('submit'),
          get: take('get'),
          list: take('list'),
          reportWaits: take('reportWaits'),
        },
      })
    )
      .client()
      .hello();
    client.send(...Object.entries(bodies).map(([verb, body], id) => request(id, body, verb)));
    await client.messages.count(9);
    expect(seen).toEqual(Object.entries(bodies));
    expect(client.messages.all.slice(1)).toEqual(
      Object.keys(bodies).map((verb, id) => ({ kind: 'reply', id, body: { verb } })),
    );
  });

  test('that the coordinator refuses come back as a problem', async () => {
    const coordinator: Partial<Coordinator> = {
      begin: (_request, answered) => {
        answered({ ok: false, code: 'OVERLOADED', detail: 'too much', retryAfterMs: 250 });
      },
    };
    const client = await (await serveChannel({ coordinator })).client().hello();
    client.send(request(1, { gid: 'g-1' }));
    await client.messages.count(2);
    expect(client.answerTo(1)).toEqual({
      kind: 'problem',
      id: 1,
      problem: {
        type: '/docs/errors#OVERLOADED',
        title: expect.any(String),
        status: 503,
        code: 'OVERLOADED',
        detail: 'too much',
        remedy: expect.any(String),
        gid: 'g-1',
        retryAfterMs: 250,
      },
    });
  });

  test.each<[string, unknown, string, string]>([
    ['no body', null, 'begin', 'INVALID_REQUEST'],
    ['an unknown field', { gid: 'g', colour: 'red' }, 'begin', 'INVALID_REQUEST'],
    ['a gid outside its grammar', { gid: 'a b' }, 'begin', 'INVALID_REQUEST'],
    ['an unknown verb', { gid: 'g' }, 'constructor', 'INVALID_REQUEST'],
    ['a body that nests too deep', deep(33), 'begin', 'INVALID_JSON'],
  ])('with %s are refused, and the connection goes on', async (_what, body, verb, code) => {
    const client = await (await serveChannel({ coordinator: beginning })).client().hello();
    client.send(request(1, body, verb), request(2));
    await client.messages.count(3);
    expect(problemIn(client, 1)).toMatchObject({ code });
    expect(client.answerTo(2)?.kind).toBe('reply');
  });

  test('are taken up to the window, refused one past it, taken again when one is answered', async () => {
    const waiting: (() => void)[] = [];
    const coordinator: Partial<Coordinator> = {
      begin: ({ gid }, answered) => {
        waiting.push(() => answered({ ok: true, body: stateOf(gid) }));
      },
    };
    const server = await serveChannel({ coordinator, limits: { requestsMax: 2 } });
    const client = await server.client().hello();
    expect(client.messages.all[0]).toMatchObject({ requestsMax: 2 });
    client.send(request(1), request(2), request(3));
    await client.messages.count(2);
    expect(problemIn(client, 3)).toMatchObject({ code: 'OVERLOADED', retryAfterMs: 1_000 });
    waiting.shift()?.();
    await client.messages.count(3);
    client.send(request(4), request(5));
    await client.messages.count(4);
    expect(problemIn(client, 5)).toMatchObject({ code: 'OVERLOADED' });
    for (const answer of waiting) answer();
    await client.messages.count(6);
    expect([1, 2, 4].map((id) => client.answerTo(id)?.kind)).toEqual(['reply', 'reply', 'reply']);
  });

  test('of one connection do not use up the window of another', async () => {
    const coordinator: Partial<Coordinator> = {
      begin: ({ gid }, answered) => {
        if (gid !== 'never') answered({ ok: true, body: stateOf(gid) });
      },
    };
    const server = await serveChannel({ coordinator, limits: { requestsMax: 1 } });
    const [first, second] = await Promise.all([server.client().hello(), server.client().hello()]);
    first.send(request(1, { gid: 'never' }), request(2));
    await first.messages.count(2);
    second.send(request(3));
    await second.messages.count(2);
    expect([problemIn(first, 2)?.code, second.answerTo(3)?.kind]).toEqual(['OVERLOADED', 'reply']);
  });

  test('whose connection is lost are answered to nobody', async () => {
    const waiting = new Arrivals<() => void>();
    const coordinator: Partial<Coordinator> = {
      begin: ({ gid }, answered) => {
        waiting.add(() => answered({ ok: true, body: stateOf(gid) }));
      },
    };
    const server = await serveChannel({ coordinator });
    const first = await server.client().hello();
    first.send(request(1));
    await waiting.count(1);
    first.socket.terminate();
    await server.endings.count(1);
    const second = await server.client().hello();
    second.send(request(2));
    await waiting.count(2);
    for (const answer of waiting.all) answer();
    await second.messages.count(2);
    expect(second.messages.all.slice(1)).toEqual([{ kind: 'reply', id: 2, body: stateOf('g-2') }]);
    expect(server.endpoint.connections()).toBe(1);
  });
});

function deep(depth: number): unknown {
  let value: unknown = {};
  for (let i = 1; i < depth; i += 1) value = { payload: value };
  return value;
}
