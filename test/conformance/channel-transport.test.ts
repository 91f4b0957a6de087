/** The channel transport over real WebSockets: the contract, then what is its own. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Call, CallAnswer, Participant } from '../../client-sdk/protocol/index.ts';
import { createAccess } from '../../server/api/access.ts';
import { attachChannel, type ChannelEndpoint } from '../../server/api/channel.ts';
import { createValidators } from '../../server/api/schemas.ts';
import {
  type ChannelTransport,
  createChannelTransport,
} from '../../server/dispatch/channel-transport.ts';
import { Arrivals } from '../support/arrivals.ts';
import { ChannelClient } from '../support/channel-client.ts';
import { createSteppedClock, type SteppedClock } from '../support/stepped-clock.ts';
import { unusedCoordinator } from '../support/unused-coordinator.ts';
import {
  Asker,
  type Behaviour,
  callOf,
  type TestParticipant,
  transportConformance,
} from './transport.ts';

const validators = createValidators();
const atOnce = 4;
const queuedMax = 8;
const address = { service: 'bank', method: 'debit' };

/** A coordinator's half of the channel: transport, endpoint, HTTP server. */
interface Line {
  readonly transport: ChannelTransport;
  readonly endpoint: ChannelEndpoint;
  readonly time: SteppedClock;
  readonly url: string;
  /** Services told to `offered`. */
  readonly offered: string[];
  close(): Promise<void>;
}

async function openLine(): Promise<Line> {
  const time = createSteppedClock();
  const offered: string[] = [];
  const transport = createChannelTransport({
    clock: time.clock,
    offered: (service) => void offered.push(service),
    limits: { queuedPerServiceMax: queuedMax, lateHoldMs: 30_000 },
  });
  const server = createServer();
  const endpoint = attachChannel(server, {
    coordinator: unusedCoordinator(),
    validators,
    access: createAccess([], time.clock),
    attach: (connection) => transport.attach(connection),
    node: 'node-1',
    clock: time.clock,
    log: { debug: () => {}, info: () => {} },
    // Time-outs are far beyond the heartbeats here, and each test wants one of the two.
    limits: { heartbeatMs: 1_000_000 },
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    transport,
    endpoint,
    time,
    url: `ws://127.0.0.1:${port}/channel`,
    offered,
    async close() {
      await transport.close();
      await endpoint.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** One instance of a service: answers calls as its behaviour says. */
class Instance implements TestParticipant {
  readonly client: ChannelClient;
  readonly participant: Participant;
  readonly calls = new Arrivals<Call>();
  #behaviour: Behaviour = { outcome: 'silent' };
  #kept: number[] = [];

  constructor(client: ChannelClient, participant: Participant) {
    this.client = client;
    this.participant = participant;
    client.onMessage = (message) => {
      if (message.kind !== 'call') return;
      this.#kept.push(message.id);
      this.calls.add(message.call);
      this.#act();
    };
  }

  get seen(): readonly Call[] {
    return this.calls.all;
  }

  arrived(count: number): Promise<void> {
    return this.calls.count(count);
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
    if (behaviour.outcome === 'dies') this.client.socket.terminate();
    else for (const id of kept) this.client.send({ kind: 'answer', id, answer: behaviour });
  }
}

async function connect(line: Line, hello: object = {}): Promise<Instance> {
  const client = new ChannelClient(line.url);
  const fields = { service: 'bank', methods: ['debit'], callsMax: atOnce, ...hello };
  const instance = new Instance(client, {
    service: fields.service,
    method: fields.methods[0] ?? '',
  });
  await client.hello(fields);
  return instance;
}

transportConformance('the channel transport', async () => {
  const line = await openLine();
  return {
    transport: line.transport,
    participant: await connect(line),
    other: await connect(line, { service: 'hotel', instance: 'hotel-1', methods: ['book'] }),
    absent: { service: 'nobody', method: 'debit' },
    unreachable: { url: 'http://127.0.0.1:1/x' },
    atOnce,
    queuedMax,
    advance: line.time.advance,
    close: line.close,
  };
});

describe('the channel transport by itself', () => {
  let line: Line;
  let asker: Asker;
  const ask = (participant: Participant = address, branchId = 1): Promise<CallAnswer> => {
    return asker.ask(participant, callOf(participant, branchId));
  };

  beforeEach(async () => {
    line = await openLine();
    asker = new Asker(line.transport);
  });
  afterEach(async () => {
    await line.close();
    asker.expectOneAnswerEach();
  });

  test('it says whether the service is away or lacks the method', async () => {
    await connect(line);
    expect(await ask({ service: 'nobody', method: 'debit' })).toEqual({
      outcome: 'unknown',
      asked: false,
      retryAfterMs: 20_000,
      error: "METHOD_NOT_OFFERED: service 'nobody' is not connected",
    });
    expect(await ask({ service: 'bank', method: 'credit' })).toEqual({
      outcome: 'unknown',
      asked: false,
      retryAfterMs: 20_000,
      error: "METHOD_NOT_OFFERED: service 'bank' does not offer 'credit'",
    });
  });

  test('instances that are equally loaded take turns', async () => {
    const instances = [];
    for (const instance of ['1', '2', '3']) instances.push(await connect(line, { instance }));
    for (const instance of instances) instance.behave({ outcome: 'done', result: null });
    for (let i = 0; i < 30; i += 1) await ask();
    expect(instances.map(({ seen }) => seen.length)).toEqual([10, 10, 10]);
  });

  test('the least loaded instance is asked, each within its own window', async () => {
    const small = await connect(line, { instance: 'small', callsMax: 1 });
    const large = await connect(line, { instance: 'large', callsMax: 5 });
    const answers = Array.from({ length: 6 }, () => ask());
    await Promise.all([small.arrived(1), large.arrived(5)]);
    const waiting = ask();
    const inFlight = line.transport.participants().map((each) => each.inFlight);
    expect(inFlight).toEqual([1, 5]);
    small.behave({ outcome: 'done', result: 'small' });
    expect(await waiting).toEqual({ outcome: 'done', result: 'small' });
    large.behave({ outcome: 'done', result: 'large' });
    await Promise.all(answers);
    expect(large.seen).toHaveLength(5);
  });

  test('an instance that is busy is passed over while another is not', async () => {
    const busy = await connect(line, { instance: 'busy' });
    const free = await connect(line, { instance: 'free' });
    free.behave({ outcome: 'done', result: 'free' });
    const kept = ask();
    expect(await ask()).toHaveProperty('result', 'free');
    for (let i = 0; i < 10; i += 1) expect(await ask()).toHaveProperty('result', 'free');
    busy.behave({ outcome: 'done', result: 'busy' });
    expect(await kept).toHaveProperty('result', 'busy');
  });

  test('a free place is no place for a method that the instance does not offer', async () => {
    const debits = await connect(line, { instance: '1', methods: ['debit'] });
    const credits = await connect(line, { instance: '2', methods: ['credit'], callsMax: 1 });
    const credit = { service: 'bank', method: 'credit' };
    const answers = [ask(credit), ask(credit)];
    await credits.arrived(1);
    debits.behave({ outcome: 'done', result: null });
    await ask();
    credits.behave({ outcome: 'done', result: null });
    await Promise.all(answers);
    expect([debits.seen.length, credits.seen.length]).toEqual([1, 2]);
  });

  test('only instances that offer the method are asked', async () => {
    const debits = await connect(line, { instance: '1', methods: ['debit'] });
    const credits = await connect(line, { instance: '2', methods: ['credit'] });
    debits.behave({ outcome: 'done', result: 'debit' });
    credits.behave({ outcome: 'done', result: 'credit' });
    for (let i = 0; i < 10; i += 1) {
      expect(await ask()).toEqual({ outcome: 'done', result: 'debit' });
      expect(await ask({ service: 'bank', method: 'credit' })).toHaveProperty('result', 'credit');
    }
  });

  test('a drained service gets no calls, as if nobody were connected, until it is undrained', async () => {
    const instance = await connect(line, { callsMax: 1 });
    const kept = ask();
    await instance.arrived(1);
    const queued = ask();
    expect(line.transport.queued()).toBe(1);
    line.transport.drain('bank', true);
    expect(line.transport.queued()).toBe(0);
    const drained = "METHOD_NOT_OFFERED: service 'bank' is drained";
    expect(await queued).toMatchObject({ outcome: 'unknown', asked: false, error: drained });
    expect(await ask()).toMatchObject({ outcome: 'unknown', asked: false, error: drained });
    expect(line.transport.drained()).toEqual(['bank']);
    // What was under way ends, and who comes meanwhile wakes nobody.
    instance.behave({ outcome: 'done', result: 'late' });
    expect(await kept).toHaveProperty('result', 'late');
    const offers = line.offered.length;
    await connect(line, { instance: '2', methods: ['credit'] });
    expect(line.offered).toHaveLength(offers);
    line.transport.drain('bank', false);
    expect(line.offered).toHaveLength(offers + 1);
    expect(await ask()).toHaveProperty('result', 'late');
    expect([instance.seen.length, line.transport.drained()]).toEqual([2, []]);
  });

  test('each instance is asked about itself: a busy, a silent, a drained one, beside its calls', async () => {
    const busy = await connect(line, { instance: 'busy', callsMax: 1 });
    const none = await connect(line, { instance: 'none', callsMax: 0 });
    const kept = ask();
    await busy.arrived(1);
    line.transport.drain('bank', true);
    const call: Call = { gid: '-', branchId: 1, operation: 'ping', method: '-', payload: null };
    const told: (readonly [string, CallAnswer['outcome']])[] = [];
    const asked = line.transport.askEach('bank', call, 1_000, (instance, { outcome }) => {
      told.push([instance, outcome]);
    });
    expect([asked, told]).toEqual([['busy', 'none'], []]);
    await Promise.all([busy.arrived(2), none.arrived(1)]);
    const inFlight = () => line.transport.participants().map((each) => each.inFlight);
    expect(inFlight()).toEqual([1, 0]);
    none.behave({ outcome: 'done', result: { version: '1' } });
    while (told.length < 1) await new Promise(setImmediate);
    await line.time.advance(1_100);
    expect(told).toEqual([
      ['none', 'done'],
      ['busy', 'unknown'],
    ]);
    expect(inFlight()).toEqual([1, 0]);
    // An answer that comes late finds nobody, and the call that was under way gets its own.
    busy.behave({ outcome: 'done', result: 'kept' });
    expect(await kept).toHaveProperty('result', 'kept');
    expect([told.length, inFlight()]).toEqual([2, [0, 0]]);
    expect(line.transport.askEach('nobody', call, 1_000, () => {})).toEqual([]);
  });

  test('an instance that takes no calls offers nothing', async () => {
    await connect(line, { callsMax: 0 });
    expect(await ask()).toHaveProperty('asked', false);
    expect(line.transport.participants()).toMatchObject([{ callsMax: 0, methods: [] }]);
  });

  test('hello again replaces methods and window, and lets waiting calls go', async () => {
    const instance = await connect(line, { callsMax: 1 });
    const answers = [ask(), ask(), ask()];
    await instance.arrived(1);
    await instance.client.hello({ methods: ['debit', 'credit'], callsMax: 3 });
    await instance.arrived(3);
    instance.behave({ outcome: 'done', result: null });
    await Promise.all(answers);
    expect(await ask({ service: 'bank', method: 'credit' })).toHaveProperty('outcome', 'done');
  });

  test('calls that wait for a method which is withdrawn are answered: not asked', async () => {
    const instance = await connect(line, { callsMax: 1 });
    const asked = ask();
    const waiting = ask();
    await instance.arrived(1);
    await instance.client.hello({ methods: ['credit'], callsMax: 1 });
    expect(await waiting).toMatchObject({ asked: false, error: expect.stringMatching(/^METHOD_/) });
    instance.behave({ outcome: 'done', result: 'still answered' });
    expect(await asked).toEqual({ outcome: 'done', result: 'still answered' });
  });

  test('the last instance gone: what was asked is unknown, what waited was not asked', async () => {
    const instance = await connect(line, { callsMax: 2 });
    const answers = Array.from({ length: 5 }, () => ask());
    await instance.arrived(2);
    instance.behave({ outcome: 'dies' });
    const unasked = (await Promise.all(answers)).filter((answer) => 'asked' in answer);
    expect(unasked).toHaveLength(3);
    for (const answer of unasked)
      expect(answer).toHaveProperty('error', expect.stringMatching(/not connected/));
    expect(line.transport.participants()).toEqual([]);
    expect(await ask()).toHaveProperty('error', expect.stringMatching(/not connected/));
  });

  test('calls that waited for a dead instance go to the one that is left', async () => {
    const first = await connect(line, { instance: '1', callsMax: 2 });
    const second = await connect(line, { instance: '2', callsMax: 2 });
    const answers = Array.from({ length: 8 }, () => ask());
    await Promise.all([first.arrived(2), second.arrived(2)]);
    first.behave({ outcome: 'dies' });
    await first.client.closed;
    second.behave({ outcome: 'done', result: null });
    const outcomes = (await Promise.all(answers)).map(({ outcome }) => outcome).sort();
    expect(outcomes).toEqual([...Array(6).fill('done'), 'unknown', 'unknown']);
  });

  test('a method with a long queue does not starve the others of its service', async () => {
    const instance = await connect(line, { methods: ['debit', 'credit'], callsMax: 1 });
    const many = Array.from({ length: 1 + queuedMax - 1 }, () => ask());
    await instance.arrived(1);
    const one = ask({ service: 'bank', method: 'credit' });
    instance.behave({ outcome: 'done', result: null });
    await Promise.all([...many, one]);
    const position = instance.seen.findIndex(({ method }) => method === 'credit');
    expect(position).toBeLessThanOrEqual(2);
  });

  test('a call that timed out keeps its place for a while, then it is free', async () => {
    const instance = await connect(line, { callsMax: 1 });
    const timedOut = ask();
    await instance.arrived(1);
    await line.time.advance(10_010);
    expect(await timedOut).toHaveProperty('outcome', 'unknown');
    expect(line.transport.participants()).toMatchObject([{ inFlight: 1 }]);
    const waiting = asker.ask(address, callOf(address), 60_000);
    await line.time.advance(29_900);
    expect(instance.seen).toHaveLength(1);
    await line.time.advance(200);
    await instance.arrived(2);
    instance.behave({ outcome: 'done', result: 2 });
    expect(await waiting).toEqual({ outcome: 'done', result: 2 });
    expect(line.transport.participants()).toMatchObject([{ inFlight: 0 }]);
  });

  test('a late answer frees the place at once', async () => {
    const instance = await connect(line, { callsMax: 1 });
    const timedOut = ask();
    await instance.arrived(1);
    await line.time.advance(10_010);
    await timedOut;
    const waiting = ask();
    instance.behave({ outcome: 'done', result: 'yes' });
    expect(await waiting).toEqual({ outcome: 'done', result: 'yes' });
  });

  test('answers to nobody, answered twice, or from another connection are dropped', async () => {
    const first = await connect(line, { instance: '1', callsMax: 1 });
    const second = await connect(line, { instance: '2', callsMax: 1 });
    const answers = [ask(), ask()];
    await Promise.all([first.arrived(1), second.arrived(1)]);
    const [message] = first.client.messages.all.filter(({ kind }) => kind === 'call');
    const id = message !== undefined && 'id' in message ? message.id : -1;
    const stray = { kind: 'answer', answer: { outcome: 'done', result: 'stray' } };
    second.client.send({ ...stray, id }, { ...stray, id: 999_999 });
    second.behave({ outcome: 'done', result: 'second' });
    first.client.send(
      { kind: 'answer', id, answer: { outcome: 'done', result: 'first' } },
      { ...stray, id },
    );
    const results = (await Promise.all(answers)).map(
      (answer) => 'result' in answer && answer.result,
    );
    expect(results.sort()).toEqual(['first', 'second']);
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['a text', 'done'],
    ['no outcome', { result: 1 }],
    ['another outcome', { outcome: 'fine' }],
  ])('an answer that is %s makes the outcome unknown', async (_what, answer) => {
    const instance = await connect(line);
    instance.client.onMessage = (message) => {
      if (message.kind === 'call') instance.client.send({ kind: 'answer', id: message.id, answer });
    };
    expect(await ask()).toEqual({ outcome: 'unknown', error: expect.stringContaining('answer') });
  });

  test('done without a result is done with null', async () => {
    const instance = await connect(line);
    instance.behave({ outcome: 'done' } as Behaviour);
    expect(await ask()).toEqual({ outcome: 'done', result: null });
  });

  test('an SDK that was not able to ask its method says so', async () => {
    const instance = await connect(line);
    instance.behave({ outcome: 'unknown', error: 'busy', asked: false, retryAfterMs: 100 });
    const answer = { outcome: 'unknown', error: 'busy', asked: false, retryAfterMs: 100 };
    expect(await ask()).toEqual(answer);
  });

  test('who waits for a service is told when it comes, and when it offers more', async () => {
    const instance = await connect(line);
    expect(line.offered).toEqual(['bank']);
    await instance.client.hello({ methods: ['debit'] });
    expect(line.offered).toEqual(['bank']);
    await instance.client.hello({ methods: ['debit', 'credit'] });
    expect(line.offered).toEqual(['bank', 'bank']);
    await connect(line, { instance: '2' });
    expect(line.offered).toEqual(['bank', 'bank']);
  });

  test('a callback that asks again at once does not upset the one that answers it', async () => {
    const instance = await connect(line, { callsMax: 2 });
    const again = [ask(), ask()].map((first) => first.then(() => Promise.all([ask(), ask()])));
    await instance.arrived(2);
    instance.behave({ outcome: 'dies' });
    for (const answer of (await Promise.all(again)).flat()) {
      expect(answer).toHaveProperty('asked', false);
    }
    expect(asker.answers).toHaveLength(6);
  });

  test('a connection that answers while it is asked is answered after call has returned', async () => {
    const { attached, ids } = attachByHand((id) => {
      attached.answered(id, { outcome: 'done', result: id });
    });
    expect(await ask()).toEqual({ outcome: 'done', result: ids[0] });
    attached.detached();
  });

  test('a connection that is lost while it is asked answers once', async () => {
    const { attached } = attachByHand(() => attached.detached());
    expect(await ask()).toMatchObject({ outcome: 'unknown' });
    attached.detached();
    expect(await ask()).toHaveProperty('asked', false);
  });

  /** A connection without a wire. */
  function attachByHand(sent: (id: number) => void) {
    const ids: number[] = [];
    const attached = line.transport.attach({
      service: 'bank',
      instance: 'by-hand',
      methods: ['debit'],
      callsMax: 1,
      send(message) {
        if (message.kind !== 'call') return;
        ids.push(message.id);
        sent(message.id);
      },
    });
    return { attached, ids };
  }

  test('ten thousand calls go through one connection in full frames', async () => {
    const instance = await connect(line, { callsMax: 20_000 });
    instance.behave({ outcome: 'done', result: null });
    const answers = await Promise.all(
      Array.from({ length: 10_000 }, (_, i) => ask(address, i + 1)),
    );
    expect(answers.filter(({ outcome }) => outcome === 'done')).toHaveLength(10_000);
    const frames = instance.client.frames.all.slice(1);
    expect(frames.length).toBeLessThan(10_000 / 64 + 20);
    expect(Math.max(...frames)).toBe(64);
  });
});
