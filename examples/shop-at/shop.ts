/**
 * The shop: plain Kysely code over orders, stock and four shards of wallets, and no line that takes
 * anything back. Each purchase is one global transaction. It prints what became of each and stays, for
 * phase two is asked of it.
 */
import { connect, explanationText, SettleError, shardRouter } from '@settle/client';
import { Kysely, MysqlDialect, PostgresDialect } from 'kysely';
import { createPool } from 'mysql2';
import { ready, serviceSettings } from '../processes.ts';
import { againOnConflict } from './again.ts';
import {
  type OrderTables,
  openPool,
  type StockTables,
  type Urls,
  type WalletTables,
} from './databases.ts';
import { parcelSender } from './send-parcel.ts';
import { type Purchase, type Transfer, tell } from './story.ts';

/** What `main.ts` gives it. */
export interface ShopSettings {
  readonly url: string;
  readonly urls: Urls;
  /** Base address of the delivery service. */
  readonly delivery: string;
  readonly purchases: readonly Purchase[];
  readonly transfer: Transfer;
}

const { url, urls, delivery, purchases, transfer } = serviceSettings<ShopSettings>();
const settle = await connect({ url, service: 'shop' });
const sendParcel = parcelSender(delivery);

const orders = settle.at(
  new Kysely<OrderTables>({ dialect: new PostgresDialect({ pool: openPool(urls.orders) }) }),
  { resource: 'orders' },
);
const stock = settle.at(
  new Kysely<StockTables>({ dialect: new MysqlDialect({ pool: createPool(urls.stock) }) }),
  { resource: 'stock' },
);
const wallets = shardRouter({
  nodes: urls.wallets.map((shard, index) => {
    const dialect = new PostgresDialect({ pool: openPool(shard) });
    return settle.at(new Kysely<WalletTables>({ dialect }), { resource: `wallets-${index}` });
  }),
});

async function buy({ id, buyer, seller, lines, cents }: Purchase): Promise<string> {
  return settle.transaction({ name: 'purchase', labels: { id }, timeout: '10s' }, async (tx) => {
    tx.afterRollback(() => console.log(`     …so every row of ${id} is as it was`));
    await orders.insertInto('purchase').values({ id, buyer, seller, cents }).execute();
    for (const { article, pieces } of lines) {
      await orders.insertInto('line').values({ purchase_id: id, article, pieces }).execute();
      const { numUpdatedRows } = await stock
        .updateTable('article')
        .set((row) => ({ available: row('available', '-', pieces) }))
        .where('name', '=', article)
        .where('available', '>=', pieces)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) throw new Error(`the stock of ${article} is too low`);
    }
    await pay({ from: buyer, to: seller, cents });
    console.log(`     parcel ${await sendParcel(id)} is booked`);
    if (cents === suspicious) throw new Error('this amount is always a fraud');
    return `bought, gid ${tx.gid}`;
  });
}

/** Over two shards, or inside of one: the code is the same. */
async function pay({ from, to, cents }: Transfer): Promise<void> {
  const paid = await wallets
    .of(from)
    .updateTable('wallet')
    .set((row) => ({ cents: row('cents', '-', cents) }))
    .where('owner', '=', from)
    .where('cents', '>=', cents)
    .executeTakeFirst();
  if (paid.numUpdatedRows === 0n) throw new Error(`${from} has not enough money`);
  const received = await wallets
    .of(to)
    .updateTable('wallet')
    .set((row) => ({ cents: row('cents', '+', cents) }))
    .where('owner', '=', to)
    .executeTakeFirst();
  if (received.numUpdatedRows === 0n) throw new Error(`nobody is called ${to}`);
}

/** Found out only when everything is done, the parcel too. */
const suspicious = 66_60;

/** Both wallets are in one database: the coordinator has nothing to do. */
async function give(gift: Transfer): Promise<string> {
  const gid = await settle.transaction({ name: 'gift' }, async (tx) => {
    await pay(gift);
    return tx.gid;
  });
  const asked = await settle.get(gid).catch((error: unknown) => error);
  const isUnheard = asked instanceof SettleError && asked.code === 'NOT_FOUND';
  return isUnheard ? 'given; the coordinator never heard of it' : 'THIS MUST NOT BE.';
}

/** A key names a row: what changes it cannot be undone for certain, so it does not run. */
async function rename(owner: string): Promise<string> {
  return settle.transaction({ name: 'rename' }, async () => {
    const wallet = wallets.of(owner).updateTable('wallet').where('owner', '=', owner);
    await wallet.set({ owner: 'somebody else' }).execute();
    return 'THIS MUST NOT BE.';
  });
}

/** Nothing of it runs. */
async function explain({ from, cents }: Transfer): Promise<string> {
  const wallet = wallets.of(from);
  const payment = wallet
    .updateTable('wallet')
    .set((row) => ({ cents: row('cents', '-', cents) }))
    .where('owner', '=', from);
  const explanation = await wallet.explain(payment.compile());
  return explanationText(explanation);
}

function refusal(error: unknown): string {
  if (!(error instanceof SettleError)) throw error;
  return `${error.code}:\n     ${error.detail}`;
}

await settle.ready();
for (const purchase of purchases) {
  await tell(purchase, () => againOnConflict(() => buy(purchase)));
}
const { from, to, cents } = transfer;
console.log(`t-1  ${from} gives ${to} ${(cents / 100).toFixed(2)}, both on one shard`);
console.log(`     ${await give(transfer)}`);
console.log(`t-2  ${from} wants another name`);
console.log(`     ${await rename(from).catch(refusal)}`);
console.log('t-3  what would Settle do with a payment?');
console.log(`     ${(await explain(transfer)).replaceAll('\n', '\n     ')}`);
ready();
