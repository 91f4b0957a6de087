/** The HTTP transport against real servers: the contract, then what is its own. */
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Call, CallAnswer, Json } from '../../client-sdk/protocol/index.ts';
import { createHttpTransport, type HttpTransport } from '../../server/dispatch/http-transport.ts';
import { gatheringLimits, type HttpTransportLimits } from '../../server/dispatch/limits.ts';
import { createTargetPolicy } from '../../server/dispatch/target-policy.ts';
import { freeOrigin, HttpParticipant, openRawServer } from '../support/http-participant.ts';
import { createSteppedClock, type SteppedClock } from '../support/stepped-clock.ts';
import {
  Asker,
  type Behaviour,
  callOf,
  type TestParticipant,
  transportConformance,
} from './transport.ts';

const atOnce = 4;
const queuedMax = 8;
const bounds = { connectionsPerOrigin: atOnce, queuedPerOriginMax: queuedMax };

/** Speaks the result protocol: by status, as any service in any language would. */
class Service implements TestParticipant {
  readonly server: HttpParticipant;
  readonly participant;
  #behaviour: Behaviour = { outcome: 'silent' };
  #kept: ServerResponse[] = [];

  constructor(server: HttpParticipant) {
    this.server = server;
    this.participant = { url: `${server.origin}/bank` };
    server.respond = (response) => {
      this.#kept.push(response);
      this.#act();
    };
  }

  get seen(): readonly Call[] {
    return this.server.calls;
  }

  arrived(count: number): Promise<void> {
    return this.server.requests.count(count);
  }

  behave(behaviour: Behaviour): void {
    this.#behaviour = behaviour;
    this.#act();
  }

  #act(): void {
    const behaviour = this.#behaviour;
    if (behaviour.outcome === 'silent') return;
    const kept = this.#kept;
    this.#kept = [];
    for (const response of kept) {
      if (behaviour.outcome === 'dies') response.socket?.destroy();
      else speak(response, behaviour);
    }
  }
}

function speak(response: ServerResponse, answer: CallAnswer): void {
  const isLater = 'retryAfterMs' in answer && answer.retryAfterMs !== undefined;
  if (isLater) response.setHeader('retry-after', String(answer.retryAfterMs / 1_000));
  switch (answer.outcome) {
    case 'done':
      response.writeHead(200).end(JSON.stringify(answer.result));
      return;
    case 'refused':
      response.writeHead(409).end(answer.error);
      return;
    case 'ongoing':
      response.writeHead(425).end();
      return;
    case 'unknown':
      response.writeHead(503).end(answer.error);
      return;
    default:
      answer satisfies never;
  }
}

transportConformance('the HTTP transport', async () => {
  const time = createSteppedClock();
  const participant = new Service(await HttpParticipant.open());
  const other = new Service(await HttpParticipant.open());
  const nobody = await freeOrigin();
  const policy = createTargetPolicy([participant.server.origin, other.server.origin, nobody]);
  const transport = createHttpTransport({ policy, clock: time.clock, limits: bounds });
  return {
    transport,
    participant,
    other,
    absent: { url: `${nobody}/bank` },
    unreachable: { service: 'bank', method: 'debit' },
    atOnce,
    queuedMax,
    advance: time.advance,
    async close() {
      await transport.close();
      await Promise.all([participant.server.close(), other.server.close()]);
    },
  };
});

/** Looks again after each turn of the event loop. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

describe('the HTTP transport by itself', () => {
  let server: HttpParticipant;
  let transport: HttpTransport;
  let time: SteppedClock;
  let asker: Asker;
  const closing: (() => Promise<void>)[] = [];
  const ask = (url = `${server.origin}/bank`, branchId = 1): Promise<CallAnswer> => {
    return asker.ask({ url }, callOf({ url }, branchId));
  };
  const open = (origins: readonly string[], limits: Partial<HttpTransportLimits> = bounds) => {
    time = createSteppedClock();
    transport = createHttpTransport({
      policy: createTargetPolicy(origins),
      clock: time.clock,
      limits,
    });
    asker = new Asker(transport);
    closing.push(() => transport.close());
  };

  beforeEach(async () => {
    server = await HttpParticipant.open();
    closing.push(() => server.close());
    open([server.origin]);
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
    asker.expectOneAnswerEach();
  });

  test.each<[number, string, CallAnswer]>([
    [200, '{"a":1}', { outcome: 'done', result: { a: 1 } }],
    [200, ' [1, 2]\n', { outcome: 'done', result: [1, 2] }],
    [200, '', { outcome: 'done', result: null }],
    [200, 'null', { outcome: 'done', result: null }],
    [201, '"made"', { outcome: 'done', result: 'made' }],
    [202, '', { outcome: 'done', result: null }],
    [204, '', { outcome: 'done', result: null }],
    [299, '7', { outcome: 'done', result: 7 }],
    [200, 'OK', { outcome: 'unknown', error: 'HTTP 200, but the body is not JSON' }],
    [200, '{"a":', { outcome: 'unknown', error: 'HTTP 200, but the body is not JSON' }],
    [409, 'no money', { outcome: 'refused', error: 'no money' }],
    [409, '', { outcome: 'refused', error: '' }],
    [409, '{"detail":"no money","title":"x"}', { outcome: 'refused', error: 'no money' }],
    [409, '{"error":"no money"}', { outcome: 'refused', error: 'no money' }],
    [409, '"no money"', { outcome: 'refused', error: 'no money' }],
    [425, '', { outcome: 'ongoing' }],
    [425, 'still going', { outcome: 'ongoing' }],
    [300, '', { outcome: 'unknown', error: 'HTTP 300: redirects are not followed' }],
    [304, '', { outcome: 'unknown', error: 'HTTP 304: redirects are not followed' }],
    [400, 'bad', { outcome: 'unknown', error: 'HTTP 400: bad' }],
    [401, '', { outcome: 'unknown', error: 'HTTP 401' }],
    [404, '', { outcome: 'unknown', error: 'HTTP 404' }],
    [408, '', { outcome: 'unknown', error: 'HTTP 408' }],
    [410, '', { outcome: 'unknown', error: 'HTTP 410' }],
    [422, '{"message":"m"}', { outcome: 'unknown', error: 'HTTP 422: m' }],
    [429, '', { outcome: 'unknown', error: 'HTTP 429' }],
    [500, '{"title":"t"}', { outcome: 'unknown', error: 'HTTP 500: t' }],
    [502, '<html>', { outcome: 'unknown', error: 'HTTP 502: <html>' }],
    [503, '', { outcome: 'unknown', error: 'HTTP 503' }],
    [599, '[1]', { outcome: 'unknown', error: 'HTTP 599: [1]' }],
  ])('status %i with body %j', async (status, body, expected) => {
    server.respond = (response) => void response.writeHead(status).end(body);
    expect(await ask()).toEqual(expected);
  });

  test('bytes that are not UTF-8 are not JSON', async () => {
    server.respond = (response) => void response.end(Buffer.from([0x22, 0xff, 0x22]));
    expect(await ask()).toHaveProperty('outcome', 'unknown');
  });

  test.each<[number, string, object]>([
    [425, '3', { outcome: 'ongoing', retryAfterMs: 3_000 }],
    [425, 'soon', { outcome: 'ongoing' }],
    [429, '2', { outcome: 'unknown', retryAfterMs: 2_000 }],
    [503, ' 5 ', { outcome: 'unknown', retryAfterMs: 5_000 }],
    [503, '86400', { outcome: 'unknown', retryAfterMs: 3_600_000 }],
    [503, 'Thu, 01 Jan 1970 00:17:00 GMT', { outcome: 'unknown', retryAfterMs: 20_000 }],
    [503, 'Thu, 01 Jan 1970 00:00:01 GMT', { outcome: 'unknown', retryAfterMs: 0 }],
  ])('status %i with Retry-After %j', async (status, value, expected) => {
    server.respond = (response) => {
      response.writeHead(status, { 'retry-after': value }).end();
    };
    // Virtual time starts 1,000 s after the epoch.
    expect(await ask()).toMatchObject(expected);
  });

  test.each([200, 400, 409, 500])('Retry-After means nothing with status %i', async (status) => {
    server.respond = (response) => void response.writeHead(status, { 'retry-after': '3' }).end();
    expect(await ask()).not.toHaveProperty('retryAfterMs');
  });

  test('the request is a plain POST that curl could send', async () => {
    const url = `${server.origin}/trip/car`;
    const call: Call = {
      gid: 'gid-9',
      branchId: 3,
      operation: 'run',
      method: '',
      payload: { days: 2 },
      results: { hotel: { room: 7 } },
    };
    await asker.ask({ url }, call);
    await asker.ask({ url: `${url}/` }, call);
    const [plain, slash] = server.requests.all;
    expect(plain).toMatchObject({ method: 'POST', path: '/trip/car/run' });
    expect(slash?.path).toBe('/trip/car/run');
    expect(plain?.headers).toMatchObject({
      'content-type': 'application/json',
      'settle-gid': 'gid-9',
      'settle-branch': '3',
      'settle-operation': 'run',
    });
    expect(plain?.headers).not.toHaveProperty('traceparent');
    expect(JSON.parse(plain?.body ?? '')).toEqual({ ...call, method: 'trip/car' });
  });

  test('the place in a trace is in the body, and in the header that tools for HTTP read', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const method = 'trip/car';
    const call = { gid: 'g', branchId: 1, operation: 'run', method, payload: null } as const;
    await asker.ask({ url: `${server.origin}/trip/car` }, { ...call, traceparent });
    const [plain] = server.requests.all;
    expect(plain?.headers['traceparent']).toBe(traceparent);
    expect(JSON.parse(plain?.body ?? '')).toHaveProperty('traceparent', traceparent);
  });

  test.each([301, 302, 303, 307, 308])('a redirect (%i) is not followed', async (status) => {
    const elsewhere = await HttpParticipant.open();
    closing.push(() => elsewhere.close());
    server.respond = (response) => {
      response.writeHead(status, { location: `${elsewhere.origin}/secret` }).end();
    };
    const error = `HTTP ${status}: redirects are not followed`;
    expect(await ask()).toEqual({ outcome: 'unknown', error });
    expect(elsewhere.requests.all).toEqual([]);
  });

  test.each([
    ['another origin', 'http://127.0.0.1:9/bank'],
    ['a user', 'http://user:geheim@127.0.0.1:9/bank'],
  ])('%s is not called, and no password is repeated', async (_what, url) => {
    expect(transport.reaches({ url })).toBe(false);
    const answer = await ask(url);
    expect(answer).toMatchObject({ outcome: 'unknown', asked: false });
    expect(answer).toHaveProperty('error', expect.stringMatching(/^TARGET_NOT_ALLOWED: /));
    expect(JSON.stringify(answer)).not.toContain('geheim');
  });

  test('a body is read up to its bound, whatever the server goes on sending', async () => {
    const pour = (response: ServerResponse): void => {
      while (!response.destroyed && response.write('x'.repeat(16_384)));
      if (!response.destroyed) response.once('drain', () => pour(response));
    };
    server.respond = (response) => pour(response.writeHead(200));
    // More often than there are connections: each is given up, not kept pouring.
    for (let i = 0; i < 2 * atOnce; i += 1) {
      const error = 'HTTP 200, but the body is cut short or too long';
      expect(await ask()).toEqual({ outcome: 'unknown', error });
    }
    server.respond = (response) => pour(response.writeHead(500));
    expect(await ask()).toEqual({ outcome: 'unknown', error: `HTTP 500: ${'x'.repeat(502)}` });
    server.respond = (response) => pour(response.writeHead(409));
    expect(await ask()).toEqual({ outcome: 'refused', error: 'x'.repeat(512) });
  });

  test.each<[string, number, Json]>([
    ['at', 65_536 + 1_024, 'done'],
    ['one past', 65_536 + 1_025, 'unknown'],
  ])('a body %s the bound', async (_what, bytes, outcome) => {
    server.respond = (response) => void response.end(`7${' '.repeat(bytes - 1)}`);
    expect(await ask()).toHaveProperty('outcome', outcome);
  });

  test('a server that dies in the middle of its answer: the status alone decides', async () => {
    const die = (status: number) => (response: ServerResponse) => {
      response.writeHead(status, { 'content-length': '100' });
      response.write('"half', () => response.destroy());
    };
    server.respond = die(200);
    expect(await ask()).toHaveProperty('outcome', 'unknown');
    server.respond = die(409);
    expect(await ask()).toEqual({ outcome: 'refused', error: '"half' });
    server.respond = die(425);
    expect(await ask()).toEqual({ outcome: 'ongoing' });
  });

  test('a body that drips is ended by the time-out of the whole call', async () => {
    server.respond = (response) => void response.writeHead(200).write('"');
    const answer = ask();
    await server.requests.count(1);
    await time.advance(10_010);
    expect(await answer).toEqual({
      outcome: 'unknown',
      error: expect.stringContaining('10000 ms'),
    });
    server.respond = (response) => void response.end('1');
    expect(await ask()).toEqual({ outcome: 'done', result: 1 });
  });

  test.each([
    ['garbage', 'hello there\r\n\r\n'],
    ['an upgrade', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'],
    ['a body that contradicts its length', 'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n1'],
    ['nothing', ''],
  ])('a server that says %s: unknown', async (_what, text) => {
    const raw = await openRawServer((socket) => void socket.end(text));
    closing.push(() => raw.close());
    open([raw.origin]);
    const answer = await ask(raw.origin);
    expect(answer).toEqual({ outcome: 'unknown', error: expect.stringContaining('may have') });
  });

  test('early hints before the answer are no answer', async () => {
    server.respond = (response) => {
      response.writeEarlyHints({ link: '</x>; rel=preload' });
      response.end('1');
    };
    expect(await ask()).toEqual({ outcome: 'done', result: 1 });
  });

  test('a server that dies after early hints has said nothing', async () => {
    server.respond = (response) => {
      response.writeEarlyHints({ link: '</x>; rel=preload' }, () => response.destroy());
    };
    const error = expect.stringContaining('the operation may have happened');
    expect(await ask()).toEqual({ outcome: 'unknown', error });
  });

  test('connections are kept and bounded', async () => {
    server.respond = (response) => void response.end('1');
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(Array.from({ length: atOnce + queuedMax }, () => ask()));
    }
    expect(server.requests.all).toHaveLength(10 * (atOnce + queuedMax));
    expect(server.connections.all.length).toBeLessThanOrEqual(atOnce);
  });

  test('a connection on which a call has failed carries no other', async () => {
    server.respond = (response) => void response.end('1');
    await ask();
    await ask();
    expect(server.connections.all).toHaveLength(1);
    server.respond = () => {};
    const lost = ask();
    await server.requests.count(3);
    await time.advance(10_010);
    expect(await lost).toHaveProperty('outcome', 'unknown');
    server.respond = (response) => void response.end('2');
    expect(await ask()).toEqual({ outcome: 'done', result: 2 });
    expect(server.connections.all).toHaveLength(2);
  });

  test('a server that closes after each answer is called again and again', async () => {
    server.respond = (response) => void response.setHeader('connection', 'close').end('1');
    for (let round = 0; round < 3; round += 1) {
      const count = atOnce + queuedMax;
      const asked = Array.from({ length: count }, () => ask());
      expect(transport.queued()).toBe(queuedMax);
      const answers = await Promise.all(asked);
      expect(transport.queued()).toBe(0);
      expect(answers).toEqual(Array(count).fill({ outcome: 'done', result: 1 }));
    }
  });

  test('with many calls under way an answer waits for others, with few it does not', async () => {
    const { underWayMin, waitMs } = gatheringLimits;
    open([server.origin], { connectionsPerOrigin: underWayMin });
    const kept: ServerResponse[] = [];
    server.respond = (response) => void kept.push(response);
    const answers = Array.from({ length: underWayMin }, () => ask());
    await server.requests.count(underWayMin);
    const [first, second] = kept;
    first?.end('1');
    await until(() => transport.origins()[0]?.inFlight === underWayMin - 1);
    expect(asker.answers).toEqual([]);
    await time.advance(waitMs);
    expect(asker.answers).toHaveLength(1);
    second?.end('1');
    await Promise.race(answers.slice(1));
    for (const response of kept.slice(2)) response.end('1');
    await Promise.all(answers);
  });

  test('close delivers answers that wait for others', async () => {
    const { underWayMin } = gatheringLimits;
    open([server.origin], { connectionsPerOrigin: underWayMin });
    const kept: ServerResponse[] = [];
    server.respond = (response) => void kept.push(response);
    const answers = Array.from({ length: underWayMin }, () => ask());
    await server.requests.count(underWayMin);
    kept[0]?.end('1');
    await until(() => transport.origins()[0]?.inFlight === underWayMin - 1);
    await transport.close();
    expect(asker.answers).toHaveLength(underWayMin);
    const outcomes = (await Promise.all(answers)).map(({ outcome }) => outcome);
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1);
  });

  test('a server that comes back is reached again', async () => {
    const origin = await freeOrigin();
    open([origin]);
    const refused = await ask(origin);
    expect(refused).toMatchObject({ outcome: 'unknown', asked: false });
    expect(refused).toHaveProperty('error', expect.stringContaining('ECONNREFUSED'));
    const back = await HttpParticipant.open(Number(new URL(origin).port));
    closing.push(() => back.close());
    expect(await ask(origin)).toEqual({ outcome: 'done', result: null });
  });

  test('pools are bounded: an idle one makes room, a busy one does not', async () => {
    const second = await HttpParticipant.open();
    const third = await HttpParticipant.open();
    closing.push(
      () => second.close(),
      () => third.close(),
    );
    open([server.origin, second.origin, third.origin], { ...bounds, originsMax: 2 });
    let answerNow = (): void => {};
    server.respond = (response) => {
      answerNow = () => void response.end('1');
    };
    second.respond = (response) => {
      answerNow = () => void response.end('2');
    };
    third.respond = (response) => void response.end('3');
    const first = ask();
    await server.requests.count(1);
    const answerFirst = answerNow;
    const other = ask(`${second.origin}/x`);
    await second.requests.count(1);
    expect(await ask(`${third.origin}/x`)).toMatchObject({ outcome: 'unknown', asked: false });
    answerNow();
    expect(await other).toEqual({ outcome: 'done', result: 2 });
    await new Promise<void>((resolve) => time.clock.soon(resolve));
    expect(await ask(`${third.origin}/x`)).toEqual({ outcome: 'done', result: 3 });
    expect(transport.origins().map(({ origin }) => origin)).toEqual([server.origin, third.origin]);
    answerFirst();
    expect(await first).toEqual({ outcome: 'done', result: 1 });
  });
});
