/**
 * Makes the three failures of `settle demo --trouble`, each the way it comes about in earnest: a
 * participant that fails after the decision, a row that somebody writes past Settle, an initiator
 * that dies. Returns when an operator could see them.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import type { Gid, TransactionView } from '../../../client-sdk/protocol/index.ts';
import type { ApiClient } from '../../cli/api-client.ts';
import { migrateDatabase } from '../../log/schema.ts';
import { Failure } from '../../runtime/failure.ts';
import { newGid } from '../../runtime/id.ts';
import type { Supervisor } from '../supervisor.ts';
import type { CheckoutSettings } from './checkout-process.ts';
import type { StockSettings } from './stock-process.ts';
import {
  branchesOf,
  frozenFile,
  kettles,
  orderName,
  ordinary,
  type Payment,
  payout,
  stockDatabaseVariable,
  stockSchema,
  type Trouble,
  walletsService,
} from './story.ts';
import type { WalletsSettings } from './wallets-process.ts';

/** Where it happens. */
export interface Scene {
  /** Of the coordinator, which serves. */
  readonly url: string;
  /** Has the wallets' database. */
  readonly folder: string;
  readonly client: ApiClient;
  readonly supervisor: Supervisor;
  /** An empty PostgreSQL database; null: there is none, and so no dirty row. */
  readonly stockUrl: string | null;
}

const pollMs = 100;
// From source as from the build: the others have the ending of this file.
const ending = import.meta.filename.endsWith('.ts') ? 'ts' : 'js';
const script = (name: string): string => join(import.meta.dirname, `${name}.${ending}`);

/**
 * Starts the participants, lets an ordinary evening pass, and breaks things. Throws what the
 * coordinator refuses; waits for ever for a child that has ended, which its supervisor tells.
 */
export async function plantTroubles(scene: Scene): Promise<readonly Trouble[]> {
  const { url, folder, supervisor } = scene;
  const settings: WalletsSettings = { url, folder };
  await started(supervisor, walletsService, () => [
    script('wallets-process'),
    JSON.stringify(settings),
  ]);
  for (const payment of ordinary) await pay(scene.client, payment);
  const troubles = [await plantPoison(scene)];
  if (scene.stockUrl !== null) troubles.push(await plantDirtyRow(scene, scene.stockUrl));
  troubles.push(await plantAbandoned(scene));
  for (const { kind, gid } of troubles) {
    if (kind !== 'abandoned') await untilAttention(scene.client, gid);
  }
  return troubles;
}

/** A payment from its begin to its end; one that is refused rolls back, as it should. */
async function pay(client: ApiClient, payment: Payment): Promise<void> {
  const gid = await begin(client, payment);
  const decision = (await isTried(client, gid)) ? 'commit' : 'rollback';
  await client.post(`/v1/transactions/${gid}/${decision}`, { wait: 'completed' });
}

async function begin(client: ApiClient, payment: Payment): Promise<Gid> {
  const gid = newGid(Date.now());
  const branches = branchesOf(payment);
  await client.post('/v1/transactions', { gid, name: payment.name, branches });
  return gid;
}

async function isTried(client: ApiClient, gid: Gid): Promise<boolean> {
  try {
    for (const id of [1, 2]) await client.post(`/v1/transactions/${gid}/branches/${id}/try`, {});
    return true;
  } catch (error) {
    if (error instanceof Failure && error.code === 'REFUSED') return false;
    throw error;
  }
}

/** Zoe's wallet is frozen between its promise and the decision; from then on each confirm fails. */
async function plantPoison({ client, folder }: Scene): Promise<Trouble> {
  const gid = await begin(client, payout);
  await isTried(client, gid);
  writeFileSync(frozenFile(folder), `${payout.to}\n`);
  await client.post(`/v1/transactions/${gid}/commit`, { wait: 'decided' });
  return { kind: 'poison', gid };
}

/** An order takes kettles; somebody moves them by hand; then the order is given up. */
async function plantDirtyRow(scene: Scene, stockUrl: string): Promise<Trouble> {
  const { client, supervisor, url } = scene;
  await migrateDatabase('participant', stockUrl);
  await onDatabase(stockUrl, stockSchema);
  const gid = newGid(Date.now());
  await client.post('/v1/transactions', { gid, name: orderName, labels: { order: '4711' } });
  const settings: StockSettings = { url, gid };
  const command = () => [script('stock-process'), JSON.stringify(settings)];
  await started(supervisor, 'stock', command, { [stockDatabaseVariable]: stockUrl });
  await onDatabase(stockUrl, [
    `update article set shelf = '${kettles.movedTo}' where name = 'kettle'`,
  ]);
  await client.post(`/v1/transactions/${gid}/rollback`, { wait: 'decided' });
  return { kind: 'dirty', gid };
}

/** The process that has begun it is killed before it decides. */
async function plantAbandoned({ supervisor, url }: Scene): Promise<Trouble> {
  const gid = newGid(Date.now());
  const settings: CheckoutSettings = { url, gid };
  const command = () => [script('checkout-process'), JSON.stringify(settings)];
  await started(supervisor, 'checkout', command);
  await supervisor.kill('checkout');
  return { kind: 'abandoned', gid };
}

async function started(
  supervisor: Supervisor,
  name: string,
  command: () => readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  supervisor.start({ name, command, env });
  await supervisor.ready(name);
}

async function untilAttention(client: ApiClient, gid: Gid): Promise<void> {
  for (;;) {
    // The server made it: the parse boundary of this client.
    const view = (await client.get(`/v1/transactions/${gid}`)) as TransactionView;
    if (view.attention !== null) return;
    await pause(pollMs, undefined, { ref: false });
  }
}

async function onDatabase(url: string, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  // A connection that breaks is reported by the query too; unheard it would end the process.
  client.on('error', () => undefined);
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}
