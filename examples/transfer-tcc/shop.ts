/**
 * The shop: the initiator. Each purchase is one global transaction over the shop's own database and
 * the shards of the two accounts. It prints what became of each and ends.
 */
import { connect, SettleError } from '@settle/client';
import { settleFetch } from '@settle/client/fetch';
import { ready, serviceSettings } from '../processes.ts';
import type { Entry } from './bank.ts';
import type { Award } from './points.ts';
import { openPool } from './shards.ts';

/** What `main.ts` gives it. */
export interface ShopSettings {
  readonly url: string;
  readonly database: string;
  /** Base address of the points service. */
  readonly points: string;
  readonly purchases: readonly Purchase[];
}

/** One purchase. */
export interface Purchase {
  readonly id: string;
  readonly buyer: string;
  readonly seller: string;
  readonly cents: number;
}

const { url, database, points: pointsAddress, purchases } = serviceSettings<ShopSettings>();
const pool = openPool(database);
const settle = await connect({ url, service: 'shop' });

// A method of this service: its try runs right here, in a local transaction of the shop's pool.
const note = settle.tcc('note', {
  db: pool,
  try: async (client, { id }: Purchase) => {
    await client.query('insert into purchase (id, state) values ($1, $2)', [id, 'open']);
  },
  confirm: (client, { id }) =>
    client.query('update purchase set state = $2 where id = $1', [id, 'paid']),
  cancel: (client, { id }) => client.query('delete from purchase where id = $1', [id]),
});

// Methods of the bank, wherever it runs: the coordinator passes their tries on.
const debit = settle.remote<Entry, null>({ service: 'bank', method: 'debit' });
const credit = settle.remote<Entry, null>({ service: 'bank', method: 'credit' });

// A service that takes part through an ordinary request: the gid goes along in its headers.
const call = settleFetch();
async function promisePoints(award: Award): Promise<void> {
  const response = await call(`${pointsAddress}/points`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(award),
  });
  if (!response.ok) throw new Error(`points answered ${response.status}`);
}

async function buy(purchase: Purchase): Promise<string> {
  const { id, buyer, seller, cents } = purchase;
  return settle.transaction({ name: 'purchase', labels: { id }, timeout: '10s' }, async (tx) => {
    tx.afterRollback(() => console.log(`     …so everything about ${id} is taken back`));
    await Promise.all([
      note(purchase),
      debit({ account: buyer, cents }),
      credit({ account: seller, cents }),
      promisePoints({ account: buyer, points: Math.floor(cents / 100) }),
    ]);
    if (cents === suspicious) throw new Error('this amount is always a fraud');
    return `paid, gid ${tx.gid}`;
  });
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Found out only after all has been reserved. */
const suspicious = 66_600;

ready();
for (const purchase of purchases) {
  const { id, buyer, seller, cents } = purchase;
  console.log(`${id}   ${buyer} buys from ${seller} for ${(cents / 100).toFixed(2)}`);
  try {
    console.log(`     ${await buy(purchase)}`);
  } catch (error) {
    const { code, detail } =
      error instanceof SettleError ? error : { code: 'our own error', detail: reason(error) };
    // UNKNOWN is not "failed": it may still be paid, and settle.get(gid) will tell.
    const verdict = code === 'UNKNOWN' ? 'not known yet' : 'not bought';
    console.log(`     ${verdict}, ${code}: ${detail}`);
  }
}
await settle.close();
await pool.end();
