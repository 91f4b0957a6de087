/** The PostgreSQL side of a purchase, with plain `pg` instead of Kysely. */
import { type Settle, shardRouter } from '@settle/client';
import { openPool, type Urls } from './databases.ts';
import type { Purchase } from './story.ts';

/** What a purchase does to orders and to wallets. */
export interface PlainPg {
  order(purchase: Purchase): Promise<void>;
  pay(purchase: Purchase): Promise<void>;
}

/** Resources of the same names as in `shop.ts`, for they are the same databases. */
export function plainPg(settle: Settle, urls: Urls): PlainPg {
  const orders = settle.at(openPool(urls.orders), { resource: 'orders' });
  const wallets = shardRouter({
    nodes: urls.wallets.map((shard, index) =>
      settle.at(openPool(shard), { resource: `wallets-${index}` }),
    ),
  });
  return {
    async order({ id, buyer, seller, lines, cents }) {
      // A local transaction of one's own is a part of the global one: a savepoint in it.
      const client = await orders.connect();
      try {
        await client.query('begin');
        const insert = 'insert into purchase (id, buyer, seller, cents) values ($1, $2, $3, $4)';
        await client.query(insert, [id, buyer, seller, cents]);
        for (const { article, pieces } of lines) {
          await client.query('insert into line values ($1, $2, $3)', [id, article, pieces]);
        }
        await client.query('commit');
      } finally {
        client.release();
      }
    },
    async pay({ buyer, seller, cents }) {
      const take = 'update wallet set cents = cents - $2 where owner = $1 and cents >= $2';
      const paid = await wallets.of(buyer).query(take, [buyer, cents]);
      if (paid.rowCount === 0) throw new Error(`${buyer} has not enough money`);
      const add = 'update wallet set cents = cents + $2 where owner = $1';
      const received = await wallets.of(seller).query(add, [seller, cents]);
      if (received.rowCount === 0) throw new Error(`nobody is called ${seller}`);
    },
  };
}
