/** Spans of a resource: the phases of its local transactions, below the transaction that they belong to. */
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { connect } from '../../client-sdk/index.ts';
import { openTelemetryTracer } from '../../client-sdk/opentelemetry.ts';
import { describeOn, type Provided } from '../support/databases.ts';
import { keepContexts, notingProvider, type SpanNote, treeOf } from '../support/span-notes.ts';
import { startCoordinator, startDatabase } from './world.ts';

const schema =
  'create table account (id int primary key, owner text); insert into account values (1, null)';
const update = "update account set owner = 'secret' where id = 1";

let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
let forget = () => {};
let notes: SpanNote[] = [];
beforeAll(async () => {
  forget = keepContexts();
  coordinator = await startCoordinator();
});
afterAll(async () => {
  forget();
  await coordinator.stop();
});
beforeEach(() => {
  notes = [];
});

await describeOn('postgres', (server) => {
  it('two databases: each begins, prepares and commits, and is asked to commit', async () => {
    const { settle, bank, shop } = await startWorld(server);
    await settle.transaction({ name: 'order' }, async () => {
      await bank.query(update);
      await shop.query(update);
    });
    const order = notes.find(({ name }) => name === 'settle.transaction order');
    for (const resource of ['bank', 'shop']) {
      const steps = notes.filter(({ attributes }) => attributes['settle.resource'] === resource);
      expect(steps.map(({ name, parent }) => [name, parent])).toEqual([
        ['settle.local begin', order?.id],
        ['settle.local prepare', order?.id],
        ['settle.local commit', order?.id],
      ]);
      expect(steps[1]?.attributes).toHaveProperty('settle.branch_id');
      // The coordinator makes no spans here, and passes on what it was given.
      expect(notes.find(({ name }) => name === `settle.commit at.${resource}`)).toMatchObject({
        parent: order?.id,
        kind: 'SERVER',
      });
    }
    expect(JSON.stringify(notes)).not.toContain('secret');
  });

  it('one database commits alone; a failure rolls back', async () => {
    const { settle, bank } = await startWorld(server);
    await settle.transaction({ name: 'order' }, () => bank.query(update));
    expect(treeOf(notes)).toEqual([
      'shop: settle.transaction order',
      '  shop: settle.local begin',
      '  shop: settle.local commitAlone',
    ]);
    notes = [];
    const failed = settle.transaction({ name: 'order' }, async () => {
      await bank.query(update);
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect(treeOf(notes)).toEqual([
      'shop: settle.transaction order',
      '  shop: settle.local begin',
      '  shop: settle.local rollback',
    ]);
  });
});

async function startWorld(server: Provided) {
  const service = `shop-${crypto.randomUUID().slice(0, 8)}`;
  const tracer = openTelemetryTracer({
    tracerProvider: notingProvider('shop', (note) => notes.push(note)),
  });
  const settle = await connect({ url: coordinator.url, service, tracer });
  onTestFinished(() => settle.close());
  const bank = settle.at(await startDatabase(server, schema), { resource: 'bank' });
  const shop = settle.at(await startDatabase(server, schema), { resource: 'shop' });
  return { settle, bank, shop };
}
