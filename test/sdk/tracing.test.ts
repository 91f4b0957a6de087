/** Spans of the SDK against a scripted coordinator: what is below what, what is sent along, what is shown. */
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { AlwaysOffSampler } from '@opentelemetry/sdk-trace-base';
import Fastify from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { participantRoutes } from '../../client-sdk/fastify.ts';
import { currentTransaction, type Settle, TerminalError } from '../../client-sdk/index.ts';
import { openTelemetryTracer } from '../../client-sdk/opentelemetry.ts';
import { tccMethod } from '../../client-sdk/participant/index.ts';
import type { Call } from '../../client-sdk/protocol/index.ts';
import { tracedMethod } from '../../client-sdk/spans.ts';
import { keepContexts, notingProvider, type SpanNote, treeOf } from '../support/span-notes.ts';
import { ScriptedCoordinator } from './scripted-coordinator.ts';
import { connectTo, idle, methodsOf } from './support.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const place = `00-${traceId}-b7ad6b7169203331-01`;

let notes: SpanNote[] = [];
const provider = notingProvider('bank', (note) => notes.push(note));
const tracer = openTelemetryTracer({ tracerProvider: provider });
let forget = () => {};

beforeAll(() => {
  forget = keepContexts();
});
afterAll(() => forget());
beforeEach(() => {
  notes = [];
});

interface World extends AsyncDisposable {
  readonly coordinator: ScriptedCoordinator;
  readonly settle: Settle;
}

async function world(): Promise<World> {
  const coordinator = await ScriptedCoordinator.start();
  const settle = await connectTo(coordinator, { tracer });
  return {
    coordinator,
    settle,
    async [Symbol.asyncDispose]() {
      await settle.close();
      await coordinator[Symbol.asyncDispose]();
    },
  };
}

/** Runs the work as a span of the user's own. */
async function inOwnSpan<T>(name: string, work: () => Promise<T>): Promise<T> {
  return provider.getTracer('user').startActiveSpan(name, async (span) => {
    try {
      return await work();
    } finally {
      span.end();
    }
  });
}

const named = (name: string): SpanNote => {
  const note = notes.find((each) => each.name === name);
  if (note === undefined) throw new Error(`no span ${name} among ${treeOf(notes).join(', ')}`);
  return note;
};

const placeOf = ({ trace: own, id }: SpanNote) => `00-${own}-${id}-01`;

describe('an initiator', () => {
  test('a transaction is a span below the user’s own, and its requests and tries are below it', async () => {
    await using all = await world();
    const { credit } = methodsOf(all.settle);
    const remote = all.settle.remote({ service: 'car', method: 'book' });
    await inOwnSpan('GET /order', () =>
      all.settle.transaction({ name: 'order' }, async () => {
        await credit(1);
        await remote(null);
      }),
    );
    expect(treeOf(notes)).toEqual([
      'bank: GET /order',
      '  bank: settle.transaction order',
      '    bank: settle.begin',
      '    bank: settle.try credit',
      '    bank: settle.register',
      '    bank: settle.try',
      '    bank: settle.commit',
    ]);
    const begun = all.coordinator.of('begin')[0]?.body;
    expect(begun?.['traceparent']).toBe(placeOf(named('settle.transaction order')));
    expect(named('settle.transaction order').attributes).toEqual({
      'settle.gid': begun?.['gid'],
      'settle.mode': 'transaction',
    });
    // What the participant does because of this very request is below it.
    expect(all.coordinator.of('try')[0]?.body['traceparent']).toBe(placeOf(named('settle.try')));
    expect(all.coordinator.of('decide')[0]?.body).not.toHaveProperty('traceparent');
  });

  test('an error is shown by its code, or its class, and never by its text', async () => {
    await using all = await world();
    const { refuse } = methodsOf(all.settle);
    await all.settle.transaction({ name: 'order' }, () => refuse(null)).catch(() => undefined);
    expect(named('settle.try refuse')).toMatchObject({ error: 'REFUSED' });
    expect(named('settle.transaction order')).toMatchObject({ error: 'REFUSED' });
    const secret = new RangeError('account 4711');
    const failed = all.settle.transaction({ name: 'other' }, () => Promise.reject(secret));
    await expect(failed).rejects.toBe(secret);
    expect(named('settle.transaction other')).toMatchObject({ error: 'RangeError' });
    expect(JSON.stringify(notes)).not.toMatch(/4711|no money/);
  });

  test('a saga is a span, and says where it is', async () => {
    await using all = await world();
    const trip = all.settle
      .saga<number>('trip')
      .step('flight', { participant: { service: 'air', method: 'book' } });
    await all.settle.run(trip, 1);
    expect(treeOf(notes)).toEqual(['bank: settle.saga trip', '  bank: settle.submit']);
    const place = placeOf(named('settle.saga trip'));
    expect(all.coordinator.of('submit')[0]?.body['traceparent']).toBe(place);
  });

  test('what the user does not sample nobody else samples', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    const off = notingProvider('bank', (note) => notes.push(note), new AlwaysOffSampler());
    const quiet = openTelemetryTracer({ tracerProvider: off });
    await using settle = await connectTo(coordinator, { tracer: quiet });
    await settle.transaction({}, () => methodsOf(settle).credit(1));
    expect(coordinator.of('begin')[0]?.body['traceparent']).toMatch(/-00$/);
    expect(notes).toEqual([]);
  });

  test('without a provider, and without a tracer, nothing is sent along', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    for (const options of [{ tracer: openTelemetryTracer() }, {}]) {
      await using settle = await connectTo(coordinator, options);
      await settle.transaction({}, async ({ headers }) => {
        expect(Object.keys(await headers())).toEqual(['settle-gid']);
      });
    }
    expect(coordinator.of('begin').filter(({ body }) => 'traceparent' in body)).toEqual([]);
  });
});

describe('between services', () => {
  test('headers say where the running code is; who joins goes on there', async () => {
    await using all = await world();
    let sent: Readonly<Record<string, string>> = {};
    await all.settle.transaction({ name: 'order' }, () =>
      inOwnSpan('ask the bank', async () => {
        sent = (await currentTransaction()?.headers()) ?? {};
      }),
    );
    expect(sent['settle-traceparent']).toBe(placeOf(named('ask the bank')));
    const { credit } = methodsOf(all.settle);
    await all.settle.join(sent, () => credit(1));
    expect(named('settle.join').parent).toBe(named('ask the bank').id);
    expect(named('settle.try credit').parent).toBe(named('settle.join').id);
  });

  test('a span that HTTP tracing has made of the same trace is nearer', async () => {
    await using all = await world();
    const from = { 'settle-gid': 'g', 'settle-traceparent': place };
    const remote = { traceId, spanId: 'b7ad6b7169203331', traceFlags: 1, isRemote: true };
    const arriving = trace.setSpanContext(ROOT_CONTEXT, remote);
    const served = provider.getTracer('http').startSpan('POST /credit', {}, arriving);
    await context.with(trace.setSpan(arriving, served), () => all.settle.join(from, () => 1));
    await inOwnSpan('of another trace', async () => void (await all.settle.join(from, () => 2)));
    const parents = notes.filter(({ name }) => name === 'settle.join').map(({ parent }) => parent);
    expect(parents).toEqual([served.spanContext().spanId, 'b7ad6b7169203331']);
  });
});

describe('a participant', () => {
  const call: Call = {
    gid: 'g',
    branchId: 1,
    operation: 'confirm',
    method: 'debit',
    payload: { secret: 4711 },
  };
  const definition = {
    try: () => undefined,
    confirm: () => inOwnSpan('update account', async () => undefined),
    cancel: () => {
      throw new TerminalError('secret 4711');
    },
  };

  test('what it is asked by the channel is a span of the call, and the handler runs inside', async () => {
    await using coordinator = await ScriptedCoordinator.start();
    // As a service that connects while it traces its own start.
    await using settle = await inOwnSpan('start', () => connectTo(coordinator, { tracer }));
    settle.tcc('debit', definition);
    await settle.ready();
    await coordinator.call({ ...call, traceparent: place } as Call);
    expect(named('settle.confirm debit')).toMatchObject({
      trace: traceId,
      parent: 'b7ad6b7169203331',
      kind: 'SERVER',
      attributes: {
        'settle.gid': 'g',
        'settle.branch_id': 1,
        'settle.operation': 'confirm',
        'settle.method': 'debit',
        'settle.outcome': 'done',
      },
    });
    expect(named('update account').parent).toBe(named('settle.confirm debit').id);
    await coordinator.call({ ...call, operation: 'cancel' });
    // A call without a place begins a trace: the connection's own start is not its parent.
    expect(named('settle.cancel debit')).toMatchObject({ parent: null, error: 'REFUSED' });
    expect(JSON.stringify(notes)).not.toContain('4711');
  });

  test('over plain HTTP it is the same', async () => {
    const app = Fastify();
    participantRoutes(app, tccMethod('debit', definition), '/debit', { tracer });
    const ask = (traceparent: unknown) =>
      app.inject({ method: 'POST', url: '/debit/confirm', payload: { ...call, traceparent } });
    expect((await ask(place)).statusCode).toBe(200);
    expect(named('settle.confirm debit')).toMatchObject({ parent: 'b7ad6b7169203331' });
    notes = [];
    expect((await ask('nonsense')).statusCode).toBe(200);
    expect(named('settle.confirm debit')).toMatchObject({ parent: null });
    await app.close();
  });

  test('questions of operators are no part of a transaction, and no spans', async () => {
    const method = tccMethod('debit', { ...definition, ...idle });
    await tracedMethod(method, tracer).handle({ ...call, operation: 'health' });
    expect(notes).toEqual([]);
  });
});
