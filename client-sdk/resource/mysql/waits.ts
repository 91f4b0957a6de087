/**
 * Who waits for whom on MySQL and MariaDB: waits for locks of InnoDB. Asking takes the privilege
 * PROCESS, on MySQL 8 that to read `performance_schema.data_lock_waits` as well; ending a statement of
 * the same user takes none. A connection is known by what it says itself, not by what a proxy tells.
 */
import { createHash } from 'node:crypto';
import type { DialectWaits } from '../dialect.ts';
import { wholeLiteral } from './literals.ts';

/** How it is asked. */
export const mysqlWaits: DialectWaits = {
  async self(session) {
    const { rows } = await session.query(self);
    const [row] = rows;
    // A name of the server says much about it, and nobody needs to know.
    const hash = createHash('sha256').update(String(row?.['place'])).digest('base64url');
    return { database: hash, id: Number(row?.['id']) };
  },
  async blockers(session, waits) {
    const ids = waits.map(({ id }) => wholeLiteral(id)).join(', ');
    const { rows } = await session.query(`${blockers} where r.trx_mysql_thread_id in (${ids})`);
    const found = new Map<number, number[]>();
    for (const row of rows) {
      const id = Number(row['id']);
      const known = found.get(id) ?? [];
      found.set(id, [...known, Number(row['blocker'])]);
    }
    return found;
  },
  async cancel(session, { id }) {
    await session.query(`kill query ${wholeLiteral(id)}`);
  },
};

// The same from every service; servers of one image may share all but their host's name.
const self = `select connection_id() as id, concat_ws('/', @@hostname, @@port, @@datadir,
  @@server_id, database() /*!80000 , @@server_uuid */) as place`;

// Of the two names of everything each server reads its own.
const blockers = `select r.trx_mysql_thread_id as id, b.trx_mysql_thread_id as blocker
  from /*M! information_schema.innodb_lock_waits *//*!80000 performance_schema.data_lock_waits */ w
  join information_schema.innodb_trx r
    on r.trx_id = w./*M! requesting_trx_id *//*!80000 requesting_engine_transaction_id */
  join information_schema.innodb_trx b
    on b.trx_id = w./*M! blocking_trx_id *//*!80000 blocking_engine_transaction_id */`;
