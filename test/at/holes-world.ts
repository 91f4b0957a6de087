/** Two databases under one service, a coordinator for the file, and what its tests wait for. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type pg from 'pg';
import { afterAll, beforeAll, expect } from 'vitest';
import { currentTransaction, type Settle } from '../../client-sdk/index.ts';
import type { Provided } from '../support/databases.ts';
import { startCoordinator, startDatabase, startService, undoRows } from './world.ts';

export const schema = `
  create table account (id bigint primary key, owner text, cents bigint not null);
  insert into account values (1, 'Ada', 1000), (2, 'Bob', 500), (3, null, 0);
  create table named (name text primary key, cents bigint not null);
  create table pair (a text, b text, cents bigint not null, primary key (a, b));`;

/** Runs as another service would: with no transaction around. */
export const outside = AsyncLocalStorage.snapshot();

let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
beforeAll(async () => {
  coordinator = await startCoordinator();
});
afterAll(() => coordinator.stop());

export const coordinatorUrl = () => coordinator.url;

export interface World {
  readonly settle: Settle;
  readonly orders: pg.Pool;
  readonly wallets: pg.Pool;
  readonly shop: pg.Pool;
  readonly bank: pg.Pool;
}

export function name(role: string): string {
  return `${role}-${crypto.randomUUID().slice(0, 8)}`;
}

export async function startWorld(server: Provided): Promise<World> {
  const settle = await startService(coordinator.url, name('shop'));
  const orders = await startDatabase(server, schema);
  const wallets = await startDatabase(server, schema);
  const shop: pg.Pool = settle.at(orders, { resource: 'orders', lockTimeoutMs: 1_000 });
  const bank: pg.Pool = settle.at(wallets, { resource: 'wallets', lockTimeoutMs: 1_000 });
  return { settle, orders, wallets, shop, bank };
}

/** The work joins, commits locally, and is taken back. */
export async function rolledBack(
  { settle, wallets }: World,
  work: () => Promise<void>,
): Promise<void> {
  const all = settle.transaction({}, async (tx) => {
    const headers = await tx.headers();
    await outside(() => settle.join(headers, work));
    expect(await undoRows(wallets)).toBeGreaterThan(0);
    throw new Error('as planned');
  });
  await expect(all).rejects.toThrow('as planned');
  expect(await undoRows(wallets)).toBe(0);
}

/** Each of them, and the transaction around goes on as if they had not been. */
export async function refuses(
  { settle, wallets, bank }: World,
  texts: readonly string[],
): Promise<void> {
  for (const text of texts) {
    await settle.transaction({}, async () => {
      expect(currentTransaction()).toBeDefined();
      const refused = expect(bank.query(text), text).rejects;
      await refused.toMatchObject({ code: 'AT_UNSUPPORTED_SQL' });
      await bank.query('update account set cents = cents where id = 1');
    });
  }
  expect(await undoRows(wallets)).toBe(0);
}

export async function untilFailed(settle: Settle, gid: string) {
  for (;;) {
    const [branch] = (await settle.get(gid)).branches;
    if (branch !== undefined && branch.lastError !== null) return branch;
  }
}

export async function untilAttention(settle: Settle, gid: string) {
  for (;;) {
    const view = await settle.get(gid);
    if (view.attention !== null) return view;
  }
}

export async function untilOver(settle: Settle, gid: string): Promise<string> {
  for (;;) {
    const { phase } = await settle.get(gid);
    if (phase === 'committed' || phase === 'rolledBack') return phase;
  }
}
