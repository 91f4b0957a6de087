/** Two databases of one kind under one service, a coordinator for the file, and what its tests wait for. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { afterAll, beforeAll, expect } from 'vitest';
import { currentTransaction, type Settle } from '../../client-sdk/index.ts';
import type { EitherDatabase, EitherKind, Front } from './either-kind.ts';
import { startCoordinator, startService } from './world.ts';

/** Names of MySQL have its own collation, in which `Ada` is `ada`. */
export function schemaOf({ of }: EitherKind): readonly string[] {
  const text = of({ postgres: 'text', mysql: 'varchar(100)' });
  const exact = of({ postgres: 'text', mysql: 'varchar(40) collate utf8mb4_bin' });
  return [
    `create table account (id bigint primary key, owner ${text}, cents bigint not null)`,
    "insert into account values (1, 'Ada', 1000), (2, 'Bob', 500), (3, null, 0)",
    `create table named (name ${text} primary key, cents bigint not null)`,
    `create table pair (a ${exact}, b ${exact}, cents bigint not null, primary key (a, b))`,
  ];
}

/** Runs as another service would: with no transaction around. */
export const outside = AsyncLocalStorage.snapshot();

let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
beforeAll(async () => {
  coordinator = await startCoordinator();
});
afterAll(() => coordinator.stop());

export const coordinatorUrl = () => coordinator.url;

/** `shop` is `orders` as a resource, `bank` is `wallets`. */
export interface World {
  readonly settle: Settle;
  readonly orders: EitherDatabase;
  readonly wallets: EitherDatabase;
  readonly shop: Front;
  readonly bank: Front;
}

export function name(role: string): string {
  return `${role}-${crypto.randomUUID().slice(0, 8)}`;
}

export async function startWorld(kind: EitherKind): Promise<World> {
  const settle = await startService(coordinator.url, name('shop'));
  const orders = await kind.start(schemaOf(kind));
  const wallets = await kind.start(schemaOf(kind));
  const shop = orders.at(settle, { resource: 'orders', lockTimeoutMs: 1_000 });
  const bank = wallets.at(settle, { resource: 'wallets', lockTimeoutMs: 1_000 });
  return { settle, orders, wallets, shop, bank };
}

/** Longer than any rollback takes: by default who waits for one is told after two seconds that it goes on. */
export const waitMs = 60_000;

/** The work joins, commits locally, and is taken back; `meanwhile` it stands, undecided. */
export async function rolledBack(
  { settle, wallets }: World,
  work: () => Promise<void>,
  meanwhile: () => Promise<void> = async () => undefined,
): Promise<void> {
  const all = settle.transaction({ waitMs }, async (tx) => {
    const headers = await tx.headers();
    await outside(() => settle.join(headers, work));
    expect(await wallets.undoRows()).toBeGreaterThan(0);
    await outside(meanwhile);
    throw new Error('as planned');
  });
  await expect(all).rejects.toThrow('as planned');
  expect(await wallets.undoRows()).toBe(0);
}

/** The same of statements, each in a transaction of its own and then all of them in one. */
export async function undone(world: World, texts: readonly string[]): Promise<void> {
  const all = async (some: readonly string[]) => {
    for (const text of some) await world.bank.query(text);
  };
  for (const text of texts) await rolledBack(world, () => all([text]));
  await rolledBack(world, () => all(texts));
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
  expect(await wallets.undoRows()).toBe(0);
}

/** Each of them wants a row that somebody else has, and is told so. */
export async function conflicts(
  { settle, bank }: Pick<World, 'settle' | 'bank'>,
  texts: readonly string[],
): Promise<void> {
  for (const text of texts) {
    const taking = expect(
      settle.transaction({}, () => bank.query(text)),
      text,
    ).rejects;
    await taking.toMatchObject({ code: 'LOCK_CONFLICT' });
  }
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
