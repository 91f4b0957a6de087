/** The channel's endpoint, spoken to by a plain WebSocket: frames, windows, heartbeats, endings. */
import { get } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import type {
  BeginRequest,
  Call,
  CallAnswer,
  ServerMessage,
  TransactionAnswer,
} from '../../client-sdk/protocol/index.ts';
import type { AttachChannel } from '../../server/api/channel-connection.ts';
import type { Answered, Coordinator } from '../../server/engine/coordinator.ts';
import { Arrivals } from '../support/arrivals.ts';
import { type ChannelClient, helloOf } from '../support/channel-client.ts';
import { ChannelServer, type ChannelServerOptions } from '../support/channel-server.ts';

const servers: ChannelServer[] = [];

async function serve(options: ChannelServerOptions = {}): Promise<ChannelServer> {
  const server = await ChannelServer.open(options);
  servers.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

/** What any request may be answered with here. */
function stateOf(gid: string): TransactionAnswer {
  return { gid, mode: 'transaction', phase: 'active', cause: null, deadlineAtMs: null };
}

/** Begins at once. */
const beginning: Partial<Coordinator> = {
  begin: ({ gid }, answered) => answered({ ok: true, body: stateOf(gid) }),
};

function request(id: number, body: unknown = { gid: `g-${id}` }, verb = 'begin'): object {
  return { kind: 'request', id, verb, body };
}

function problemIn(client: ChannelClient, id: number) {
  const message = client.answerTo(id);
  return message?.kind === 'problem' ? message.problem : undefined;
}

describe('hello', () => {
  test('is welcomed, as often as it is said', async () => {
    const server = await serve();
    const client = await server.client().hello();
    await client.hello({ methods: ['debit', 'credit'] });
    const welcome = { kind: 'welcome', version: 1, node: 'node-1', requestsMax: 4_096 };
    expect(client.messages.all).toEqual([welcome, welcome]);
    expect(server.endpoint.connections()).toBe(1);
  });

  test.each<[string, object, string]>([
    ['a newer version', { version: 2 }, 'version 1 only'],
    ['no version', { version: undefined }, 'version 1 only'],
    ['no service', { service: undefined }, 'service'],
    ['a service outside its grammar', { service: '-x' }, 'service'],
    ['an instance outside its grammar', { instance: 'a b' }, 'instance'],
    ['methods that are no list', { methods: 'debit' }, 'methods'],
    ['a method outside its grammar', { methods: ['debit', ''] }, 'method'],
    ['one method too many', { methods: Array(4_097).fill('m') }, '4096'],
    ['a negative window', { callsMax: -1 }, '65536'],
    ['half a call', { callsMax: 0.5 }, '65536'],
    ['a window one past the limit', { callsMax: 65_537 }, '65536'],
  ])('with %s is refused', async (_what, overrides, words) => {
    const client = await (await serve()).client().opened();
    client.send(helloOf(overrides));
    const closing = await client.closed;
    expect(closing.code).toBe(4400);
    expect(closing.reason).toContain(words);
  });

  test('at its limits is taken', async () => {
    const client = (await serve()).client();
    await client.hello({ methods: Array(4_096).fill('m'), callsMax: 65_536 });
    await client.hello({ methods: [], callsMax: 0 });
    expect(client.messages.all).toHaveLength(2);
  });

  test('of another service on the same connection is refused', async () => {
    const client = await (await serve()).client().hello();
    client.send(helloOf({ service: 'hotel' }));
    expect(await client.closed).toMatchObject({ code: 4400 });
  });

  test.each<[string, object]>([
    ['a request', request(1)],
    ['an answer', { kind: 'answer', id: 1, answer: { outcome: 'ongoing' } }],
  ])('must come before %s', async (_what, message) => {
    const client = await (await serve()).client().opened();
    client.send(message);
    expect(await client.closed).toEqual({ code: 4400, reason: 'the first message must be hello' });
  });

  test('that never comes ends the connection after three heartbeats', async () => {
    const server = await serve();
    const client = await server.client().opened();
    await server.time.advance(20_000);
    expect(await client.closed).toEqual({ code: 4400, reason: 'no hello came' });
  });
});

describe('frames', () => {
  test.each<[string, string, string]>([
    ['no JSON', '[{]', 'JSON array'],
    ['no array', '{"kind":"hello"}', 'JSON array'],
    ['a text for a message', '["hello"]', 'object'],
    ['a list for a message', '[[]]', 'object'],
    ['an unknown kind', '[{"kind":"welcome"}]', 'kind'],
    ['no id', '[{"kind":"request","verb":"begin"}]', 'id'],
    ['a negative id', '[{"kind":"answer","id":-1}]', 'id'],
    ['half an id', '[{"kind":"request","id":0.5}]', 'id'],
    ['one message too many', JSON.stringify(Array(65).fill(request(1))), '64'],
  ])('with %s end the connection', async (_what, text, words) => {
    const client = await (await serve({ coordinator: beginning })).client().hello();
    client.socket.send(text);
    const { code, reason } = await client.closed;
    expect(code).toBe(4400);
    expect(reason).toContain(words);
    expect(reason).not.toContain('    at ');
  });

  test('end with the first message that is wrong: what follows is not taken', async () => {
    const client = await (await serve()).client().hello();
    client.send(helloOf({ service: 'hotel' }), request(1), helloOf());
    expect(await client.closed).toMatchObject({ code: 4400 });
    expect(client.messages.all).toHaveLength(1);
  });

  test('that are not text end the connection', async () => {
    const client = await (await serve()).client().hello();
    client.socket.send(Buffer.from('[]'));
    expect(await client.closed).toEqual({ code: 4400, reason: 'frames are text' });
  });

  test('may have 64 messages, and what is answered at once leaves in one frame', async () => {
    const client = await (await serve({ coordinator: beginning })).client().hello();
    client.send(...Array.from({ length: 64 }, (_, i) => request(i)));
    await client.messages.count(65);
    expect(client.frames.all).toEqual([1, 64]);
  });

  test('leave at 64 messages or at the end of the tick', async () => {
    const waiting: (() => void)[] = [];
    const coordinator: Partial<Coordinator> = {
      begin({ gid }, answered) {
        waiting.push(() => answered({ ok: true, body: stateOf(gid) }));
        if (waiting.length === 130) for (const answer of waiting) answer();
      },
    };
    const client = await (await serve({ coordinator })).client().hello();
    for (let i = 0; i < 130; i += 1) client.send(request(i));
    await client.messages.count(131);
    expect(client.frames.all).toEqual([1, 64, 64, 2]);
    const ids = client.messages.all.slice(1).map((message) => 'id' in message && message.id);
    expect(ids).toEqual(Array.from({ length: 130 }, (_, i) => i));
  });

  test('leave when they are long', async () => {
    const server = await serve({ coordinator: beginning, limits: { frameChars: 300 } });
    const client = await server.client().hello();
    client.send(...Array.from({ length: 6 }, (_, i) => request(i)));
    await client.messages.count(7);
    // One reply has about 110 characters.
    expect(client.frames.all).toEqual([1, 2, 2, 2]);
  });

  test('that are larger than the bound end the connection', async () => {
    const server = await serve({ coordinator: beginning, limits: { frameBytesMax: 4_000 } });
    const client = await server.client().hello();
    client.socket.send(`${' '.repeat(3_998)}[]`);
    client.send(request(1));
    await client.messages.count(2);
    client.socket.send(`${' '.repeat(3_999)}[]`);
    expect(await client.closed).toMatchObject({ code: 1009 });
  });

  test('may hold a message that is too large: that one is refused, the others are not', async () => {
    const limits = { messageBytesMax: 1_000, frameBytesMax: 4_000 };
    const client = await (await serve({ coordinator: beginning, limits })).client().hello();
    client.send(request(1), sized(2, 1_000), request(3), sized(4, 1_001));
    await client.messages.count(5);
    expect([1, 2, 3].map((id) => client.answerTo(id)?.kind)).toEqual(['reply', 'reply', 'reply']);
    expect(problemIn(client, 4)).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  /** A request that is so many bytes as JSON. */
  function sized(id: number, bytes: number): object {
    const padded = (payload: string): object => {
      const branch = { participant: { service: 'bank', method: 'debit' }, payload };
      return request(id, { gid: 'g', branches: [branch] });
    };
    return padded('p'.repeat(bytes - JSON.stringify(padded('')).length));
  }
});

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
  };

  test('of every verb reach the coordinator with their body, and its answer comes back', async () => {
    const seen: [string, unknown][] = [];
    const take = (verb: string) => (body: unknown, answered: Answered<never>) => {
      seen.push([verb, body]);
      answered({ ok: true, body: { verb } as never });
    };
    const client = await (
      await serve({
        coordinator: {
          begin: take('begin'),
          register: take('register'),
          tryBranch: take('try'),
          decide: take('decide'),
          submit: take('submit'),
          get: take('get'),
          list: take('list'),
        },
      })
    )
      .client()
      .hello();
    client.send(...Object.entries(bodies).map(([verb, body], id) => request(id, body, verb)));
    await client.messages.count(8);
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
    const client = await (await serve({ coordinator })).client().hello();
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
    const client = await (await serve({ coordinator: beginning })).client().hello();
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
    const server = await serve({ coordinator, limits: { requestsMax: 2 } });
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
    const server = await serve({ coordinator, limits: { requestsMax: 1 } });
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
    const server = await serve({ coordinator });
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

describe('participants', () => {
  test('are attached once, told of every hello, and detached once', async () => {
    const story: unknown[] = [];
    const attach: AttachChannel = ({ send: _send, ...hello }) => {
      story.push(['attach', hello]);
      return {
        answered: (id, answer) => story.push(['answered', id, answer]),
        hello: (update) => story.push(['hello', update.methods]),
        detached: () => story.push(['detached']),
      };
    };
    const server = await serve({ attach });
    const client = await server.client().hello();
    await client.hello({ methods: [] });
    client.send({ kind: 'answer', id: 7, answer: { outcome: 'done', result: 1 } });
    client.socket.close();
    await client.closed;
    await server.endings.count(1);
    expect(story).toEqual([
      ['attach', { service: 'bank', instance: 'bank-1', methods: ['debit'], callsMax: 16 }],
      ['hello', []],
      ['answered', 7, { outcome: 'done', result: 1 }],
      ['detached'],
    ]);
  });

  test('see the welcome before any call, and calls that are sent when attached', async () => {
    const call: Call = { gid: 'g', branchId: 1, operation: 'run', method: 'debit', payload: null };
    const answers: CallAnswer[] = [];
    const attach: AttachChannel = ({ send }) => {
      send({ kind: 'call', id: 1, call });
      return {
        answered: (_id, answer) => answers.push(answer),
        hello: () => {},
        detached: () => {},
      };
    };
    const client = await (await serve({ attach })).client().hello();
    await client.messages.count(2);
    expect(client.messages.all.map(({ kind }) => kind)).toEqual(['welcome', 'call']);
  });

  test('that are gone are sent nothing', async () => {
    let sendLate = (_message: ServerMessage): void => {};
    const attach: AttachChannel = ({ send }) => {
      sendLate = send;
      return { answered: () => {}, hello: () => {}, detached: () => {} };
    };
    const server = await serve({ attach });
    const client = await server.client().hello();
    client.socket.terminate();
    await server.endings.count(1);
    expect(() => sendLate({ kind: 'reply', id: 1, body: null })).not.toThrow();
  });
});

describe('heartbeats', () => {
  test('reach the client, and its pongs keep it alive', async () => {
    const server = await serve();
    const client = await server.client().hello();
    const [socket] = server.sockets.all;
    for (let beat = 0; beat < 10; beat += 1) {
      // The pong is the only thing that the client sends.
      const pong = new Promise((resolve) => socket?.once('data', resolve));
      await server.time.advance(5_000);
      await pong;
    }
    expect(client.socket.readyState).toBe(client.socket.OPEN);
    expect(server.endpoint.connections()).toBe(1);
  });

  test('without a sign of life end the connection after 15 s', async () => {
    const detached: string[] = [];
    const attach: AttachChannel = ({ instance }) => {
      return { answered: () => {}, hello: () => {}, detached: () => detached.push(instance) };
    };
    const server = await serve({ attach });
    const client = await server.client({ autoPong: false }).hello();
    await server.time.advance(15_000);
    expect(server.endpoint.connections()).toBe(1);
    await server.time.advance(5_000);
    expect(server.endings.all).toEqual(['no sign of life for 3 heartbeats']);
    expect(detached).toEqual(['bank-1']);
    expect((await client.closed).code).toBe(1006);
  });

  test('are not needed while requests come', async () => {
    const server = await serve({ coordinator: beginning });
    const client = await server.client({ autoPong: false }).hello();
    for (let id = 1; id <= 8; id += 1) {
      client.send(request(id));
      await client.messages.count(id + 1);
      await server.time.advance(5_000);
    }
    expect(server.endpoint.connections()).toBe(1);
  });
});

describe('a peer that does not read', () => {
  test('is read from no more until it has read on; then everything is answered', async () => {
    const requestsSent = 100;
    const full = Promise.withResolvers<void>();
    let begun = 0;
    const coordinator: Partial<Coordinator> = {
      begin: (_request, answered) => {
        begun += 1;
        answered({ ok: true, body: { ...stateOf('g'), gid: 'x'.repeat(300_000) } });
        if ((server.sockets.all[0]?.writableLength ?? 0) > 250_000) full.resolve();
      },
    };
    const server = await serve({ coordinator, limits: { unsentBytesPause: 1_000_000 } });
    const client = await server.client().hello();
    client.socket.pause();
    for (let id = 0; id < requestsSent; id += 1) client.send(request(id, padded(id)));
    await full.promise;
    const begunWhenFull = begun;
    // Enough turns for a server that went on reading to take everything.
    for (let turn = 0; turn < 500; turn += 1) await new Promise((done) => setImmediate(done));
    // What fills it up to the bound, and what was in the chunk being read, is still taken.
    expect(begun).toBeLessThanOrEqual(begunWhenFull + 10);
    client.socket.resume();
    await client.messages.count(1 + requestsSent);
    expect(begun).toBe(requestsSent);
  });

  test('and lets more pile up than the bound is cut off', async () => {
    const coordinator: Partial<Coordinator> = {
      begin: (_request, answered) => {
        answered({ ok: true, body: { ...stateOf('g'), gid: 'x'.repeat(20_000_000) } });
      },
    };
    const server = await serve({ coordinator, limits: { unsentBytesMax: 4_000_000 } });
    const client = await server.client().hello();
    client.socket.pause();
    client.send(request(1));
    await server.endings.count(1);
    expect(server.endings.all).toEqual(['the peer does not read']);
    expect(server.endpoint.connections()).toBe(0);
  });

  /** About as large as what is read from a socket at once, so that few come in one chunk. */
  function padded(id: number): BeginRequest {
    const participant = { service: 'bank', method: 'debit' };
    return { gid: `g-${id}`, branches: [{ participant, payload: 'p'.repeat(60_000) }] };
  }
});

describe('the endpoint', () => {
  test('closes with 4503 after what was answered, and takes no more', async () => {
    const server = await serve({ coordinator: beginning });
    const client = await server.client().hello();
    client.send(request(1));
    await client.messages.count(2);
    await Promise.all([server.endpoint.close(), server.endpoint.close()]);
    expect(await client.closed).toEqual({ code: 4503, reason: 'stopping' });
    expect(server.endpoint.connections()).toBe(0);
  });

  test('sends what was answered in the same tick before it closes', async () => {
    const coordinator: Partial<Coordinator> = {
      begin: ({ gid }, answered) => {
        answered({ ok: true, body: stateOf(gid) });
        void server.endpoint.close();
      },
    };
    const server = await serve({ coordinator });
    const client = await server.client().hello();
    client.send(request(1));
    expect(await client.closed).toMatchObject({ code: 4503 });
    expect(client.answerTo(1)?.kind).toBe('reply');
  });

  test('closes though a client never says goodbye', async () => {
    const server = await serve({ limits: { goodbyeMs: 50 } });
    const client = await server.client().hello();
    client.socket.pause();
    await server.endpoint.close();
    expect(server.endpoint.connections()).toBe(0);
    client.socket.terminate();
  });

  test('refuses other paths, browsers, and connections beyond the limit', async () => {
    const server = await serve({ limits: { connectionsMax: 1 } });
    const other = server.url.replace('/channel', '/other');
    expect(await refusalOf(server, other)).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    expect(await refusalOf(server, server.url, { origin: 'http://evil.example' })).toMatchObject({
      status: 401,
      code: 'UNAUTHORIZED',
    });
    const first = await server.client().hello();
    const full = await refusalOf(server, server.url);
    expect(full).toMatchObject({ status: 503, code: 'OVERLOADED', retryAfter: '1' });
    first.socket.close();
    await first.closed;
    await server.endings.count(1);
    await server.client().hello();
  });
});

/** What the server says instead of opening the channel. */
function refusalOf(
  server: ChannelServer,
  url: string,
  headers: Record<string, string> = {},
): Promise<object> {
  const http = url.replace('ws:', 'http:');
  const handshake = {
    connection: 'upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  return new Promise<object>((resolve, reject) => {
    const asked = get(http, { headers: { ...handshake, ...headers } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const { code } = JSON.parse(Buffer.concat(chunks).toString());
        const retryAfter = response.headers['retry-after'];
        resolve({ status: response.statusCode, code, retryAfter });
      });
    });
    asked.on('upgrade', () => reject(new Error(`${server.url} was opened`)));
    asked.on('error', reject);
  });
}

function deep(depth: number): unknown {
  let value: unknown = {};
  for (let i = 1; i < depth; i += 1) value = { payload: value };
  return value;
}
