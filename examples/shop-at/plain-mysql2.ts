/** The MariaDB (or MySQL) side of a purchase, with plain `mysql2` instead of Kysely. */
import type { Settle } from '@settle/client';
import { createPool, type ResultSetHeader } from 'mysql2/promise';
import type { Urls } from './databases.ts';
import type { Purchase } from './story.ts';

/** What a purchase does to the stock. */
export type TakeFromStock = (lines: Purchase['lines']) => Promise<void>;

/** The resource of the same name as in `shop.ts`. */
export function plainMysql2(settle: Settle, urls: Urls): TakeFromStock {
  const stock = settle.at(createPool(urls.stock), { resource: 'stock' });
  return async (lines) => {
    for (const { article, pieces } of lines) {
      const [{ affectedRows }] = await stock.execute<ResultSetHeader>(
        'update article set available = available - ? where name = ? and available >= ?',
        [pieces, article, pieces],
      );
      if (affectedRows === 0) throw new Error(`the stock of ${article} is too low`);
    }
  };
}
