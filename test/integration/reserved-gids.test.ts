/**
 * Gids of the coordinator's own come in by no way that a user has: HTTP, the channel by hand, the SDK
 * and the desk. Against a real coordinator, whose audit must be whole afterwards.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, test } from 'vitest';
import { connect, type Settle, type SettleError } from '../../client-sdk/index.ts';
import { ChannelClient } from '../support/channel-client.ts';
import { problemIn, request } from '../support/channel-requests.ts';
import { scratchFolder, startServerCommand } from '../support/settle-command.ts';

/** The next rows of the audit would stand here. */
const gid = 'settle.audit.00000001';
const participant = { service: 'bank', method: 'debit' };
const step = { name: 's', participant };

let folder: Awaited<ReturnType<typeof scratchFolder>>;
let server: Awaited<ReturnType<typeof startServerCommand>>;
let settle: Settle;

beforeAll(async () => {
  folder = await scratchFolder();
  const args = ['--log', `sqlite:${join(folder.path, 'log.db')}`];
  server = await startServerCommand(args, { folder: folder.path });
  settle = await connect({ url: server.url, service: 'bank' });
});
afterAll(async () => {
  await settle?.close();
  server?.signal('SIGTERM');
  await server?.ended;
  await folder?.remove();
});

async function ask(method: string, path: string, body?: object): Promise<Response> {
  return await fetch(`${server.url}${path}`, {
    ...{ method, headers: { 'content-type': 'application/json' } },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/** Nothing was begun, and the audit takes the entry that comes next as it should. */
async function expectNothingStored(): Promise<void> {
  expect(await (await ask('GET', '/v1/transactions')).json()).toMatchObject({ transactions: [] });
  const drained = await ask('POST', '/v1/participants/nobody/drain', { reason: 'a test' });
  expect(drained.status).toBe(200);
  const verdict = await ask('GET', '/v1/audit/verify');
  expect(await verdict.json()).toMatchObject({ brokenAt: null });
}

const branches = [{ participant }];
const noWaits = { scope: 's', waits: [], holders: [], connections: [] };
const byHttp: readonly (readonly [string, string, object?])[] = [
  ['POST', '/v1/transactions', { gid }],
  ['POST', '/v1/transactions', { gid: 'settle.mine', branches }],
  ['POST', '/v1/sagas', { gid, name: 'trip', steps: [step] }],
  ['POST', `/v1/transactions/${gid}/branches`, { request: 'r1', branches }],
  ['POST', '/v1/transactions/settle%2Eaudit.00000001/branches/1/try', {}],
  ['POST', `/v1/transactions/${gid}/commit`, {}],
  ['POST', `/v1/transactions/${gid}/rollback`, {}],
  ['POST', `/v1/sagas/${gid}/rollback`, {}],
  ['POST', `/v1/transactions/${gid}/waits`, { ...noWaits, look: 1 }],
  ['GET', `/v1/transactions/${gid}`],
  ['GET', `/v1/transactions/${gid}/undo`],
  ['GET', `/v1/transactions/${gid}/explanation`],
];

test.for(byHttp)('HTTP: %s %s %j is refused', async ([method, path, body]) => {
  const answer = await ask(method, path, body);
  expect(answer.status).toBe(400);
  const problem = (await answer.json()) as object;
  expect(problem).toMatchObject({ code: 'INVALID_REQUEST' });
  expect(problem).toMatchObject({ detail: expect.stringContaining('take one without it') });
  await expectNothingStored();
});

it('the channel: every verb refuses it', async () => {
  const client = new ChannelClient(`${server.url.replace('http', 'ws')}/channel`);
  await client.hello({ service: 'by-hand', instance: 'by-hand-1', methods: [] });
  const bodies = {
    begin: { gid },
    submit: { gid, name: 'trip', steps: [step] },
    register: { gid, request: 'r1', branches },
    try: { gid, branchId: 1 },
    decide: { gid, direction: 'commit' },
    get: { gid },
    reportWaits: { ...noWaits, gid, look: 1 },
  };
  const verbs = Object.entries(bodies);
  client.send(...verbs.map(([verb, body], id) => request(id, body, verb)));
  await client.messages.count(verbs.length + 1);
  for (const [id, [verb]] of verbs.entries()) {
    expect(problemIn(client, id), verb).toMatchObject({ code: 'INVALID_REQUEST', gid });
  }
  client.socket.close();
  await client.closed;
  await expectNothingStored();
});

it('the SDK: neither the options nor the context of a request may carry it', async () => {
  let ran = 0;
  const run = () => {
    ran += 1;
  };
  const saga = settle.saga('trip').step('s', { participant });
  for (const [way, work] of Object.entries({
    transaction: () => settle.transaction({ gid }, run),
    saga: () => settle.run(saga, null, { id: gid }),
    join: () => settle.join(gid, run),
    headers: () => settle.join({ 'settle-gid': gid }, run),
    get: () => settle.get(gid),
    rollback: () => settle.rollback(gid),
  })) {
    const error = await work().then(
      () => null,
      (thrown: SettleError) => thrown,
    );
    expect(error, way).toMatchObject({ code: 'INVALID_REQUEST' });
    expect(error?.detail, way).toContain('take one without it');
  }
  expect(ran).toBe(0);
  await expectNothingStored();
});

it('the desk: an operation on it is refused', async () => {
  const asked = { action: 'retry', gids: [gid], reason: 'why not' };
  const answer = await ask('POST', '/v1/operations', asked);
  expect(await answer.json()).toMatchObject({ results: [{ error: { code: 'INVALID_REQUEST' } }] });
  await expectNothingStored();
});
