/**
 * What stands in the tables, read outside of Settle, and whether it is what it must be: the purchases
 * that stand account for every cent, every piece and every parcel, and nothing else has changed.
 */
import { shardIndex } from '@settle/client';
import { onMysql, onPostgres, type Urls } from './databases.ts';
import type { Transfer } from './story.ts';

/** Cents and pieces by name. */
type Amounts = Readonly<Record<string, number>>;

/** All that stands in the tables. */
export interface Tables {
  readonly wallets: Amounts;
  readonly articles: Amounts;
  readonly purchases: readonly (Transfer & { readonly id: string })[];
  readonly lines: readonly { readonly article: string; readonly pieces: number }[];
  /** Ids of purchases. */
  readonly parcels: readonly string[];
  /** Undo rows, of all databases. */
  readonly undoRows: number;
}

/** Gives people money and the shop articles. */
export async function fill(urls: Urls, wallets: Amounts, articles: Amounts): Promise<void> {
  const values = (amounts: Amounts) =>
    Object.entries(amounts).map(([name, amount]) => `('${name}', ${amount})`);
  for (const [shard, url] of urls.wallets.entries()) {
    const owners = values(wallets).filter((_, at) => {
      return shardIndex(Object.keys(wallets)[at] ?? '', urls.wallets.length) === shard;
    });
    if (owners.length > 0) await onPostgres(url, [`insert into wallet values ${owners.join()}`]);
  }
  await onMysql(urls.stock, [`insert into article values ${values(articles).join()}`]);
}

/** Reads every table of every database. */
export async function readAll(urls: Urls): Promise<Tables> {
  const { orders, stock, parcels } = urls;
  const readWallets = 'select owner as name, cents as amount from wallet';
  const shards = await Promise.all(urls.wallets.map((url) => onPostgres<Row>(url, [readWallets])));
  const articles = await onMysql<Row>(stock, ['select name, available as amount from article']);
  const readPurchases = 'select id, buyer "from", seller "to", cents from purchase order by id';
  const purchases = await onPostgres<Tables['purchases'][number]>(orders, [readPurchases]);
  const readLines = 'select article, pieces from line order by purchase_id, article';
  const readParcels = 'select purchase from parcel order by purchase';
  const booked = await onMysql<{ purchase: string }>(parcels, [readParcels]);
  return {
    wallets: amountsOf(shards.flat()),
    articles: amountsOf(articles),
    purchases,
    lines: await onPostgres<Tables['lines'][number]>(orders, [readLines]),
    parcels: booked.map(({ purchase }) => purchase),
    undoRows: await countUndoRows(urls),
  };
}

interface Row {
  readonly name: string;
  readonly amount: number;
}

function amountsOf(rows: readonly Row[]): Amounts {
  const named = rows.map(({ name, amount }) => [name, amount] as const);
  return Object.fromEntries(named.sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function countUndoRows({ orders, wallets, stock, parcels }: Urls): Promise<number> {
  const text = 'select count(*) as count from settle_undo';
  const found = [
    ...[orders, ...wallets].map((url) => onPostgres<{ count: string }>(url, [text])),
    ...[stock, parcels].map((url) => onMysql<{ count: number }>(url, [text])),
  ];
  const counts = (await Promise.all(found)).flat();
  return counts.reduce((sum, { count }) => sum + Number(count), 0);
}

/** Whether what changed is what the purchases that stand, and the gift, have changed. */
export function isSound(before: Tables, after: Tables, gift: Transfer): boolean {
  const wallets: Record<string, number> = { ...before.wallets };
  for (const { from, to, cents } of [...after.purchases, gift]) {
    wallets[from] = (wallets[from] ?? 0) - cents;
    wallets[to] = (wallets[to] ?? 0) + cents;
  }
  const articles: Record<string, number> = { ...before.articles };
  for (const { article, pieces } of after.lines) {
    articles[article] = (articles[article] ?? 0) - pieces;
  }
  const ids = after.purchases.map(({ id }) => id);
  return (
    isEqual(wallets, after.wallets) &&
    isEqual(articles, after.articles) &&
    isEqual(ids, after.parcels) &&
    after.undoRows === 0
  );
}

function isEqual(one: object, other: object): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Prints the tables beside each other, and the sums. */
export function print(before: Tables, after: Tables): void {
  console.log('\nwallet    shard    before     after');
  for (const [owner, cents] of Object.entries(after.wallets)) {
    const columns = [euros(before.wallets[owner] ?? 0).padStart(9), euros(cents).padStart(9)];
    console.log(`${owner.padEnd(9)} ${shardIndex(owner, 4)}     ${columns.join(' ')}`);
  }
  console.log('\narticle            before     after');
  for (const [name, available] of Object.entries(after.articles)) {
    const columns = [String(before.articles[name]).padStart(9), String(available).padStart(9)];
    console.log(`${name.padEnd(15)} ${columns.join(' ')}`);
  }
  const sum = (amounts: Amounts) =>
    euros(Object.values(amounts).reduce((total, cents) => total + cents, 0));
  const ids = after.purchases.map(({ id }) => id).join(', ');
  console.log(`\nmoney before ${sum(before.wallets)}, after ${sum(after.wallets)}`);
  console.log(`purchases: ${ids}; parcels for: ${after.parcels.join(', ')}`);
  console.log(`undo rows in seven databases: ${after.undoRows}`);
}

function euros(cents: number): string {
  return (cents / 100).toFixed(2);
}
