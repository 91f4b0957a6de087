/**
 * The world of dirty rows, on either kind of database: a coordinator process, a service with a bank,
 * and an operator with HTTP. The stories are in the files named `resolve-….ts`.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import type {
  InspectedRow,
  LocksAnswer,
  Problem,
  ResolvedAnswer,
  TransactionView,
  UndoAnswer,
  UndoOfResource,
} from '../../client-sdk/protocol/index.ts';
import type { EitherKind, Front } from './either-kind.ts';
import { startCoordinator, startService } from './world.ts';

const schema = [
  `create table account (id int primary key, owner varchar(40) unique, cents bigint not null,
    note varchar(40), twice bigint generated always as (cents * 2) stored)`,
  `create table item (id int primary key, account_id int not null, name varchar(40),
    foreign key (account_id) references account (id))`,
  `insert into account (id, owner, cents, note) values
    (1, 'Ada', 1000, 'first'), (2, 'Bob', 500, null), (3, 'Cy', 0, 'third')`,
  `insert into item values (1, 1, 'one'), (2, 2, 'two')`,
];

/** An answer of the coordinator, of one kind or a problem: tests look into it field by field. */
export interface Asked<Body> {
  readonly status: number;
  readonly body: Partial<Body> & Partial<Problem>;
}

/** The operator's HTTP. */
export function operatorOf(url: string) {
  const ask = async <Body>(path: string, init?: RequestInit): Promise<Asked<Body>> => {
    const response = await fetch(`${url}${path}`, init);
    // The coordinator made it; what is looked at is compared.
    return { status: response.status, body: (await response.json()) as Asked<Body>['body'] };
  };
  const post = <Body>(path: string, body: object): Promise<Asked<Body>> =>
    ask(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const show = async (gid: string, query = '') => {
    const { body } = await ask<TransactionView>(`/v1/transactions/${gid}${query}`);
    return body;
  };
  return {
    post,
    show,
    locks: (service: string, query = '') =>
      ask<LocksAnswer>(`/v1/resources/${service}/bank/locks${query}`),
    undo: async (gid: string, query = ''): Promise<UndoOfResource> => {
      const { body } = await ask<UndoAnswer>(`/v1/transactions/${gid}/undo${query}`);
      const [resource] = body.resources ?? [];
      if (resource === undefined) throw new Error(`no undo rows: ${body.detail}`);
      return resource;
    },
    resolve: (gid: string, body: object) =>
      post<ResolvedAnswer>(`/v1/transactions/${gid}/undo/resolve`, {
        resource: 'bank',
        reason: 'somebody repaired it by hand',
        ...body,
      }),
    /** Resolves once phase two is done. */
    finished: (gid: string) => show(gid, '?wait=completed&waitMs=20000'),
  };
}

/** Transactions that have worked in the bank. */
export type ResolveWorld = ReturnType<typeof resolveWorld>;

/** For one suite: its coordinator runs as long as the suite does. */
export function resolveWorld(kind: EitherKind) {
  let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
  beforeAll(async () => {
    coordinator = await startCoordinator();
  });
  afterAll(() => coordinator.stop());

  /** A transaction that has worked in the bank, meddled with since, and then rolls back. */
  async function stuck(work: (bank: Front) => Promise<unknown>, meddling: readonly string[]) {
    const world = await open();
    const { gid, db } = world;
    await world.work(work);
    for (const text of meddling) await db.query(text);
    await world.rollBack();
    return { ...world, resource: await untilRefused(world.operator, gid) };
  }

  /** A transaction that is open; `extra` is run on the database before. */
  async function open(extra: readonly string[] = []) {
    const db = await kind.start([...schema, ...extra]);
    const service = `shop-${randomUUID()}`;
    const settle = await startService(coordinator.url, service);
    const bank = db.at(settle, { resource: 'bank' });
    await settle.ready();
    const operator = operatorOf(coordinator.url);
    const gid = `g-${randomUUID()}`;
    await operator.post('/v1/transactions', { gid });
    const path = `/v1/transactions/${gid}`;
    return {
      db,
      gid,
      settle,
      service,
      operator,
      bank,
      work: (of: (bank: Front) => Promise<unknown>) => settle.join(gid, () => of(bank)),
      rollBack: () => operator.post(`${path}/rollback`, { wait: 'decided' }),
      commit: () => operator.post(`${path}/commit`, { wait: 'completed' }),
    };
  }

  return { kind, stuck, open };
}

/** The undo rows once the rollback has met the dirty one. */
export async function untilRefused(operator: ReturnType<typeof operatorOf>, gid: string) {
  while ((await operator.show(gid)).attention === null);
  return operator.undo(gid);
}

/** Changes row 1. */
export const update = (bank: Front) =>
  bank.query("update account set cents = 900, note = 'x' where id = 1");
/** Deletes row 3. */
export const remove = (bank: Front) => bank.query('delete from account where id = 3');
/** Inserts row 4. */
export const insert = (bank: Front) =>
  bank.query("insert into account (id, owner, cents, note) values (4, 'Di', 4, 'four')");

/** What an operator chooses for a row that was looked at. */
export function chosen(row: InspectedRow | undefined, choice: string, columns?: object) {
  if (row === undefined) throw new Error('there is no such row');
  const { table, key, seen } = row;
  return { table, key, seen, choice, ...(columns === undefined ? {} : { columns }) };
}
