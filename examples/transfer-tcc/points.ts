/**
 * Loyalty points: a service that is called over plain HTTP by the shop, in the middle of the shop's
 * global transaction. The gid comes with the request's headers, so the branch that the handler calls
 * belongs to that transaction; the shop decides. Its database is MariaDB, through plain mysql2.
 */
import { connect } from '@settle/client';
import { settlePlugin } from '@settle/client/fastify';
import fastify from 'fastify';
import { createPool } from 'mysql2/promise';
import { ready, serviceSettings } from '../processes.ts';

/** What `main.ts` gives it. */
export interface PointsSettings {
  readonly url: string;
  readonly database: string;
}

/** Body of `POST /points`. */
export interface Award {
  readonly account: string;
  readonly points: number;
}

const { url, database } = serviceSettings<PointsSettings>();
const pool = createPool(database);
const settle = await connect({ url, service: 'points' });

const award = settle.tcc('award', {
  db: pool,
  try: async (connection, { account, points }: Award) => {
    const add = `insert into points values (?, 0, ?)
      on duplicate key update promised = promised + values(promised)`;
    await connection.execute(add, [account, points]);
  },
  confirm: (connection, { account, points }) =>
    connection.execute(
      'update points set points = points + ?, promised = promised - ? where account = ?',
      [points, points, account],
    ),
  cancel: (connection, { account, points }) =>
    connection.execute('update points set promised = promised - ? where account = ?', [
      points,
      account,
    ]),
});

const app = fastify();
await app.register(settlePlugin(settle));
app.post<{ Body: Award }>('/points', async (request) => {
  await award(request.body);
  return { promised: request.body.points };
});
await app.listen({ host: '127.0.0.1', port: 0 });
await settle.ready();
ready({ address: app.listeningOrigin });
