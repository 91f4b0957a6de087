/** One HTTP call in the orders of events that no test server can be made to cause. */
import { describe, expect, test } from 'vitest';
import type { CallAnswer } from '../../client-sdk/protocol/index.ts';
import { HttpCall } from '../../server/dispatch/http-call.ts';
import { httpTransportLimits } from '../../server/dispatch/limits.ts';

/** A call, and everything that it told its owner or undici, in order. */
function start() {
  const told: (string | CallAnswer)[] = [];
  const asking = { path: '/x/run', headers: [], body: '{}', timeoutMs: 100, answered: () => {} };
  const call = new HttpCall(asking, {
    limits: httpTransportLimits,
    nowMs: () => 0,
    answer: (_call, answer) => told.push(answer),
    finished: () => told.push('finished'),
  });
  const controller = {
    aborted: false,
    paused: false,
    reason: null,
    abort(reason: Error) {
      told.push('aborted');
      call.onResponseError(controller, reason);
    },
    pause() {},
    resume() {},
  };
  return { call, controller, told };
}

const notSent = { outcome: 'unknown', asked: false, error: expect.any(String) };
const mayHaveHappened = { outcome: 'unknown', error: expect.stringContaining('may have happened') };

describe('an HTTP call', () => {
  test('given up before its connection is there is never sent', () => {
    const { call, controller, told } = start();
    call.giveUp('not sent within 100 ms');
    expect(told).toEqual([notSent]);
    call.onRequestStart(controller);
    expect(told).toEqual([notSent, 'aborted', 'finished']);
  });

  test('given up once it was sent may have happened, and its connection is cut', () => {
    const { call, controller, told } = start();
    call.onRequestStart(controller);
    call.giveUp('no answer within 100 ms');
    expect(told).toEqual([mayHaveHappened, 'aborted', 'finished']);
  });

  test('whose answer comes after it was given up is not answered again', () => {
    const { call, controller, told } = start();
    call.giveUp('too late');
    call.onResponseStart(controller, 200, {});
    call.onResponseData(controller, Buffer.from('1'));
    call.onResponseEnd();
    call.onResponseError(controller, new Error('reset'));
    expect(told).toEqual([notSent, 'finished']);
  });

  test('that fails before it was sent was not asked', () => {
    const { call, controller, told } = start();
    call.onResponseError(controller, new Error('connect ECONNREFUSED 127.0.0.1:1'));
    expect(told).toEqual([{ ...notSent, error: expect.stringContaining('REFUSED') }, 'finished']);
  });

  test('that fails on every address of a host shows the first failure', () => {
    const { call, controller, told } = start();
    const first = Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED' });
    call.onResponseError(controller, new AggregateError([first, new Error('other')]));
    expect(told[0]).toMatchObject({ error: 'ECONNREFUSED: connect refused' });
  });
});
