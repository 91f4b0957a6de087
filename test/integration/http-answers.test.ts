/** What a real coordinator answers over HTTP is what /openapi.json says, field for field. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectShape } from '../support/answer-shape.ts';
import { scratchFolder, startServerCommand } from '../support/settle-command.ts';

const participant = createServer((request, response) => {
  request.resume();
  // `/no/…/run` is refused; everything else has happened, or had nothing to undo.
  response.statusCode = /^\/no\/.*run$/.test(request.url ?? '') ? 409 : 200;
  response.end(JSON.stringify({ at: request.url }));
});
let origin = '';
let url = '';
let stop: () => Promise<void>;

beforeAll(async () => {
  await new Promise<void>((done) => participant.listen(0, '127.0.0.1', done));
  origin = `http://127.0.0.1:${(participant.address() as AddressInfo).port}`;
  const scratch = await scratchFolder();
  const server = await startServerCommand(['--allow-callback', origin], { folder: scratch.path });
  url = server.url;
  stop = async () => {
    server.signal('SIGKILL');
    await server.ended;
    await scratch.remove();
    participant.closeAllConnections();
    participant.close();
  };
});
afterAll(() => stop());

async function ask(path: string, body?: unknown) {
  const response = await fetch(`${url}${path}`, {
    ...(body === undefined
      ? {}
      : {
          method: 'POST',
          body: JSON.stringify(body),
          headers: { 'content-type': 'application/json' },
        }),
  });
  return (await response.json()) as Record<string, unknown>;
}

const branch = (path: string) => ({ participant: { url: `${origin}${path}` }, payload: { a: 1 } });
const step = (name: string, path: string) => ({ name, participant: { url: `${origin}${path}` } });

test('a transaction that commits', async () => {
  const begun = await ask('/v1/transactions', { gid: 'g1', branches: [branch('/yes')] });
  expectShape('TransactionAnswer', begun);
  const more = await ask('/v1/transactions/g1/branches', {
    request: 'r',
    branches: [branch('/b')],
  });
  expectShape('TransactionAnswer', more);
  expect([begun['branchIds'], more['branchIds']]).toEqual([[1], [2]]);
  const tried = await ask('/v1/transactions/g1/branches/1/try', {});
  expectShape('TryAnswer', tried);
  expect(tried).toEqual({ result: { at: '/yes/try' } });
  expectShape('TransactionView', await ask('/v1/transactions/g1'));
  const decided = await ask('/v1/transactions/g1/commit', { waitMs: 30_000 });
  expectShape('TransactionAnswer', decided);
  expect(decided).toMatchObject({ phase: 'committed' });
  expectShape('TransactionView', await ask('/v1/transactions/g1'));
});

test.each([
  ['commit', 'committed', 'confirmed'],
  ['rollback', 'rolledBack', 'cancelled'],
] as const)('a branch of kind at beside one of kind tcc: %s', async (direction, ofAt, ofTcc) => {
  const gid = `at-${direction}`;
  const at = { kind: 'at', participant: { url: `${origin}/at.orders` } };
  expectShape(
    'TransactionAnswer',
    await ask('/v1/transactions', { gid, branches: [at, branch('/b')] }),
  );
  expectShape('TransactionView', await ask(`/v1/transactions/${gid}`));
  const tried = await ask(`/v1/transactions/${gid}/branches/1/try`, {});
  expectShape('Problem', tried);
  expect(tried).toMatchObject({ code: 'INVALID_REQUEST', gid });
  await ask(`/v1/transactions/${gid}/${direction}`, { waitMs: 30_000 });
  const view = await ask(`/v1/transactions/${gid}`);
  expectShape('TransactionView', view);
  expect(view['branches']).toMatchObject([
    { kind: 'at', state: ofAt },
    { kind: 'tcc', state: ofTcc },
  ]);
});

test('a saga that commits shows its results, one that is refused its cause', async () => {
  const trip = [step('flight', '/flight'), step('hotel', '/hotel')];
  const done = await ask('/v1/sagas', { gid: 's1', name: 'trip', steps: trip });
  expectShape('TransactionAnswer', done);
  expect(done).toMatchObject({
    phase: 'committed',
    results: { flight: { at: '/flight/run' }, hotel: { at: '/hotel/run' } },
  });
  const steps = [step('flight', '/flight'), step('hotel', '/no/hotel')];
  const refused = await ask('/v1/sagas', { gid: 's2', name: 'trip', steps });
  expectShape('TransactionAnswer', refused);
  expect(refused).toMatchObject({
    phase: 'rolledBack',
    cause: { kind: 'refused', branchId: 2 },
  });
  for (const gid of ['s1', 's2']) expectShape('TransactionView', await ask(`/v1/sagas/${gid}`));
});

test('lists and refusals', async () => {
  const page = await ask('/v1/transactions?limit=2');
  expectShape('ListAnswer', page);
  expect(page['nextCursor']).not.toBeNull();
  const rest = await ask(`/v1/transactions?limit=2&cursor=${page['nextCursor']}`);
  expectShape('ListAnswer', rest);
  expectShape('Problem', await ask('/v1/transactions/none'));
  expectShape('Problem', await ask('/v1/transactions?limit=0'));
  expectShape('Problem', await ask('/v1/transactions', { gid: 'g1', name: 'other' }));
});

test('what operators look at', async () => {
  // One that is open, and owes what nobody can be asked for.
  const nobody = { participant: { service: 'nobody', method: 'debit' } };
  await ask('/v1/transactions', { gid: 'd1', branches: [nobody] });
  await ask('/v1/transactions/d1/commit', { wait: 'decided' });
  for (const gid of ['g1', 's1', 's2', 'd1']) {
    expectShape('TimelineAnswer', await ask(`/v1/transactions/${gid}/timeline`));
    expectShape('Explanation', await ask(`/v1/transactions/${gid}/explanation`));
  }
  const drained = await ask('/v1/participants/nobody/drain', { reason: 'ticket 7' });
  expectShape('DrainAnswer', drained);
  const participants = await ask('/v1/participants');
  expectShape('ParticipantsAnswer', participants);
  expect(participants).toMatchObject({ participants: [{ service: 'nobody', owed: 1 }] });
  expectShape('OverviewView', await ask('/v1/overview'));
  expectShape('NodesAnswer', await ask('/v1/nodes'));
  expectShape('ShardsAnswer', await ask('/v1/shards'));
  expectShape('LogView', await ask('/v1/log'));
  const verdict = await ask('/v1/log/verify');
  expectShape('LogVerdict', verdict);
  expect(verdict).toMatchObject({ faults: [], next: null });
  const config = await ask('/v1/config');
  expectShape('ConfigView', config);
  const callbacks = { name: 'allowCallbacks', value: [origin], origin: 'flag --allow-callback' };
  expect(config['settings']).toContainEqual(callbacks);
});
