/**
 * The contract of `Transport`, told once and held against every transport over real sockets. The
 * harness brings participants whose behaviour the test sets, and a clock whose time-outs pass when
 * the test says so.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type Call,
  type CallAnswer,
  type Json,
  limits,
  type Participant,
} from '../../client-sdk/protocol/index.ts';
import type { Transport } from '../../server/dispatch/transport.ts';

/** What a participant does with the calls that reach it. `silent`: keeps them until told otherwise. */
export type Behaviour = CallAnswer | { readonly outcome: 'silent' } | { readonly outcome: 'dies' };

/** A participant over a real socket. */
export interface TestParticipant {
  readonly participant: Participant;
  /** For this and all later calls; those kept silently are answered now, with the same. */
  behave(behaviour: Behaviour): void;
  /** Calls as they arrived, in order. */
  readonly seen: readonly Call[];
  /** Resolves when so many have arrived since the start. */
  arrived(count: number): Promise<void>;
}

/** One transport and who can be reached by it. */
export interface TransportHarness {
  readonly transport: Transport;
  readonly participant: TestParticipant;
  /** Another service or origin. */
  readonly other: TestParticipant;
  /** An address of the right kind where nobody is. */
  readonly absent: Participant;
  /** An address of the wrong kind. */
  readonly unreachable: Participant;
  /** Calls that one participant takes at once, and that wait for it. */
  readonly atOnce: number;
  readonly queuedMax: number;
  /** Lets time-outs pass. */
  advance(ms: number): Promise<void>;
  close(): Promise<void>;
}

const timeoutMs = 10_000;

/** One call of a test; `method` is that of the participant. */
export function callOf(participant: Participant, branchId = 1, payload: Json = null): Call {
  const method = 'method' in participant ? participant.method : '';
  return { gid: 'gid-1', branchId, operation: 'confirm', method, payload };
}

/** Asks, and keeps every answer: the contract says one, never before `call` has returned. */
export class Asker {
  readonly answers: CallAnswer[] = [];
  asked = 0;
  readonly #transport: Transport;
  #early = 0;
  #twice = 0;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  ask(participant: Participant, call: Call, withinMs = timeoutMs): Promise<CallAnswer> {
    this.asked += 1;
    const { promise, resolve } = Promise.withResolvers<CallAnswer>();
    let hasReturned = false;
    let isAnswered = false;
    this.#transport.call(participant, call, withinMs, (answer) => {
      if (!hasReturned) this.#early += 1;
      if (isAnswered) this.#twice += 1;
      isAnswered = true;
      this.answers.push(answer);
      resolve(answer);
    });
    hasReturned = true;
    return promise;
  }

  /** Every call was answered once, after it had returned. */
  expectOneAnswerEach(): void {
    expect({ early: this.#early, twice: this.#twice, answered: this.answers.length }).toEqual({
      early: 0,
      twice: 0,
      answered: this.asked,
    });
  }
}

/** Runs the suite against a transport. */
export function transportConformance(name: string, open: () => Promise<TransportHarness>): void {
  describe(`${name} keeps the contract of a transport`, () => {
    let harness: TransportHarness;
    let asker: Asker;
    const ask = (payload: Json = null, branchId = 1): Promise<CallAnswer> => {
      const { participant } = harness.participant;
      return asker.ask(participant, callOf(participant, branchId, payload));
    };

    beforeEach(async () => {
      harness = await open();
      asker = new Asker(harness.transport);
    });
    afterEach(async () => {
      await harness.close();
      asker.expectOneAnswerEach();
    });

    describe('answers', () => answering(() => harness, ask));
    describe('what goes wrong', () =>
      goingWrong(
        () => harness,
        () => asker,
        ask,
      ));
    describe('bounds', () =>
      bounding(
        () => harness,
        () => asker,
        ask,
      ));
  });
}

type Ask = (payload?: Json, branchId?: number) => Promise<CallAnswer>;

function answering(harnessOf: () => TransportHarness, ask: Ask): void {
  test('it reaches its own kind of address only', () => {
    const { transport, participant, unreachable } = harnessOf();
    expect(transport.reaches(participant.participant)).toBe(true);
    expect(transport.reaches(unreachable)).toBe(false);
  });

  test.each<[string, Json]>([
    ['null', null],
    ['false', false],
    ['a number', 0.5],
    ['a text', 'Grüße ☃'],
    ['an empty text', ''],
    ['a list', [1, [2, { three: 3 }]]],
    ['an object', { account: 'a', cents: 500, nested: { deep: [null] } }],
    ['the deepest that is allowed', nested(limits.jsonDepthMax)],
    ['the largest that is allowed', 'x'.repeat(limits.payloadBytesMax - 2)],
  ])('done brings the result: %s', async (_what, result) => {
    harnessOf().participant.behave({ outcome: 'done', result });
    expect(await ask()).toEqual({ outcome: 'done', result });
  });

  test.each<[string, Json]>([
    ['one level too deep', nested(limits.jsonDepthMax + 1)],
    ['too large', 'x'.repeat(limits.payloadBytesMax + 2_000)],
  ])('a result that is %s makes the outcome unknown', async (_what, result) => {
    harnessOf().participant.behave({ outcome: 'done', result });
    expect(await ask()).toEqual({ outcome: 'unknown', error: expect.any(String) });
  });

  test('refused brings the reason, cut at 512 characters', async () => {
    harnessOf().participant.behave({ outcome: 'refused', error: 'no money' });
    expect(await ask()).toEqual({ outcome: 'refused', error: 'no money' });
    harnessOf().participant.behave({ outcome: 'refused', error: 'x'.repeat(600) });
    expect(await ask()).toEqual({ outcome: 'refused', error: 'x'.repeat(512) });
  });

  test('ongoing says when to ask again, if the participant does', async () => {
    harnessOf().participant.behave({ outcome: 'ongoing' });
    expect(await ask()).toEqual({ outcome: 'ongoing' });
    harnessOf().participant.behave({ outcome: 'ongoing', retryAfterMs: 7_000 });
    expect(await ask()).toEqual({ outcome: 'ongoing', retryAfterMs: 7_000 });
  });

  test('a wait of more than an hour is cut to an hour', async () => {
    harnessOf().participant.behave({ outcome: 'ongoing', retryAfterMs: 999_000_000 });
    expect(await ask()).toEqual({ outcome: 'ongoing', retryAfterMs: 3_600_000 });
  });

  test('unknown brings the error and when to ask again', async () => {
    harnessOf().participant.behave({ outcome: 'unknown', error: 'disk full', retryAfterMs: 3_000 });
    const answer = await ask();
    expect(answer).toMatchObject({ outcome: 'unknown', retryAfterMs: 3_000 });
    expect(answer).toHaveProperty('error', expect.stringContaining('disk full'));
    expect(answer).not.toHaveProperty('asked');
  });

  test('the participant sees the call as it was given', async () => {
    const { participant, transport } = harnessOf();
    const call: Call = {
      ...callOf(participant.participant, 7, { cents: 500 }),
      operation: 'undo',
      results: { flight: 'LH1', hotel: null },
      result: null,
    };
    participant.behave({ outcome: 'done', result: null });
    await new Asker(transport).ask(participant.participant, call);
    const { method, ...rest } = call;
    expect(participant.seen).toEqual([{ ...rest, method: expect.stringContaining(method) }]);
  });

  test('each of many calls at once gets its own answer', async () => {
    const { participant, atOnce, queuedMax } = harnessOf();
    participant.behave({ outcome: 'done', result: 'echo' });
    for (let round = 0; round < 20; round += 1) {
      const count = atOnce + queuedMax;
      const answers = await Promise.all(Array.from({ length: count }, (_, i) => ask(i, i + 1)));
      expect(answers.every((answer) => answer.outcome === 'done')).toBe(true);
    }
    const payloads = participant.seen.slice(0, atOnce + queuedMax).map(({ payload }) => payload);
    expect(new Set(payloads).size).toBe(atOnce + queuedMax);
  });
}

function goingWrong(harnessOf: () => TransportHarness, askerOf: () => Asker, ask: Ask): void {
  test('no answer in time is unknown, and a late answer is dropped', async () => {
    const { participant, advance } = harnessOf();
    participant.behave({ outcome: 'silent' });
    const answer = ask();
    await participant.arrived(1);
    await advance(timeoutMs - 100);
    expect(askerOf().answers).toEqual([]);
    await advance(200);
    expect(await answer).toEqual({
      outcome: 'unknown',
      error: expect.stringContaining('10000 ms'),
    });
    participant.behave({ outcome: 'done', result: 'late' });
    expect(await ask()).toEqual({ outcome: 'done', result: 'late' });
    expect(askerOf().answers).toHaveLength(2);
  });

  test('time-outs of different length each come at their time', async () => {
    const { participant, advance } = harnessOf();
    const { participant: address } = participant;
    participant.behave({ outcome: 'silent' });
    const slow = askerOf().ask(address, callOf(address), 3_000);
    const fast = askerOf().ask(address, callOf(address), 1_000);
    await participant.arrived(2);
    await advance(1_100);
    expect(await fast).toHaveProperty('outcome', 'unknown');
    expect(askerOf().answers).toHaveLength(1);
    await advance(2_100);
    expect(await slow).toHaveProperty('outcome', 'unknown');
  });

  test('a participant that dies while it is asked may have done it: unknown, and asked', async () => {
    const { participant } = harnessOf();
    participant.behave({ outcome: 'silent' });
    const answers = [ask(), ask()];
    await participant.arrived(2);
    participant.behave({ outcome: 'dies' });
    for (const answer of await Promise.all(answers)) {
      expect(answer).toEqual({ outcome: 'unknown', error: expect.any(String) });
    }
  });

  test('where nobody is, nobody was asked', async () => {
    const { absent } = harnessOf();
    const answer = await askerOf().ask(absent, callOf(absent));
    expect(answer).toMatchObject({ outcome: 'unknown', asked: false, error: expect.any(String) });
  });

  test('close answers what is under way unknown, and takes nothing more', async () => {
    const { participant, transport, atOnce } = harnessOf();
    participant.behave({ outcome: 'silent' });
    const answers = Array.from({ length: atOnce + 1 }, () => ask());
    await participant.arrived(atOnce);
    await Promise.all([transport.close(), transport.close()]);
    expect(askerOf().answers).toHaveLength(atOnce + 1);
    const asked = (await Promise.all(answers)).filter((answer) => !('asked' in answer));
    expect(asked).toHaveLength(atOnce);
    expect(await ask()).toMatchObject({ outcome: 'unknown', asked: false });
    await transport.close();
  });
}

function bounding(harnessOf: () => TransportHarness, askerOf: () => Asker, ask: Ask): void {
  test('calls beyond the window wait; one beyond the queue is refused at once', async () => {
    const { participant, atOnce, queuedMax } = harnessOf();
    participant.behave({ outcome: 'silent' });
    const answers = Array.from({ length: atOnce + queuedMax }, (_, i) => ask(i));
    await participant.arrived(atOnce);
    const beyond = await ask();
    expect(beyond).toMatchObject({ outcome: 'unknown', asked: false, retryAfterMs: 1_000 });
    expect(beyond).toHaveProperty('error', expect.stringMatching(/^OVERLOADED: /));
    expect(participant.seen).toHaveLength(atOnce);
    expect(askerOf().answers).toHaveLength(1);
    participant.behave({ outcome: 'done', result: 1 });
    for (const answer of await Promise.all(answers)) expect(answer.outcome).toBe('done');
    expect(participant.seen.map(({ payload }) => payload)).toEqual(answers.map((_, i) => i));
  });

  test('what times out while it waits was not asked, and is never sent', async () => {
    const { participant, atOnce, advance } = harnessOf();
    const { participant: address } = participant;
    participant.behave({ outcome: 'silent' });
    const asked = Array.from({ length: atOnce }, (_, i) => ask(i));
    await participant.arrived(atOnce);
    const waiting = askerOf().ask(address, callOf(address, 99), 1_000);
    await advance(1_100);
    expect(await waiting).toMatchObject({ outcome: 'unknown', asked: false });
    participant.behave({ outcome: 'done', result: null });
    await Promise.all(asked);
    await ask('after');
    expect(participant.seen.map(({ branchId }) => branchId)).not.toContain(99);
  });

  test('what timed out in the queue leaves its place to others', async () => {
    const { participant, atOnce, queuedMax, advance } = harnessOf();
    const { participant: address } = participant;
    participant.behave({ outcome: 'silent' });
    const asked = Array.from({ length: atOnce }, () => ask());
    await participant.arrived(atOnce);
    for (let round = 0; round < 2; round += 1) {
      const waiting = Array.from({ length: queuedMax }, () => {
        return askerOf().ask(address, callOf(address), 1_000);
      });
      await advance(1_100);
      for (const answer of await Promise.all(waiting)) {
        expect(answer).toHaveProperty('error', expect.stringContaining('1000 ms'));
      }
    }
    participant.behave({ outcome: 'done', result: null });
    await Promise.all(asked);
  });

  test('a participant that says nothing, with a full queue, slows no other', async () => {
    const { participant, other, atOnce, queuedMax } = harnessOf();
    participant.behave({ outcome: 'silent' });
    const stuck = Array.from({ length: atOnce + queuedMax }, () => ask());
    await participant.arrived(atOnce);
    other.behave({ outcome: 'done', result: 'fine' });
    for (let round = 0; round < 50; round += 1) {
      const calls = Array.from({ length: atOnce }, () => {
        return askerOf().ask(other.participant, callOf(other.participant));
      });
      for (const answer of await Promise.all(calls)) expect(answer.outcome).toBe('done');
    }
    expect(askerOf().answers).toHaveLength(50 * atOnce);
    participant.behave({ outcome: 'done', result: null });
    await Promise.all(stuck);
  });

  test('a participant that is away slows no other', async () => {
    const { absent, other, atOnce } = harnessOf();
    other.behave({ outcome: 'done', result: 'fine' });
    for (let round = 0; round < 20; round += 1) {
      const lost = Array.from({ length: atOnce }, () => askerOf().ask(absent, callOf(absent)));
      const fine = await askerOf().ask(other.participant, callOf(other.participant));
      expect(fine.outcome).toBe('done');
      for (const answer of await Promise.all(lost)) expect(answer).toHaveProperty('asked', false);
    }
  });
}

/** A value that nests so deep. */
export function nested(depth: number): Json {
  let value: Json = 1;
  for (let i = 0; i < depth; i += 1) value = [value];
  return value;
}
