/**
 * A service with one resource, as a process to be killed: joins the gid that it is told, runs a
 * statement there, and says when that has been committed locally. Argument: its settings, as JSON.
 */
import pg from 'pg';
import { connect } from '../../client-sdk/index.ts';

/** First argument of the process. */
export interface ChildSettings {
  readonly coordinator: string;
  readonly service: string;
  readonly database: string;
}

/** What the test asks for; the answer is `committed`. */
export interface ChildOrder {
  readonly gid: string;
  readonly text: string;
}

const settings = JSON.parse(process.argv[2] ?? '{}') as ChildSettings;
const settle = await connect({ url: settings.coordinator, service: settings.service });
const pool = new pg.Pool({ connectionString: settings.database });
const wallets: pg.Pool = settle.at(pool, { resource: 'wallets' });
await settle.ready();
process.on('message', ({ gid, text }: ChildOrder) => {
  void settle.join(gid, () => wallets.query(text)).then(() => process.send?.('committed'));
});
process.send?.('ready');
