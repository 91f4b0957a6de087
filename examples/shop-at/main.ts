/**
 * A shop in plain SQL over PostgreSQL and MariaDB. Starts databases, coordinator, delivery and shop,
 * lets people buy, and then reads the tables: what was bought stands everywhere, what was not has left
 * no row. Exit code 0: it holds. 1: it does not. 2: there is no database server.
 */
import { join } from 'node:path';
import { startCoordinator, startService, temporaryFolder } from '../processes.ts';
import { createTables, findDatabases } from './databases.ts';
import type { DeliverySettings } from './delivery.ts';
import type { PlainSettings } from './plain.ts';
import { fill, isSound, print, readAll } from './report.ts';
import type { ShopSettings } from './shop.ts';
import type { Purchase, Transfer } from './story.ts';

const wallets = { anna: 100_00, ben: 20_00, carla: 80_00, david: 150_00, gina: 5_00 };
const articles = { cup: 20, lamp: 3, teapot: 2 };

const cups = (pieces: number) => ({ article: 'cup', pieces });
const lamp = { article: 'lamp', pieces: 1 };
const teapot = { article: 'teapot', pieces: 1 };

const purchases: readonly Purchase[] = [
  { id: 'p-1', buyer: 'anna', seller: 'gina', lines: [cups(2)], cents: 24_00 },
  { id: 'p-2', buyer: 'david', seller: 'ben', lines: [teapot, cups(4)], cents: 62_50 },
  { id: 'p-3', buyer: 'gina', seller: 'anna', lines: [cups(1), lamp], cents: 99_00 },
  { id: 'p-4', buyer: 'anna', seller: 'carla', lines: [lamp, cups(50)], cents: 70_00 },
  { id: 'p-5', buyer: 'david', seller: 'carla', lines: [lamp, teapot], cents: 66_60 },
];
const plainPurchases: readonly Purchase[] = [
  { id: 'p-6', buyer: 'carla', seller: 'anna', lines: [lamp], cents: 35_00 },
  { id: 'p-7', buyer: 'gina', seller: 'david', lines: [teapot, cups(2)], cents: 500_00 },
];
const transfer: Transfer = { from: 'ben', to: 'carla', cents: 5_00 };

const databases = await findDatabases();
if ('advice' in databases) {
  console.error(databases.advice);
  process.exitCode = 2;
} else {
  await using cleanUp = new AsyncDisposableStack();
  const { urls, origin } = cleanUp.use(databases);
  await createTables(urls);
  await fill(urls, wallets, articles);
  const before = await readAll(urls);

  const folder = cleanUp.use(await temporaryFolder());
  const { url } = cleanUp.use(await startCoordinator(folder.path));
  console.log(`Databases: ${origin}. Coordinator: ${url}.\n`);
  const file = (name: string) => join(import.meta.dirname, name);
  const settings: DeliverySettings = { url, database: urls.parcels };
  const { hello } = cleanUp.use(
    await startService<{ address: string }>(file('delivery.ts'), settings),
  );
  const delivery = hello.address;
  const shop: ShopSettings = { url, urls, delivery, purchases, transfer };
  cleanUp.use(await startService(file('shop.ts'), shop));
  console.log('\nThe same with plain pg and mysql2:');
  const plain: PlainSettings = { url, urls, delivery, purchases: plainPurchases };
  cleanUp.use(await startService(file('plain.ts'), plain));

  await allSettled(url);
  const after = await readAll(urls);
  print(before, after);
  const holds = isSound(before, after, transfer);
  console.log(holds ? 'Every row is accounted for.' : 'THIS MUST NOT BE.');
  process.exitCode = holds ? 0 : 1;
}

/** Waits for what is decided but not carried out yet: undo rows that are to be taken away. */
async function allSettled(url: string): Promise<void> {
  const open = await fetch(`${url}/v1/transactions?outcome=open`);
  const { transactions } = (await open.json()) as { transactions: readonly { gid: string }[] };
  for (const { gid } of transactions) {
    await fetch(`${url}/v1/transactions/${gid}?wait=completed&waitMs=60000`);
  }
}
