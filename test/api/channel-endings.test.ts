/** How connections of the channel end: silence, a peer that does not read, a closed endpoint. */
import { get } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { BeginRequest } from '../../client-sdk/protocol/index.ts';
import type { AttachChannel } from '../../server/api/channel-connection.ts';
import type { Coordinator } from '../../server/engine/coordinator.ts';
import { beginning, request, stateOf } from '../support/channel-requests.ts';
import { type ChannelServer, serveChannel } from '../support/channel-server.ts';

describe('heartbeats', () => {
  test('reach the client, and its pongs keep it alive', async () => {
    const server = await serveChannel();
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
    const server = await serveChannel({ attach });
    const client = await server.client({ autoPong: false }).hello();
    await server.time.advance(15_000);
    expect(server.endpoint.connections()).toBe(1);
    await server.time.advance(5_000);
    expect(server.endings.all).toEqual(['no sign of life for 3 heartbeats']);
    expect(detached).toEqual(['bank-1']);
    expect((await client.closed).code).toBe(1006);
  });

  test('are not needed while requests come', async () => {
    const server = await serveChannel({ coordinator: beginning });
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
    const server = await serveChannel({ coordinator, limits: { unsentBytesPause: 1_000_000 } });
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
    const server = await serveChannel({ coordinator, limits: { unsentBytesMax: 4_000_000 } });
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
    const server = await serveChannel({ coordinator: beginning });
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
    const server = await serveChannel({ coordinator });
    const client = await server.client().hello();
    client.send(request(1));
    expect(await client.closed).toMatchObject({ code: 4503 });
    expect(client.answerTo(1)?.kind).toBe('reply');
  });

  test('closes though a client never says goodbye', async () => {
    const server = await serveChannel({ limits: { goodbyeMs: 50 } });
    const client = await server.client().hello();
    client.socket.pause();
    await server.endpoint.close();
    expect(server.endpoint.connections()).toBe(0);
    client.socket.terminate();
  });

  test('refuses other paths, browsers, and connections beyond the limit', async () => {
    const server = await serveChannel({ limits: { connectionsMax: 1 } });
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
