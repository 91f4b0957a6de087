/**
 * The SDK in the world: a coordinator process, two SDK processes with a database each, and a plain
 * HTTP participant without any SDK, all in one global transaction that the first process begins and
 * whose context the second one gets by headers. Processes are killed while it runs. What counts is
 * read from the database files afterwards.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TransactionView } from '../../client-sdk/protocol/index.ts';
import { HttpParticipant, type SeenRequest } from '../support/http-participant.ts';
import type { Order, ServiceMessage, ServiceSettings } from '../support/sdk-service.ts';
import { scratchFolder, startServerCommand } from '../support/settle-command.ts';

const serviceFile = join(import.meta.dirname, '..', 'support', 'sdk-service.ts');

class Service {
  readonly exited: Promise<unknown>;
  port = 0;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.exited = once(child, 'exit');
  }

  static async start(settings: ServiceSettings): Promise<Service> {
    const service = new Service(fork(serviceFile, [JSON.stringify(settings)]));
    const message = await service.message();
    if (message.kind !== 'ready') throw new Error(`not ready: ${JSON.stringify(message)}`);
    service.port = message.port;
    return service;
  }

  order(order: Order): void {
    this.#child.send(order);
  }

  async message(): Promise<ServiceMessage> {
    const end = this.exited.then((code) => Promise.reject(new Error(`exited with ${code}`)));
    const [message] = await Promise.race([once(this.#child, 'message'), end]);
    return message as ServiceMessage;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited;
  }
}

type Coordinator = Awaited<ReturnType<typeof startServerCommand>>;

let folder = '';
let coordinator: Coordinator;
let car: HttpParticipant;
let bank: Service;
let shop: Service;
let cleanUp: (() => Promise<unknown> | undefined)[] = [];

const fileOf = (role: 'bank' | 'shop') => join(folder, `${role}.db`);

async function startCoordinator(port = '0'): Promise<Coordinator> {
  const log = `sqlite:${join(folder, 'log.db')}`;
  const args = ['--log', log, '--port', port, '--allow-callback', car.origin];
  const started = await startServerCommand([...args, '--retry-initial', '20ms'], { folder });
  cleanUp.push(() => {
    started.signal('SIGKILL');
    return started.ended;
  });
  return started;
}

async function startService(
  role: 'bank' | 'shop',
  more: Partial<ServiceSettings> = {},
): Promise<Service> {
  const base = { role, coordinator: coordinator.url, file: fileOf(role), port: 0, dieAt: null };
  const service = await Service.start({ ...base, ...more });
  cleanUp.push(() => service.kill());
  return service;
}

beforeEach(async () => {
  const scratch = await scratchFolder();
  folder = scratch.path;
  car = await HttpParticipant.open();
  cleanUp = [scratch.remove, () => car.close()];
  coordinator = await startCoordinator();
});

afterEach(async () => {
  for (const step of cleanUp.toReversed()) await step();
});

function order(kind: Order['kind'], cents: number): Order {
  const id = `order-${cents}`;
  return { kind, id, cents, bank: `http://127.0.0.1:${bank.port}`, car: `${car.origin}/car` };
}

/** Gives the order to the shop and waits for what it says. */
function place(kind: Order['kind'], cents: number): Promise<ServiceMessage> {
  const answered = shop.message();
  shop.order(order(kind, cents));
  return answered;
}

/** What the coordinator knows, once it is finished. */
async function finished(gid: string, path = 'transactions'): Promise<TransactionView> {
  const url = `${coordinator.url}/v1/${path}/${gid}?wait=completed&waitMs=60000`;
  return (await (await fetch(url)).json()) as TransactionView;
}

function accounts(): unknown {
  return (['bank', 'shop'] as const).map((role) => {
    const db = new DatabaseSync(fileOf(role));
    const rows = db.prepare('select cents, held from account').all();
    db.close();
    return rows.map((row) => ({ ...row }))[0];
  });
}

const [untouched, paid7] = [
  [
    { cents: 1_000, held: 0 },
    { cents: 1_000, held: 0 },
  ],
  [
    { cents: 1_007, held: 0 },
    { cents: 993, held: 0 },
  ],
];

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** A service that says yes to everything: what `curl` or any language could answer. */
function agree(response: ServerResponse, request: SeenRequest): void {
  json(response, 200, request.path.endsWith('/try') ? { car: 'red' } : null);
}

const carCalls = (): readonly string[] => car.requests.all.map(({ path }) => path);

describe('one transaction over two SDK processes and a plain HTTP participant', () => {
  test('commits everywhere', async () => {
    car.respond = agree;
    bank = await startService('bank');
    shop = await startService('shop');
    const told = await place('transaction', 7);
    expect(told).toMatchObject({
      kind: 'done',
      value: { car: { car: 'red' }, hooks: ['commit'] },
    });
    const { gid, value } = told as { gid: string; value: { bank: unknown } };
    // The bank's own try ran inside the transaction that the shop had begun.
    expect(value.bank).toEqual({ receipt: gid });
    const view = await finished(gid);
    expect(view).toMatchObject({ phase: 'committed', name: 'order', attention: null });
    const participants = view.branches.map(({ participant, state }) => [participant, state]);
    expect(participants).toHaveLength(3);
    expect(participants).toEqual(
      expect.arrayContaining([
        [{ service: 'shop', method: 'debit' }, 'confirmed'],
        [{ service: 'bank', method: 'credit' }, 'confirmed'],
        [{ url: `${car.origin}/car` }, 'confirmed'],
      ]),
    );
    expect(carCalls()).toEqual(['/car/try', '/car/confirm']);
    expect(car.calls.map((call) => [call.gid, call.operation, call.payload])).toEqual([
      [gid, 'try', { cents: 7 }],
      [gid, 'confirm', { cents: 7 }],
    ]);
    expect(accounts()).toEqual(paid7);
  });

  test('rolls back everywhere when the plain participant refuses', async () => {
    car.respond = (response, request) => {
      if (request.path.endsWith('/try')) json(response, 409, { detail: 'no car left' });
      else json(response, 200, null);
    };
    bank = await startService('bank');
    shop = await startService('shop');
    const told = await place('transaction', 7);
    expect(told).toMatchObject({ kind: 'failed', code: 'REFUSED' });
    expect(told).toMatchObject({ detail: 'no car left', hooks: ['rollback rolledBack'] });
    const view = await finished(told.kind === 'failed' ? (told.gid ?? '') : '');
    expect(view).toMatchObject({ phase: 'rolledBack', cause: { kind: 'initiator' } });
    expect(carCalls()).toEqual(['/car/try', '/car/cancel']);
    expect(accounts()).toEqual(untouched);
  });

  test('rolls back everywhere when the second process refuses', async () => {
    car.respond = agree;
    bank = await startService('bank');
    shop = await startService('shop');
    const told = await place('transaction', 1_001);
    expect(told).toMatchObject({ kind: 'failed', code: 'REFUSED' });
    expect(told).toMatchObject({ detail: 'shop has not enough money' });
    const view = await finished(told.kind === 'failed' ? (told.gid ?? '') : '');
    expect(view.phase).toBe('rolledBack');
    expect(carCalls()).toEqual([]);
    expect(accounts()).toEqual(untouched);
  });

  test('commits once the second process is back, which died in its confirm', async () => {
    car.respond = agree;
    bank = await startService('bank', { dieAt: 'confirm' });
    shop = await startService('shop');
    const told = await place('transaction', 7);
    // The decision is durable, so this is a success, though not all is confirmed yet.
    expect(told).toMatchObject({ kind: 'done', value: { hooks: ['commit'] } });
    await bank.exited;
    bank = await startService('bank');
    const view = await finished(told.kind === 'done' ? told.gid : '');
    expect(view.phase).toBe('committed');
    expect(accounts()).toEqual(paid7);
  });

  test('commits although the coordinator is killed in the middle and starts again', async () => {
    let kills = 0;
    car.respond = (response, request) => {
      if (kills++ > 0) return agree(response, request);
      // The try has come through the first coordinator; its answer will never get back.
      coordinator.signal('SIGKILL');
      void coordinator.ended.then(async () => {
        const { port } = new URL(coordinator.url);
        coordinator = await startCoordinator(port);
        response.destroy();
      });
    };
    bank = await startService('bank');
    shop = await startService('shop');
    const told = await place('transaction', 7);
    expect(told).toMatchObject({ kind: 'done', value: { car: { car: 'red' } } });
    const view = await finished(told.kind === 'done' ? told.gid : '');
    expect(view).toMatchObject({ phase: 'committed', attention: null });
    expect(carCalls()).toEqual(['/car/try', '/car/try', '/car/confirm']);
    expect(accounts()).toEqual(paid7);
  });
});

describe('one saga over the same', () => {
  test('commits, hands on its results, and is idempotent by its id', async () => {
    car.respond = (response) => json(response, 200, { car: 'blue' });
    bank = await startService('bank');
    shop = await startService('shop');
    const told = await place('saga', 7);
    const results = { shop: -7, bank: { paid: 7 }, car: { car: 'blue' } };
    const done = { kind: 'done', gid: 'order-7', value: { phase: 'committed', results } };
    expect(told).toEqual(done);
    expect(car.calls[0]).toMatchObject({ results: { shop: -7, bank: { paid: 7 } } });
    expect(await place('saga', 7)).toEqual(done);
    expect(carCalls()).toEqual(['/car/run']);
    expect(accounts()).toEqual(paid7);
  });

  test('is undone in all places when its last step refuses', async () => {
    car.respond = (response, { path }) => {
      if (path.endsWith('/run')) json(response, 409, { detail: 'no car left' });
      else json(response, 200, null);
    };
    bank = await startService('bank');
    shop = await startService('shop');
    const told = await place('saga', 7);
    expect(told).toMatchObject({ kind: 'failed', code: 'ROLLED_BACK', gid: 'order-7' });
    expect(told).toMatchObject({ detail: expect.stringContaining('no car left') });
    const view = await finished('order-7', 'sagas');
    expect(view).toMatchObject({ phase: 'rolledBack', cause: { kind: 'refused', branchId: 3 } });
    // Undone although it refused: a late duplicate of its run might still take effect.
    expect(new Set(carCalls())).toEqual(new Set(['/car/run', '/car/undo']));
    expect(accounts()).toEqual(untouched);
  });
});
