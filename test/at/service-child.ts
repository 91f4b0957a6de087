/**
 * A service with one resource, as a process to be killed: joins the gid that it is told, runs a
 * statement there, and says when that has been committed locally. Argument: its settings, as JSON.
 */
import mysql from 'mysql2/promise';
import pg from 'pg';
import { connect } from '../../client-sdk/index.ts';

/** First argument of the process. */
export interface ChildSettings {
  readonly coordinator: string;
  readonly service: string;
  /** Of PostgreSQL, or of MariaDB. */
  readonly database: string;
}

/** What the test asks for; the answer is `committed`. */
export interface ChildOrder {
  readonly gid: string;
  readonly text: string;
}

const settings = JSON.parse(process.argv[2] ?? '{}') as ChildSettings;
const settle = await connect({ url: settings.coordinator, service: settings.service });
const { database } = settings;
const wallets: { query(text: string): Promise<unknown> } = database.startsWith('mysql')
  ? settle.at(mysql.createPool(database), { resource: 'wallets' })
  : settle.at(new pg.Pool({ connectionString: database }), { resource: 'wallets' });
await settle.ready();
process.on('message', ({ gid, text }: ChildOrder) => {
  void settle.join(gid, () => wallets.query(text)).then(() => process.send?.('committed'));
});
process.send?.('ready');
