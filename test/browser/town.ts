/**
 * A small company that runs on Settle, for the pictures of the console: a bank, points, a travel
 * agency and a shop under automatic undo, with names that people know. Most of its business goes well;
 * one of each kind of trouble stays behind. Nothing here is random: the same business each time.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely, SqliteDialect } from 'kysely';
import pg from 'pg';
import { connect, RetryableError, type Settle, TerminalError } from '../../client-sdk/index.ts';
import { barrierSchema } from '../../client-sdk/participant/barrier-schema.ts';
import { nodeSqlite } from '../../client-sdk/participant/sqlite.ts';
import { undoSchema } from '../../client-sdk/participant/undo-schema.ts';

/** Where its services find what they need. */
export interface Ground {
  /** The coordinator. */
  readonly url: string;
  readonly folder: string;
  /** An empty PostgreSQL database for the shop. */
  readonly database: string;
}

/** The gids of what stays behind. */
export interface Trouble {
  /** Committing: the points of one customer can never be confirmed. */
  readonly poison: string;
  /** Rolling back: somebody has changed a row by hand. */
  readonly dirty: string;
  /** Undecided, and it holds a row: its initiator is gone. */
  readonly abandoned: string;
  /** A saga with a step that fails each time. */
  readonly trip: string;
  /** Rolling back with 256 branches at services that nobody runs. */
  readonly wide: string;
}

/** The company at work; its services are connected. */
export interface Town {
  /** What happens in one second; `at` counts them. After trouble one of them waits for its rows. */
  work(at: number): Promise<void>;
  /** Leaves one of each trouble behind, and waits until a human is needed for it. */
  leaveTrouble(): Promise<Trouble>;
  close(): Promise<void>;
}

interface Payment {
  readonly customer: string;
  readonly cents: number;
}

interface Trip {
  readonly traveller: string;
  readonly city: string;
}

const shopSchema = [
  `create table purchase (id int primary key, customer varchar(40) not null, cents bigint not null,
    state varchar(20) not null, note varchar(60))`,
  'create table article (name varchar(40) primary key, available int not null)',
  `insert into article values ('kettle', 40), ('lamp', 75), ('teapot', 12)`,
  `insert into purchase select n, 'c-' || (1000 + n), n * 100, 'new', null
    from generate_series(1, 4000) n`,
];

/** Opens all of it; every service is connected when this resolves. */
export async function openTown(ground: Ground): Promise<Town> {
  const db = openFile(join(ground.folder, 'town.db'));
  const pool = new pg.Pool({ connectionString: ground.database, max: 8 });
  for (const text of [barrierSchema('postgres'), ...undoSchema('postgres'), ...shopSchema]) {
    await pool.query(text);
  }
  const open = (service: string) => connect({ url: ground.url, service });
  const [bank, points, agency, shop] = await Promise.all(
    ['bank', 'points', 'agency', 'shop'].map(open),
  );
  if (!bank || !points || !agency || !shop) throw new Error('four services were asked for');
  const services = { bank, points, agency, shop };
  const calls = offer(services, db);
  const orders = shop.at(pool, { resource: 'orders' });
  await Promise.all(Object.values(services).map((service) => service.ready()));

  const post = (path: string, body: object) => postTo(ground.url, path, body);
  const buy = async (id: number, isRefused: boolean) => {
    await shop.transaction({ name: 'purchase', labels: { order: `${4_000 + id}` } }, async () => {
      await orders.query("update purchase set state = 'paid' where id = $1", [id]);
      await calls.debit({ customer: `c-${1_000 + id}`, cents: id * 100 });
      if (isRefused) throw new TerminalError(`c-${1_000 + id} has not enough money`);
      await calls.promise({ customer: `c-${1_000 + id}`, cents: id });
    });
  };
  let waiting: Promise<unknown> | null = null;
  let hasTrouble = false;
  const closed = new AbortController();
  /** For a row that the abandoned one holds: given up after a while, and tried again. */
  const waitForRow = async () => {
    const options = { name: 'purchase', labels: { order: '4719' }, signal: closed.signal };
    await shop.transaction(options, () =>
      orders.query("update purchase set state = 'paid' where id = 12"),
    );
  };
  return {
    async work(at) {
      if (hasTrouble) {
        waiting ??= waitForRow()
          .catch(() => undefined)
          .finally(() => {
            waiting = null;
          });
      }
      const busy = Math.round(5 + 3 * Math.sin(at / 9) + 2 * Math.sin(at / 2.3));
      const ids = Array.from({ length: busy }, (_, n) => 100 + ((at * 10 + n) % 3_800));
      const purchases = ids.map((id) => buy(id, id % 9 === 0));
      const trips = ids
        .filter((id) => id % 3 === 0)
        .map((id) => {
          const city = id % 15 === 0 ? 'Atlantis' : 'Oslo';
          return agency.run(calls.trip, { traveller: `c-${1_000 + id}`, city });
        });
      // Some roll back, as they are meant to.
      await Promise.allSettled([...purchases, ...trips]);
    },
    async leaveTrouble() {
      const trouble = await leaveTrouble({ services, calls, orders, pool, post, url: ground.url });
      hasTrouble = true;
      return trouble;
    },
    async close() {
      closed.abort();
      await waiting;
      await Promise.all(Object.values(services).map((service) => service.close()));
      await pool.end();
      await db.destroy();
    },
  };
}

function offer(
  { bank, points, agency }: Readonly<Record<'bank' | 'points' | 'agency', Settle>>,
  db: Kysely<object>,
) {
  const nothing = async () => undefined;
  const debit = bank.tcc('debit', {
    db,
    try: async (_trx, _payment: Payment) => null,
    confirm: nothing,
    cancel: nothing,
  });
  const promise = points.tcc('promise', {
    db,
    try: async (_trx, _payment: Payment) => null,
    confirm: async (_trx, { customer }) => {
      if (customer === 'c-1077')
        throw new Error('account c-1077 is closed: no points can be booked');
    },
    cancel: nothing,
  });
  const saga = agency
    .saga<Trip, typeof db>('trip', { db, timeout: '1h' })
    .step('flight', { run: async () => ({ seat: '12C' }), undo: nothing })
    .step('hotel', {
      run: async (_trx, { input }) => {
        if (input.city === 'Atlantis') throw new TerminalError('no hotel in Atlantis');
        return { room: '204' };
      },
      undo: nothing,
    })
    .step('car', {
      attempts: 1_000,
      run: async (_trx, { input }) => {
        if (input.traveller !== 'Ada') return { car: 'AB 12345' };
        throw new RetryableError('the garage does not answer: 503 Service Unavailable');
      },
      undo: nothing,
    });
  return { debit, promise, trip: saga };
}

/** What {@link Town.leaveTrouble} needs. */
interface Hands {
  readonly services: Readonly<Record<'agency' | 'shop', Settle>>;
  readonly calls: ReturnType<typeof offer>;
  readonly orders: { query(text: string, values?: unknown[]): Promise<unknown> };
  readonly pool: pg.Pool;
  readonly post: (path: string, body: object) => Promise<void>;
  readonly url: string;
}

async function leaveTrouble(hands: Hands): Promise<Trouble> {
  const { services, calls, orders, pool, post, url } = hands;
  const { agency, shop } = services;
  const labels = { order: '4077', region: 'north' };
  let poison = '';
  await shop.transaction({ name: 'purchase', labels, wait: 'decided' }, async (tx) => {
    poison = tx.gid;
    await orders.query("update purchase set state = 'paid' where id = 77");
    await calls.debit({ customer: 'c-1077', cents: 7_700 });
    await calls.promise({ customer: 'c-1077', cents: 77 });
  });
  const dirty = 'order-4711';
  await post('/v1/transactions', { gid: dirty, name: 'purchase', labels: { order: '4711' } });
  await shop.join(dirty, async () => {
    await orders.query("update purchase set state = 'paid', cents = cents - 500 where id = 11");
    await orders.query("update article set available = available - 1 where name = 'teapot'");
  });
  await pool.query("update purchase set cents = 999, note = 'mended by hand' where id = 11");
  await post(`/v1/transactions/${dirty}/rollback`, { wait: 'decided' });
  const abandoned = 'order-4712';
  const participant = { service: 'bank', method: 'debit' };
  const branches = [{ participant, payload: { customer: 'c-1012', cents: 1_200 } }];
  const begun = { gid: abandoned, name: 'purchase', labels: { order: '4712' }, branches };
  await post('/v1/transactions', { ...begun, timeoutMs: 3_600_000 });
  await shop.join(abandoned, () =>
    orders.query("update purchase set state = 'paid' where id = 12"),
  );
  const ada = { traveller: 'Ada', city: 'Oslo' };
  const { gid: trip } = await agency.run(calls.trip, ada, { wait: 'submitted' });
  const wide = 'payroll-2026-11';
  await post('/v1/transactions', {
    gid: wide,
    name: 'payroll',
    timeoutMs: 600_000,
    branches: Array.from({ length: 256 }, (_, at) => ({
      participant: { service: `branch-office-${1 + (at % 3)}`, method: 'pay' },
    })),
  });
  await post(`/v1/transactions/${wide}/rollback`, { wait: 'decided' });
  for (const gid of [poison, dirty, trip]) while (!(await needsHuman(url, gid)));
  return { poison, dirty, abandoned, trip, wide };
}

async function needsHuman(url: string, gid: string): Promise<boolean> {
  const answer = await fetch(`${url}/v1/transactions/${gid}`);
  const body: unknown = await answer.json();
  return body !== null && typeof body === 'object' && Reflect.get(body, 'attention') !== null;
}

/**
 * A coordinator's log with a transaction in it that it cannot read: `order-4713`, begun by a version
 * that is newer than any. The coordinator on it must have ended.
 */
export function plantUnreadable(file: string): string {
  const gid = 'order-4713';
  const db = new DatabaseSync(file);
  const rows = db
    .prepare(
      'update transaction_log set records = replace(records, \'"decided"\', \'"decided-2"\') where gid = ?',
    )
    .run(gid);
  db.close();
  if (Number(rows.changes) === 0) throw new Error(`${gid} is not in the log`);
  return gid;
}

/** Leaves `order-4713` decided and open, to be made unreadable. */
export async function leaveReadable(url: string): Promise<void> {
  const participant = { service: 'stock', method: 'take' };
  const branches = [{ participant, payload: { article: 'kettle' } }];
  const begun = { gid: 'order-4713', name: 'purchase', labels: { order: '4713' }, branches };
  await postTo(url, '/v1/transactions', begun);
  await postTo(url, '/v1/transactions/order-4713/commit', { wait: 'decided' });
}

/** Does something as the operator Ada, on the record. */
export async function postTo(url: string, path: string, body: object): Promise<void> {
  const headers = { 'content-type': 'application/json', 'settle-operator': 'ada' };
  const answer = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
}

function openFile(path: string): Kysely<object> {
  const db = new DatabaseSync(path);
  db.exec(barrierSchema('sqlite'));
  db.close();
  return new Kysely<object>({ dialect: new SqliteDialect({ database: nodeSqlite(path) }) });
}
