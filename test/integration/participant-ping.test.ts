/**
 * `settle participant ping` against real processes: one that is well, one that is stopped, one that is
 * gone, one of an SDK that does not know the question, and participants over HTTP. Nobody's
 * transactions hear of it.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, type Settle } from '../../client-sdk/index.ts';
import type {
  ParticipantsAnswer,
  PingAnswer,
  PingView,
  TransactionView,
} from '../../client-sdk/protocol/index.ts';
import { version } from '../../client-sdk/version.ts';
import { ChannelClient } from '../support/channel-client.ts';
import { HttpParticipant } from '../support/http-participant.ts';
import type { ServiceSettings } from '../support/sdk-service.ts';
import { runCommand, scratchFolder, startServerCommand } from '../support/settle-command.ts';

const serviceFile = join(import.meta.dirname, '..', 'support', 'sdk-service.ts');

let folder: Awaited<ReturnType<typeof scratchFolder>>;
let server: Awaited<ReturnType<typeof startServerCommand>>;
let car: HttpParticipant;
let shop: Settle;
const children: ChildProcess[] = [];

beforeAll(async () => {
  folder = await scratchFolder();
  car = await HttpParticipant.open();
  const log = ['--log', `sqlite:${join(folder.path, 'log.db')}`];
  const args = [...log, '--allow-callback', car.origin, '--retry-initial', '20ms'];
  server = await startServerCommand(args, { folder: folder.path });
  shop = await connect({ url: server.url, service: 'shop', instance: 'shop-1' });
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await shop?.close();
  server?.signal('SIGTERM');
  await server?.ended;
  await car?.close();
  await folder?.remove();
});

const settle = (...args: string[]) =>
  runCommand([...args, '--url', server.url], { folder: folder.path });

/** The figures of each that was asked. */
async function ping(name: string | null, timeoutMs = 2_000): Promise<readonly PingView[]> {
  const query = new URLSearchParams({ timeoutMs: `${timeoutMs}`, ...(name !== null && { name }) });
  const answer = await fetch(`${server.url}/v1/participants/ping?${query}`);
  return ((await answer.json()) as PingAnswer).pings;
}

/** A process of the service `bank`, once it is connected. */
async function startBank(file: string): Promise<ChildProcess> {
  const settings: ServiceSettings = {
    ...{ role: 'bank', coordinator: server.url, file: join(folder.path, file) },
    ...{ port: 0, dieAt: null },
  };
  const child = fork(serviceFile, [JSON.stringify(settings)]);
  children.push(child);
  await once(child, 'message');
  return child;
}

const view = async (gid: string) =>
  (await (await fetch(`${server.url}/v1/transactions/${gid}`)).json()) as TransactionView;

async function post(path: string, body: object): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const init = { method: 'POST', headers, body: JSON.stringify(body) };
  expect((await fetch(`${server.url}${path}`, init)).ok).toBe(true);
}

it('tells round trip, instance and version of one that is well', async () => {
  const { code, stdout: json } = await settle('participant', 'ping', 'shop', '--json');
  const pings: readonly PingView[] = json.split('\n').map((line) => JSON.parse(line));
  const well = { name: 'shop', instance: 'shop-1', outcome: 'answered', version, detail: null };
  expect(pings).toEqual([{ ...well, roundTripMs: expect.any(Number) }]);
  expect(pings[0]?.roundTripMs).toBeGreaterThan(0);
  expect(code).toBe(0);
  const { stdout } = await settle('participant', 'ping', '--all');
  expect(stdout).toMatch(/^shop +shop-1 +[\d.]+ ms +\d+\.\d+\.\d+ +is there$/m);
});

it('a process that stands still gave no answer in time, and keeps what it had', async () => {
  const [well, still] = [await startBank('a.db'), await startBank('b.db')];
  still.kill('SIGSTOP');
  const pings = await ping('bank', 300);
  expect(pings.map(({ outcome }) => outcome).sort()).toEqual(['answered', 'noAnswer']);
  const silent = pings.find(({ outcome }) => outcome === 'noAnswer');
  expect(silent).toMatchObject({ roundTripMs: null, version: null, detail: 'no answer in 300 ms' });
  expect(silent?.instance).toContain(`-${still.pid}-`);
  const shown = await fetch(`${server.url}/v1/participants`);
  const { participants } = (await shown.json()) as ParticipantsAnswer;
  const bank = participants.find(({ service }) => service === 'bank');
  // Nothing of it holds a place of a call.
  expect(bank?.instances.map(({ callsInFlight }) => callsInFlight)).toEqual([0, 0]);
  still.kill('SIGCONT');
  const again = await ping('bank');
  expect(again.map(({ outcome }) => outcome)).toEqual(['answered', 'answered']);
  for (const child of [well, still]) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});

it('a service that is gone is said to be gone; a name that nobody has is not found', async () => {
  const branches = [{ participant: { service: 'tax', method: 'pay' } }];
  await post('/v1/transactions', { gid: 'tax-1', branches });
  await post('/v1/transactions/tax-1/rollback', { wait: 'decided' });
  const before = await view('tax-1');
  expect(await ping('tax')).toMatchObject([
    { instance: null, outcome: 'unreachable', detail: 'no instance is connected' },
  ]);
  const told = await settle('participant', 'ping', 'tax');
  expect(told.stdout).toMatch(/^tax +- +- +- +no instance is connected$/m);
  expect(told.code).toBe(4);
  expect(await view('tax-1')).toMatchObject({ phase: before.phase, branches: [{ branchId: 1 }] });
  expect(await settle('participant', 'ping', 'nobody')).toMatchObject({ code: 3 });
  expect(await settle('participant', 'ping')).toMatchObject({ code: 2 });
  expect(await settle('participant', 'ping', 'tax', '--all')).toMatchObject({ code: 2 });
  expect(await settle('participant', 'ping', 'tax', '--timeout', '1')).toMatchObject({ code: 2 });
});

it('an SDK that does not know the question is there, and one that goes away meanwhile is not', async () => {
  const client = new ChannelClient(`${server.url.replace('http', 'ws')}/channel`);
  let behaviour: 'old' | 'dies' = 'old';
  client.onMessage = (message) => {
    if (message.kind !== 'call') return;
    if (behaviour === 'dies') return client.socket.terminate();
    const error = 'METHOD_NOT_OFFERED: this instance does not offer the method "-"';
    client.send({ kind: 'answer', id: message.id, answer: { outcome: 'unknown', error } });
  };
  await client.hello({ service: 'old', instance: 'old-1', methods: ['pay'] });
  const first = await ping('old');
  expect(first).toMatchObject([{ instance: 'old-1', outcome: 'unsupported', version: null }]);
  expect(first[0]?.detail).toContain('does not know this question');
  expect(first[0]?.roundTripMs).toBeGreaterThan(0);
  behaviour = 'dies';
  const second = await ping('old');
  expect(second).toMatchObject([{ instance: 'old-1', outcome: 'noAnswer' }]);
  expect(second[0]?.detail).toContain('connection lost');
});

it('addresses of open transactions are asked by POST …/ping, and no other', async () => {
  const url = `${car.origin}/car`;
  // Its cancel is not done, so the transaction stays open.
  let ofPing: Parameters<typeof car.respond>[0] | null = null;
  let answer: 'well' | 'unknown' | 'silent' = 'well';
  car.respond = (response, { path }) => {
    if (path !== '/car/ping') {
      response.statusCode = 500;
      return void response.end();
    }
    if (answer === 'silent') {
      ofPing = response;
      return;
    }
    response.statusCode = answer === 'well' ? 200 : 404;
    response.end(answer === 'well' ? JSON.stringify({ version: '7.0.0' }) : 'no such route');
  };
  await post('/v1/transactions', { gid: 'car-1', branches: [{ participant: { url } }] });
  await post('/v1/transactions/car-1/rollback', { wait: 'decided' });
  const [well] = await ping(url);
  expect(well).toMatchObject({ name: url, instance: null, outcome: 'answered', version: '7.0.0' });
  answer = 'unknown';
  const [old] = await ping(url);
  expect(old).toMatchObject({ outcome: 'unsupported', version: null });
  expect(old?.detail).toContain('HTTP 404: no such route');
  answer = 'silent';
  const [silent] = await ping(url, 200);
  expect(silent).toMatchObject({ outcome: 'noAnswer', detail: 'no answer in 200 ms' });
  expect(ofPing).not.toBeNull();
  expect(await ping(`${car.origin}/other`)).toBeUndefined();
  expect(car.requests.all.some(({ path }) => path.startsWith('/other'))).toBe(false);
  await car.close();
  const all = await ping(null);
  expect(all.map(({ name, outcome }) => [name, outcome])).toEqual([
    [url, 'unreachable'],
    ['shop', 'answered'],
    ['tax', 'unreachable'],
  ]);
  expect(await view('car-1')).toMatchObject({ phase: 'rollingBack' });
});
