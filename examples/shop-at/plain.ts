/**
 * The same purchase with plain drivers, in another process of the same service: whichever of the two
 * is asked in phase two, it knows the resources by their names.
 */
import { connect } from '@settle/client';
import { ready, serviceSettings } from '../processes.ts';
import type { Urls } from './databases.ts';
import { plainMysql2 } from './plain-mysql2.ts';
import { plainPg } from './plain-pg.ts';
import { parcelSender } from './send-parcel.ts';
import { type Purchase, tell } from './story.ts';

/** What `main.ts` gives it. */
export interface PlainSettings {
  readonly url: string;
  readonly urls: Urls;
  readonly delivery: string;
  readonly purchases: readonly Purchase[];
}

const { url, urls, delivery, purchases } = serviceSettings<PlainSettings>();
const settle = await connect({ url, service: 'shop' });
const { order, pay } = plainPg(settle, urls);
const sendParcel = parcelSender(delivery);
const takeFromStock = plainMysql2(settle, urls);

await settle.ready();
for (const purchase of purchases) {
  await tell(purchase, () =>
    settle.transaction({ name: 'purchase', labels: { id: purchase.id } }, async (tx) => {
      await order(purchase);
      await takeFromStock(purchase.lines);
      await pay(purchase);
      await sendParcel(purchase.id);
      return `bought, gid ${tx.gid}`;
    }),
  );
}
ready();
