/**
 * A service as a user would write it, run as a process of its own by the integration test of the
 * SDK: accounts in an SQLite file, money held by try, moved by confirm, given back by cancel. Role
 * `bank` serves HTTP by Fastify and joins the transactions of its callers; role `shop` begins them.
 */
import fastify from 'fastify';
import { Kysely, SqliteDialect, sql } from 'kysely';
import { settlePlugin } from '../../client-sdk/fastify.ts';
import { settleFetch } from '../../client-sdk/fetch.ts';
import { connect, currentTransaction, SettleError, TerminalError } from '../../client-sdk/index.ts';
import { createBarrierTable } from '../../client-sdk/participant/index.ts';
import { nodeSqlite } from '../../client-sdk/participant/sqlite.ts';

/** First argument of the process, as JSON. */
export interface ServiceSettings {
  readonly role: 'bank' | 'shop';
  readonly coordinator: string;
  readonly file: string;
  /** Of the bank's HTTP server; 0 for any. */
  readonly port: number;
  /** Kills the process, as -9 does, when an operation of this name starts. */
  readonly dieAt: 'confirm' | null;
}

/** What the test asks the shop to do. */
export interface Order {
  readonly kind: 'transaction' | 'saga';
  readonly id: string;
  readonly cents: number;
  /** Base address of the bank. */
  readonly bank: string;
  /** Address of the plain HTTP participant. */
  readonly car: string;
}

/** What the shop says of an order, and first of all: that it is ready. */
export type ServiceMessage =
  | { readonly kind: 'ready'; readonly port: number }
  | { readonly kind: 'done'; readonly gid: string; readonly value: unknown }
  | {
      readonly kind: 'failed';
      readonly gid: string | undefined;
      readonly code: string;
      readonly detail: string;
      readonly hooks: readonly string[];
    };

interface Ledger {
  account: { id: string; cents: number; held: number };
  moved: { key: string };
}
interface Money {
  readonly account: string;
  readonly cents: number;
}

const settings = JSON.parse(process.argv[2] ?? '{}') as ServiceSettings;
const { role, file } = settings;
const db = new Kysely<Ledger>({ dialect: new SqliteDialect({ database: nodeSqlite(file) }) });
await sql`create table if not exists account (id text primary key, cents int, held int)`.execute(
  db,
);
await sql`create table if not exists moved (key text primary key)`.execute(db);
await db
  .insertInto('account')
  .values({ id: role, cents: 1_000, held: 0 })
  .onConflict((conflict) => conflict.doNothing())
  .execute();
await createBarrierTable(db);

await using settle = await connect({ url: settings.coordinator, service: role });

/** Moves money of an account; `key` is unique, so business code that ran twice would fail. */
async function move(trx: Kysely<Ledger>, key: string, money: Money, held: number): Promise<void> {
  if (key.endsWith(`/${settings.dieAt}`)) process.kill(process.pid, 'SIGKILL');
  await trx.insertInto('moved').values({ key }).execute();
  const { numUpdatedRows } = await trx
    .updateTable('account')
    .set((row) => ({ cents: row('cents', '+', money.cents), held: row('held', '+', held) }))
    .where('id', '=', money.account)
    .where((row) => row(row('cents', '+', money.cents), '>=', 0))
    .executeTakeFirst();
  if (numUpdatedRows === 0n) throw new TerminalError(`${money.account} has not enough money`);
}

const debit = settle.tcc('debit', {
  db,
  try: (trx, { account, cents }: Money, { key }) =>
    move(trx, key, { account, cents: -cents }, cents),
  confirm: (trx, { account, cents }, { key }) => move(trx, key, { account, cents: 0 }, -cents),
  cancel: (trx, { account, cents }, { key }) => move(trx, key, { account, cents }, -cents),
});
const credit = settle.tcc('credit', {
  db,
  try: async (trx, { account, cents }: Money, { key }) => {
    await move(trx, key, { account, cents: 0 }, cents);
    return { receipt: currentTransaction()?.gid };
  },
  confirm: (trx, { account, cents }, { key }) => move(trx, key, { account, cents }, -cents),
  cancel: (trx, { account, cents }, { key }) => move(trx, key, { account, cents: 0 }, -cents),
});
settle.step('pay', {
  db,
  run: async (
    trx,
    { input: { cents }, call }: { input: { cents: number }; call: { key: string } },
  ) => {
    await move(trx, call.key, { account: role, cents }, 0);
    return { paid: cents };
  },
  undo: (trx, { input: { cents }, call }) =>
    move(trx, call.key, { account: role, cents: -cents }, 0),
});

function tell(message: ServiceMessage): void {
  process.send?.(message);
}

async function transfer(order: Order): Promise<void> {
  const { cents, bank, car } = order;
  const call = settleFetch();
  const book = settle.remote<{ cents: number }, { car: string }>({ url: car });
  const hooks: string[] = [];
  let gid: string | undefined;
  try {
    const value = await settle.transaction({ name: 'order', timeout: '1m' }, async (tx) => {
      gid = tx.gid;
      tx.afterCommit(() => hooks.push('commit'));
      tx.afterRollback(() => hooks.push(`rollback ${tx.phase}`));
      const paid = call(`${bank}/credit`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ account: 'bank', cents }),
      });
      const [response] = await Promise.all([paid, debit({ account: 'shop', cents })]);
      return { bank: await response.json(), car: await book({ cents }) };
    });
    tell({ kind: 'done', gid: gid ?? '', value: { ...value, hooks } });
  } catch (error) {
    tellFailure(error, gid, hooks);
  }
}

const trip = settle
  .saga<{ cents: number; car: string }, typeof db>('trip', { db })
  .step('shop', {
    run: async (trx, { input: { cents }, call }) => {
      await move(trx, call.key, { account: 'shop', cents: -cents }, 0);
      return -cents;
    },
    undo: (trx, { result = 0, call }) =>
      move(trx, call.key, { account: 'shop', cents: -result }, 0),
  })
  .step('bank', { participant: { service: 'bank', method: 'pay' } });

async function travel(order: Order): Promise<void> {
  const { id, cents, car } = order;
  try {
    const saga = trip.step('car', { participant: { url: car } });
    const { gid, phase, results } = await settle.run(saga, { cents, car }, { id });
    tell({ kind: 'done', gid, value: { phase, results } });
  } catch (error) {
    tellFailure(error, id, []);
  }
}

function tellFailure(error: unknown, gid: string | undefined, hooks: readonly string[]): void {
  const { code, detail } =
    error instanceof SettleError ? error : { code: 'none', detail: String(error) };
  tell({ kind: 'failed', gid, code, detail, hooks });
}

async function serve(): Promise<number> {
  if (role === 'shop') return 0;
  const app = fastify();
  await app.register(settlePlugin(settle));
  app.post<{ Body: Money }>('/credit', async (request) => credit(request.body));
  await app.listen({ host: '127.0.0.1', port: settings.port });
  const [address] = app.addresses();
  return typeof address === 'object' ? address.port : 0;
}

const port = await serve();
await settle.ready();
const ended = Promise.withResolvers<void>();
process.on('message', (order: Order) => {
  void (order.kind === 'saga' ? travel(order) : transfer(order));
});
process.on('disconnect', ended.resolve);
tell({ kind: 'ready', port });
await ended.promise;
process.exit(0);
