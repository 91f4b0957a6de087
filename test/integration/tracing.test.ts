/**
 * One trace of the real thing: a coordinator process with an SDK of its own, an initiator, a participant
 * over the channel and one over plain HTTP, each with a provider of its own. One of them fails and is
 * asked again; the coordinator dies by kill -9 between the decision and the end, and comes back.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import Fastify from 'fastify';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { participantRoutes } from '../../client-sdk/fastify.ts';
import { connect } from '../../client-sdk/index.ts';
import { openTelemetryTracer } from '../../client-sdk/opentelemetry.ts';
import { tccMethod } from '../../client-sdk/participant/index.ts';
import type { TransactionView } from '../../client-sdk/protocol/index.ts';
import { Arrivals } from '../support/arrivals.ts';
import { runCommand, scratchFolder, startServerCommand } from '../support/settle-command.ts';
import { keepContexts, notingProvider, type SpanNote, treeOf } from '../support/span-notes.ts';

const bootstrap = pathToFileURL(
  join(import.meta.dirname, '..', 'support', 'tracing-child.ts'),
).href;

const retries = ['--retry-initial', '20ms', '--retry-max', '50ms'];

let folder = '';
let cleanUp: (() => unknown)[] = [];
let forget = () => {};
let notes: SpanNote[] = [];

beforeAll(() => {
  forget = keepContexts();
});
afterAll(() => forget());
beforeEach(async () => {
  const scratch = await scratchFolder();
  folder = scratch.path;
  cleanUp = [scratch.remove];
  notes = [];
});
afterEach(async () => {
  for (const step of cleanUp.toReversed()) await step();
});

const providerOf = (service: string) => notingProvider(service, (note) => notes.push(note));
const tracerOf = (service: string) => openTelemetryTracer({ tracerProvider: providerOf(service) });

async function startCoordinator(args: readonly string[]) {
  const started = await startServerCommand(
    ['--log', `sqlite:${join(folder, 'log.db')}`, ...retries, '--tracing', ...args],
    {
      folder,
      env: { NODE_OPTIONS: `--import=${bootstrap}`, SPANS_FILE: join(folder, 'spans') },
    },
  );
  cleanUp.push(() => {
    started.signal('SIGKILL');
    return started.ended;
  });
  return started;
}

/** Those of the coordinator are in its file, a line each, from the moment on when they ended. */
function allNotes(): readonly SpanNote[] {
  const file = join(folder, 'spans');
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
  return [...notes, ...lines.map((line): SpanNote => JSON.parse(line))];
}

/** A method whose confirm fails as often as it is told; tries and confirms are counted as they come. */
function moody(failures: number) {
  const confirms = new Arrivals<string>();
  let left = failures;
  return {
    confirms,
    mend: () => {
      left = 0;
    },
    definition: {
      try: (_trx: undefined, _input: unknown) => null,
      confirm: (_trx: undefined, _input: unknown, { key }: { readonly key: string }) => {
        confirms.add(key);
        if (left === 0) return;
        left -= 1;
        throw new Error('account 4711 is locked');
      },
      cancel: () => undefined,
    },
  };
}

/** The participant over HTTP. */
async function startCar(failures: number) {
  const car = moody(failures);
  const app = Fastify();
  participantRoutes(app, tccMethod('book', car.definition), '/car', { tracer: tracerOf('car') });
  const origin = await app.listen({ port: 0, host: '127.0.0.1' });
  cleanUp.push(() => app.close());
  return { ...car, origin };
}

test('a retry, a restart, channel and HTTP: one trace, each span below the one that caused it', async () => {
  const car = await startCar(1);
  const before = await startCoordinator(['--allow-callback', car.origin]);
  const bank = moody(Number.POSITIVE_INFINITY);
  await using bankSettle = await connect({
    url: before.url,
    service: 'bank',
    tracer: tracerOf('bank'),
  });
  bankSettle.tcc('credit', bank.definition);
  await using shop = await connect({ url: before.url, service: 'shop', tracer: tracerOf('shop') });
  const shopMethod = moody(0);
  const debit = shop.tcc('debit', shopMethod.definition);
  const credit = shop.remote({ service: 'bank', method: 'credit' });
  const book = shop.remote({ url: `${car.origin}/car` });
  await Promise.all([bankSettle.ready(), shop.ready()]);

  const gid = await providerOf('shop')
    .getTracer('user')
    .startActiveSpan('POST /orders', async (span) => {
      const value = await shop.transaction({ name: 'order', wait: 'decided' }, async (tx) => {
        await Promise.all([debit({ card: 4711 }), credit({ card: 4711 }), book({ card: 4711 })]);
        return tx.gid;
      });
      span.end();
      return value;
    });
  // The car was asked twice, the bank fails for ever; then the coordinator dies.
  await Promise.all([car.confirms.count(2), bank.confirms.count(2)]);
  while ((await confirmedOf(before.url, gid)) < 2)
    await bank.confirms.count(bank.confirms.all.length + 1);
  before.signal('SIGKILL');
  await before.ended;
  const port = new URL(before.url).port;
  bank.mend();
  await startCoordinator(['--port', port, '--allow-callback', car.origin]);
  const url = `${before.url}/v1/transactions/${gid}?wait=completed&waitMs=60000`;
  expect(await (await fetch(url)).json()).toMatchObject({ phase: 'committed' });

  const all = allNotes();
  const [root] = all.filter(({ name }) => name === 'POST /orders');
  expect(new Set(all.map(({ trace }) => trace))).toEqual(new Set([root?.trace]));
  expect(JSON.stringify(all)).not.toContain('4711');
  const order = all.find(({ name }) => name === 'settle.transaction order');
  expect(order?.parent).toBe(root?.id);
  checkInitiator(all, order?.id);
  checkAttempts(all, order?.id);
});

test('without the package the coordinator says what to install, and does not serve', async () => {
  // As where nobody has installed it: the name leads nowhere.
  const hook = `import { registerHooks } from 'node:module';
    registerHooks({ resolve: (name, context, next) =>
      next(name === '@opentelemetry/api' ? 'not-installed-anywhere' : name, context) });`;
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(hook)}` };
  const args = ['server', '--tracing', '--port', '0', '--log', 'memory:'];
  const { code, stderr } = await runCommand(args, { folder, env });
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/INVALID_CONFIG.*npm install @opentelemetry\/api/s);
});

async function confirmedOf(url: string, gid: string): Promise<number> {
  const view = (await (await fetch(`${url}/v1/transactions/${gid}`)).json()) as TransactionView;
  return view.branches.filter(({ state }) => state === 'confirmed').length;
}

/** Requests are below the transaction; what they made others do is below them. */
function checkInitiator(all: readonly SpanNote[], orderId: string | undefined): void {
  const tree = treeOf(all);
  const below = tree.slice(0, tree.findIndex((line) => line.includes('settle.commit')) + 1);
  expect(below.slice(0, 3)).toEqual([
    'shop: POST /orders',
    '  shop: settle.transaction order',
    '    shop: settle.begin',
  ]);
  for (const [service, name] of [
    ['bank', 'settle.try credit'],
    ['car', 'settle.try car'],
  ]) {
    const tried = all.find(
      (note) => note.service === service && note.name.startsWith('settle.try'),
    );
    const called = all.find(({ id }) => id === tried?.parent);
    const asked = all.find(({ id }) => id === called?.parent);
    expect([tried?.name, called?.name, asked?.name, asked?.parent], name).toEqual([
      name === 'settle.try car' ? 'settle.try book' : name,
      'settle.call try',
      'settle.try',
      orderId,
    ]);
  }
  expect(all.find(({ name }) => name === 'settle.try debit')).toMatchObject({
    service: 'shop',
    parent: orderId,
    kind: 'INTERNAL',
  });
}

/** Attempts are below the transaction, in the later term as well; what they led to is below them. */
function checkAttempts(all: readonly SpanNote[], orderId: string | undefined): void {
  const phases = all.filter(({ name }) => name.startsWith('settle.phase'));
  expect(phases.map(({ name, parent }) => [name, parent])).toEqual([
    ['settle.phase active', orderId],
    ['settle.phase committing', orderId],
  ]);
  const attempts = all.filter(({ name }) => name === 'settle.call confirm');
  expect(attempts.every(({ parent }) => parent === orderId)).toBe(true);
  const confirmed = all.filter(({ name }) => name.startsWith('settle.confirm'));
  const of = (service: string) =>
    confirmed
      .filter((note) => note.service === service)
      .map(({ error, parent }) => {
        const attempt = attempts.find(({ id }) => id === parent);
        return [attempt?.attributes['settle.attempt'], error, attempt?.error];
      });
  expect(of('shop')[0]).toEqual([1, null, null]);
  expect(of('car').slice(0, 2)).toEqual([
    [1, 'UNKNOWN', 'UNKNOWN'],
    [2, null, null],
  ]);
  expect(of('bank')[0]).toEqual([1, 'UNKNOWN', 'UNKNOWN']);
  // By the later term, which counts its own attempts.
  expect(of('bank').at(-1)).toEqual([expect.any(Number), null, null]);
}
