/** Spans of the engine: what is shown of attempts and phases, and what is passed on without a tracer. */
import { beforeEach, describe, expect, test } from 'vitest';
import { openTelemetryTracer } from '../../client-sdk/opentelemetry.ts';
import type { Call, Traceparent, TransactionAnswer } from '../../client-sdk/protocol/index.ts';
import { createMemoryStore } from '../../server/log/memory-log.ts';
import { notingProvider, type SpanNote } from '../support/span-notes.ts';
import { createVirtualTime } from '../support/virtual-time.ts';
import { createStage, done, type Script, type Stage, stepsOf, twoBranches } from './stage.ts';

const trace = '0af7651916cd43dd8448eb211c80319c';
const place: Traceparent = `00-${trace}-b7ad6b7169203331-01`;

let notes: SpanNote[] = [];
const tracer = openTelemetryTracer({
  tracerProvider: notingProvider('coordinator', (note) => notes.push(note)),
});

beforeEach(() => {
  notes = [];
});

const stageWith = (options = {}) =>
  createStage({ retry: { initialMs: 100, capMs: 100 }, ...options }, undefined, undefined, tracer);

async function begin(stage: Stage, traceparent?: Traceparent): Promise<void> {
  const request = { gid: 'g', name: 'order', branches: twoBranches };
  const placed = traceparent === undefined ? request : { ...request, traceparent };
  stage.ask<TransactionAnswer>((engine, answered) => engine.begin(placed, answered));
  await stage.time.settle();
}

async function commit(stage: Stage): Promise<void> {
  stage.ask<TransactionAnswer>((engine, answered) =>
    engine.decide({ gid: 'g', direction: 'commit', wait: 'decided' }, answered),
  );
  await stage.time.settle();
}

const attemptsOf = (operation: string) =>
  notes.filter(({ name }) => name === `settle.call ${operation}`);

const spanIdOf = ({ traceparent = '' }: { readonly traceparent?: string }) =>
  traceparent.split('-')[2];

/** The debit fails so many times; the text of the error holds what nobody should see. */
function failing(times: number): Script {
  let left = times;
  return ({ method }) => {
    if (method !== 'debit' || left === 0) return done;
    left -= 1;
    return { outcome: 'unknown', error: 'account 4711 is locked' };
  };
}

describe('attempts', () => {
  test('each is a span below the begin, numbered, with its outcome; the call carries it along', async () => {
    const stage = await stageWith();
    stage.script(failing(1));
    await begin(stage, place);
    await commit(stage);
    await stage.time.advance(200);
    const [failed, credited, again] = attemptsOf('confirm');
    expect(attemptsOf('confirm')).toHaveLength(3);
    expect(failed).toMatchObject({
      trace,
      parent: 'b7ad6b7169203331',
      kind: 'CLIENT',
      error: 'UNKNOWN',
      attributes: {
        'settle.gid': 'g',
        'settle.mode': 'transaction',
        'settle.branch_id': 1,
        'settle.operation': 'confirm',
        'settle.attempt': 1,
        'settle.service': 'bank',
        'settle.method': 'debit',
        'settle.outcome': 'unknown',
        'error.type': 'UNKNOWN',
      },
    });
    expect(credited).toMatchObject({ error: null, attributes: { 'settle.outcome': 'done' } });
    expect(again).toMatchObject({ error: null, attributes: { 'settle.attempt': 2 } });
    expect(stage.calls.map(spanIdOf)).toEqual([failed?.id, credited?.id, again?.id]);
  });

  test('a code of ours is shown, the text of an error and the payload never', async () => {
    const stage = await stageWith();
    stage.script(({ method }) =>
      method === 'debit'
        ? { outcome: 'unknown', error: 'METHOD_NOT_OFFERED: secret', asked: false }
        : { outcome: 'refused', error: 'secret' },
    );
    await begin(stage, place);
    await commit(stage);
    expect(attemptsOf('confirm').map(({ error }) => error)).toEqual([
      'METHOD_NOT_OFFERED',
      'REFUSED',
    ]);
    expect(JSON.stringify(notes)).not.toMatch(/secret|cents/);
  });

  test('a try that is passed on belongs to who asks for it, else to the begin', async () => {
    const stage = await stageWith();
    await begin(stage, place);
    const asker: Traceparent = `00-${trace}-00f067aa0ba902b7-01`;
    stage.ask((engine, answered) =>
      engine.tryBranch({ gid: 'g', branchId: 1, traceparent: asker }, answered),
    );
    await stage.time.settle();
    stage.ask((engine, answered) => engine.tryBranch({ gid: 'g', branchId: 2 }, answered));
    await stage.time.settle();
    expect(attemptsOf('try').map(({ parent }) => parent)).toEqual([
      '00f067aa0ba902b7',
      'b7ad6b7169203331',
    ]);
    expect(stage.calls.map(spanIdOf)).toEqual(attemptsOf('try').map(({ id }) => id));
  });
});

describe('phases', () => {
  test('each is a span once it is over, by the times of the records', async () => {
    const stage = await stageWith();
    stage.script(failing(1));
    const from = stage.time.clock.nowMs();
    await begin(stage, place);
    await stage.time.advance(50);
    await commit(stage);
    await stage.time.advance(200);
    const phases = notes.filter(({ name }) => name.startsWith('settle.phase'));
    expect(phases.map(({ name, parent }) => [name, parent])).toEqual([
      ['settle.phase active', 'b7ad6b7169203331'],
      ['settle.phase committing', 'b7ad6b7169203331'],
    ]);
    const view = await stage.view('g');
    expect(phases.map(({ startMs, endMs }) => [startMs, endMs])).toEqual([
      [from, view.decidedAtMs],
      [view.decidedAtMs, view.finishedAtMs],
    ]);
    expect(phases[1]?.attributes['settle.cause']).toBe('initiator');
  });

  test('a saga that is committed by its last step has one phase', async () => {
    const stage = await stageWith();
    stage.ask<TransactionAnswer>((engine, answered) =>
      engine.submit(
        { gid: 's', name: 'trip', steps: stepsOf('flight'), traceparent: place },
        answered,
      ),
    );
    await stage.time.settle();
    await stage.time.advance(50);
    expect(notes.map(({ name }) => name)).toEqual(['settle.call run', 'settle.phase active']);
    expect(notes.every(({ attributes }) => attributes['settle.mode'] === 'saga')).toBe(true);
  });
});

describe('the place in the trace', () => {
  test('is in the log: a later term goes on in the same trace', async () => {
    const store = createMemoryStore();
    const time = createVirtualTime();
    const first = await createStage({}, store, time, tracer);
    first.script(() => ({ outcome: 'unknown', error: 'away' }));
    await begin(first, place);
    await commit(first);
    const before = notes.length;
    const second = await createStage({}, store, time, tracer);
    await time.advance(1_000);
    const later = notes.slice(before).filter(({ attributes }) => {
      return attributes['settle.outcome'] === 'done';
    });
    expect(second.calls).toHaveLength(2);
    expect(later.map(({ trace: own, parent }) => [own, parent])).toEqual([
      [trace, 'b7ad6b7169203331'],
      [trace, 'b7ad6b7169203331'],
    ]);
  });

  test('is no part of the content: a begin that is repeated from elsewhere is the same one', async () => {
    const stage = await stageWith();
    await begin(stage, place);
    const other: Traceparent = '00-11111111111111111111111111111111-2222222222222222-01';
    const request = { gid: 'g', name: 'order', branches: twoBranches, traceparent: other };
    const asked = stage.ask<TransactionAnswer>((engine, answered) =>
      engine.begin(request, answered),
    );
    await stage.time.settle();
    expect(asked.answer?.ok).toBe(true);
    await commit(stage);
    expect(attemptsOf('confirm').map(({ trace: own }) => own)).toEqual([trace, trace]);
  });

  test('a begin that brings none gets one, which holds all the rest together', async () => {
    const stage = await stageWith();
    await begin(stage);
    await commit(stage);
    await stage.time.advance(50);
    const [root, ...rest] = notes;
    expect(root).toMatchObject({ name: 'settle.transaction order', kind: 'SERVER', parent: null });
    expect(rest).toHaveLength(4);
    expect(rest.every(({ parent }) => parent === root?.id)).toBe(true);
  });

  test('without a tracer what came along is passed on, and nothing else is said', async () => {
    const stage = await createStage();
    await begin(stage, place);
    await commit(stage);
    const given = (call: Call) => call.traceparent;
    expect(stage.calls.map(given)).toEqual([place, place]);
    const silent = await createStage();
    await begin(silent);
    await commit(silent);
    expect(silent.calls.filter((call) => 'traceparent' in call)).toEqual([]);
    expect(notes).toEqual([]);
  });
});
