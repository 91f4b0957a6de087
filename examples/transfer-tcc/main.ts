/**
 * Purchases by TCC over accounts in PostgreSQL and MariaDB. Starts databases, coordinator, bank,
 * points and shop, lets the shop buy, and then reads the tables: no cent may be lost, nothing may stay held.
 * Exit code 0: it holds. 1: it does not. 2: there is no database server.
 */
import { join } from 'node:path';
import { createPool, type Pool, type RowDataPacket } from 'mysql2/promise';
import type pg from 'pg';
import { startCoordinator, startService, temporaryFolder } from '../processes.ts';
import type { BankSettings } from './bank.ts';
import type { PointsSettings } from './points.ts';
import { findDatabases } from './servers.ts';
import {
  type BankTables,
  createAccounts,
  createOrders,
  createPoints,
  openPool,
  openShards,
  type Shards,
} from './shards.ts';
import type { Purchase, ShopSettings } from './shop.ts';

const opening = {
  'north/anna': 100_00,
  'north/ben': 20_00,
  'south/carla': 80_00,
  'south/closed': 5_00,
  'west/eva': 50_00,
  'west/fritz': 700_00,
} as const;

const purchases: readonly Purchase[] = [
  { id: 'p-1', buyer: 'north/anna', seller: 'south/carla', cents: 30_00 },
  { id: 'p-2', buyer: 'south/carla', seller: 'west/eva', cents: 45_50 },
  { id: 'p-3', buyer: 'west/fritz', seller: 'north/ben', cents: 12_00 },
  { id: 'p-4', buyer: 'north/ben', seller: 'west/eva', cents: 999_00 },
  { id: 'p-5', buyer: 'west/eva', seller: 'south/closed', cents: 10_00 },
  { id: 'p-6', buyer: 'west/fritz', seller: 'north/anna', cents: 666_00 },
];

const databases = await findDatabases();
if ('advice' in databases) {
  console.error(databases.advice);
  process.exitCode = 2;
} else {
  await using cleanUp = new AsyncDisposableStack();
  const { shards: urls, shop: shopUrl, points: pointsUrl, origin } = cleanUp.use(databases);
  const shards = openShards(urls);
  const pool = openPool(shopUrl);
  const points = createPool(pointsUrl);
  cleanUp.defer(() => closeAll(shards, pool, points));
  await createAccounts(shards, opening);
  await createOrders(pool);
  await createPoints(points);

  const folder = cleanUp.use(await temporaryFolder());
  const { url } = cleanUp.use(await startCoordinator(folder.path));
  console.log(`Databases: ${origin}. Coordinator: ${url}.\n`);
  const bank: BankSettings = { url, shards: urls };
  cleanUp.use(await startService(join(import.meta.dirname, 'bank.ts'), bank));
  const loyalty: PointsSettings = { url, database: pointsUrl };
  const loyaltyFile = join(import.meta.dirname, 'points.ts');
  const { hello } = cleanUp.use(await startService<{ address: string }>(loyaltyFile, loyalty));
  const shop: ShopSettings = { url, database: shopUrl, points: hello.address, purchases };
  const shopping = await startService(join(import.meta.dirname, 'shop.ts'), shop);
  if ((await shopping.ended) !== 0) throw new Error('the shop ended badly');

  await allSettled(url);
  const isSound = await report(shards, pool, points);
  process.exitCode = isSound ? 0 : 1;
}

/** Waits for what is decided but not carried out yet: "committing" is a success, too. */
async function allSettled(url: string): Promise<void> {
  const open = await fetch(`${url}/v1/transactions?outcome=open`);
  const { transactions } = (await open.json()) as { transactions: readonly { gid: string }[] };
  for (const { gid } of transactions) {
    await fetch(`${url}/v1/transactions/${gid}?wait=completed&waitMs=60000`);
  }
}

interface Award extends RowDataPacket {
  readonly account: string;
  readonly points: number;
  readonly promised: number;
}

/** Prints the tables, and whether they are as they must be. */
async function report(shards: Shards, pool: pg.Pool, points: Pool): Promise<boolean> {
  const accounts = await readAccounts(shards);
  console.log('\naccount        before     after   held');
  for (const { id, cents, held } of accounts) {
    const before = euros(opening[id as keyof typeof opening]);
    const columns = [before.padStart(9), euros(cents).padStart(9), euros(held).padStart(6)];
    console.log(`${id.padEnd(12)} ${columns.join(' ')}`);
  }
  const before = Object.values(opening).reduce((sum, cents) => sum + cents, 0);
  const after = accounts.reduce((sum, { cents, held }) => sum + cents + held, 0);
  const reserved = accounts.filter(({ held, announced }) => held !== 0 || announced !== 0);
  const notes = await pool.query<{ id: string; state: string }>(
    'select id, state from purchase order by id',
  );
  const states = notes.rows.map(({ id, state }) => `${id} ${state}`).join(', ');
  const [awards] = await points.query<Award[]>('select * from points order by account');
  // A try of a purchase that failed may have made a row, or may not have come so far.
  const awarded = awards
    .filter(({ points: sum }) => sum !== 0)
    .map(({ account, points: sum }) => `${account} ${sum}`)
    .join(', ');
  const isSound =
    before === after &&
    reserved.length === 0 &&
    notes.rows.every(({ state }) => state === 'paid') &&
    awards.every(({ promised }) => promised === 0);
  console.log(`\nmoney before ${euros(before)}, after ${euros(after)}; the shop noted: ${states}`);
  console.log(`points: ${awarded}`);
  console.log(isSound ? 'Not a cent lost, nothing left held.' : 'THIS MUST NOT BE.');
  return isSound;
}

async function readAccounts(shards: Shards): Promise<readonly BankTables['account'][]> {
  const all = Object.values(shards).map((shard) =>
    shard.selectFrom('account').selectAll().orderBy('id').execute(),
  );
  return (await Promise.all(all)).flat();
}

async function closeAll(shards: Shards, pool: pg.Pool, points: Pool): Promise<void> {
  for (const shard of Object.values(shards)) await shard.destroy();
  await pool.end();
  await points.end();
}

function euros(cents: number): string {
  return (cents / 100).toFixed(2);
}
