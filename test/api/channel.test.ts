/** The channel's endpoint, spoken to by a plain WebSocket: hello, frames, participants. */
import { describe, expect, test } from 'vitest';
import type { Call, CallAnswer, ServerMessage } from '../../client-sdk/protocol/index.ts';
import type { AttachChannel } from '../../server/api/channel-connection.ts';
import type { Coordinator } from '../../server/engine/coordinator.ts';
import { helloOf } from '../support/channel-client.ts';
import { beginning, problemIn, request, stateOf } from '../support/channel-requests.ts';
import { serveChannel } from '../support/channel-server.ts';

describe('hello', () => {
  test('is welcomed, as often as it is said', async () => {
    const server = await serveChannel();
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
    const client = await (await serveChannel()).client().opened();
    client.send(helloOf(overrides));
    const closing = await client.closed;
    expect(closing.code).toBe(4400);
    expect(closing.reason).toContain(words);
  });

  test('at its limits is taken', async () => {
    const client = (await serveChannel()).client();
    await client.hello({ methods: Array(4_096).fill('m'), callsMax: 65_536 });
    await client.hello({ methods: [], callsMax: 0 });
    expect(client.messages.all).toHaveLength(2);
  });

  test('of another service on the same connection is refused', async () => {
    const client = await (await serveChannel()).client().hello();
    client.send(helloOf({ service: 'hotel' }));
    expect(await client.closed).toMatchObject({ code: 4400 });
  });

  test.each<[string, object]>([
    ['a request', request(1)],
    ['an answer', { kind: 'answer', id: 1, answer: { outcome: 'ongoing' } }],
  ])('must come before %s', async (_what, message) => {
    const client = await (await serveChannel()).client().opened();
    client.send(message);
    expect(await client.closed).toEqual({ code: 4400, reason: 'the first message must be hello' });
  });

  test('that never comes ends the connection after three heartbeats', async () => {
    const server = await serveChannel();
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
    const client = await (await serveChannel({ coordinator: beginning })).client().hello();
    client.socket.send(text);
    const { code, reason } = await client.closed;
    expect(code).toBe(4400);
    expect(reason).toContain(words);
    expect(reason).not.toContain('    at ');
  });

  test('end with the first message that is wrong: what follows is not taken', async () => {
    const client = await (await serveChannel()).client().hello();
    client.send(helloOf({ service: 'hotel' }), request(1), helloOf());
    expect(await client.closed).toMatchObject({ code: 4400 });
    expect(client.messages.all).toHaveLength(1);
  });

  test('that are not text end the connection', async () => {
    const client = await (await serveChannel()).client().hello();
    client.socket.send(Buffer.from('[]'));
    expect(await client.closed).toEqual({ code: 4400, reason: 'frames are text' });
  });

  test('may have 64 messages, and what is answered at once leaves in one frame', async () => {
    const client = await (await serveChannel({ coordinator: beginning })).client().hello();
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
    const client = await (await serveChannel({ coordinator })).client().hello();
    for (let i = 0; i < 130; i += 1) client.send(request(i));
    await client.messages.count(131);
    expect(client.frames.all).toEqual([1, 64, 64, 2]);
    const ids = client.messages.all.slice(1).map((message) => 'id' in message && message.id);
    expect(ids).toEqual(Array.from({ length: 130 }, (_, i) => i));
  });

  test('leave when they are long', async () => {
    const server = await serveChannel({ coordinator: beginning, limits: { frameChars: 300 } });
    const client = await server.client().hello();
    client.send(...Array.from({ length: 6 }, (_, i) => request(i)));
    await client.messages.count(7);
    // One reply has about 110 characters.
    expect(client.frames.all).toEqual([1, 2, 2, 2]);
  });

  test('that are larger than the bound end the connection', async () => {
    const server = await serveChannel({ coordinator: beginning, limits: { frameBytesMax: 4_000 } });
    const client = await server.client().hello();
    client.socket.send(`${' '.repeat(3_998)}[]`);
    client.send(request(1));
    await client.messages.count(2);
    client.socket.send(`${' '.repeat(3_999)}[]`);
    expect(await client.closed).toMatchObject({ code: 1009 });
  });

  test('may hold a message that is too large: that one is refused, the others are not', async () => {
    const limits = { messageBytesMax: 1_000, frameBytesMax: 4_000 };
    const client = await (await serveChannel({ coordinator: beginning, limits })).client().hello();
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
    const server = await serveChannel({ attach });
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
    const client = await (await serveChannel({ attach })).client().hello();
    await client.messages.count(2);
    expect(client.messages.all.map(({ kind }) => kind)).toEqual(['welcome', 'call']);
  });

  test('that are gone are sent nothing', async () => {
    let sendLate = (_message: ServerMessage): void => {};
    const attach: AttachChannel = ({ send }) => {
      sendLate = send;
      return { answered: () => {}, hello: () => {}, detached: () => {} };
    };
    const server = await serveChannel({ attach });
    const client = await server.client().hello();
    client.socket.terminate();
    await server.endings.count(1);
    expect(() => sendLate({ kind: 'reply', id: 1, body: null })).not.toThrow();
  });
});
