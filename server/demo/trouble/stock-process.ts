/**
 * The participant `stock`: goods in PostgreSQL under automatic undo. When it starts it does its part
 * of one order, plain SQL in the transaction that it is told, and stays to be asked about it.
 */
import pg from 'pg';
import { connectPatiently, endGracefully } from '../connected.ts';
import { childSettings, tellDemo } from '../messages.ts';
import { kettles, stockDatabaseVariable, stockResource, stockService } from './story.ts';

/** Argument of the process. */
export interface StockSettings {
  readonly url: string;
  /** The order's transaction, which somebody else has begun. */
  readonly gid: string;
}

async function main(): Promise<void> {
  const { url, gid } = childSettings<StockSettings>();
  const pool = new pg.Pool({ connectionString: process.env[stockDatabaseVariable] });
  // The database may be gone before this process is; the query that needs it says so.
  pool.on('error', (error) => console.error(`lost a connection: ${error.message}`));
  const settle = await connectPatiently({ url, service: stockService });
  const goods = settle.at(pool, { resource: stockResource });
  await settle.ready();
  await settle.join(gid, () =>
    goods.query(`update article set pieces = pieces - $1 where name = 'kettle'`, [kettles.taken]),
  );
  tellDemo({ kind: 'ready' });
  endGracefully(async () => {
    await settle.close();
    await pool.end();
  });
}

await main();
