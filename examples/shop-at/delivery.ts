/**
 * Delivery: another service, with plain `mysql2` on a database of its own. Its insert is committed when
 * the handler has returned, long before the shop decides; when the shop throws, the parcel goes again.
 */
import { connect } from '@settle/client';
import { settlePlugin } from '@settle/client/fastify';
import { fastify } from 'fastify';
import { createPool, type ResultSetHeader } from 'mysql2/promise';
import { ready, serviceSettings } from '../processes.ts';

/** What `main.ts` gives it. */
export interface DeliverySettings {
  readonly url: string;
  readonly database: string;
}

const { url, database } = serviceSettings<DeliverySettings>();
const settle = await connect({ url, service: 'delivery' });
const parcels = settle.at(createPool(database), { resource: 'parcels' });

const app = fastify();
await app.register(settlePlugin(settle));
app.post<{ Body: { purchase: string } }>('/parcels', async (request) => {
  const insert = 'insert into parcel (purchase) values (?)';
  const [{ insertId }] = await parcels.execute<ResultSetHeader>(insert, [request.body.purchase]);
  return { parcel: insertId };
});
await app.listen({ host: '127.0.0.1', port: 0 });
await settle.ready();
ready({ address: app.listeningOrigin });
