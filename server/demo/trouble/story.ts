/**
 * The story of `settle demo --trouble`, as plain data: whose money, which goods, and the three
 * things that go wrong. Processes tell it, the verdict reads it. Money is in whole cents.
 */
import { join } from 'node:path';
import type { BranchSpec, Gid } from '../../../client-sdk/protocol/index.ts';
import type { Entry, Side } from '../ledger.ts';

/** What goes wrong. */
export type TroubleKind = 'poison' | 'dirty' | 'abandoned';

/** One failure that was left behind. */
export interface Trouble {
  readonly kind: TroubleKind;
  readonly gid: Gid;
}

/** The service that keeps wallets, and what each holds when the night begins. */
export const walletsService = 'wallets';
/** Opening balances. */
export const openingCents = { ada: 25_000, ben: 8_000, shop: 100_000, zoe: 1_000 } as const;
/** Whose wallet. */
export type Owner = keyof typeof openingCents;

/** Money that goes from one wallet to another. */
export interface Payment {
  readonly name: string;
  readonly from: Owner;
  readonly to: Owner;
  readonly cents: number;
}

/** It was decided to commit; then Zoe's wallet was frozen. */
export const payout: Payment = { name: 'payout', from: 'ada', to: 'zoe', cents: 4_200 };
/** Begun by a process that has died since. */
export const checkout: Payment = { name: 'checkout', from: 'ben', to: 'shop', cents: 1_900 };
/** What an ordinary evening looks like. The last one asks for more than there is. */
export const ordinary: readonly Payment[] = [
  { name: 'checkout', from: 'ada', to: 'shop', cents: 1_250 },
  { name: 'checkout', from: 'ben', to: 'shop', cents: 700 },
  { name: 'refund', from: 'shop', to: 'ada', cents: 1_250 },
  { name: 'payout', from: 'shop', to: 'ben', cents: 300 },
  { name: 'checkout', from: 'zoe', to: 'shop', cents: 250 },
  { name: 'payout', from: 'shop', to: 'zoe', cents: 600 },
  { name: 'checkout', from: 'zoe', to: 'shop', cents: 90_000 },
];

/** The service whose database is under automatic undo, and the name of that resource. */
export const stockService = 'stock';
/** The resource of {@link stockService}. */
export const stockResource = 'goods';
/** Tells that service its database: an argument could be read by every user of the machine. */
export const stockDatabaseVariable = 'SETTLE_TROUBLE_STOCK';
/** The transaction that had changed an article before somebody else did. */
export const orderName = 'order';
/** Kettles as they were; the order took three; then somebody moved them past Settle. */
export const kettles = { before: { pieces: 10, shelf: 'A-1' }, taken: 3, movedTo: 'B-7' } as const;

/** Tables of the stock, besides those of Settle. */
export const stockSchema: readonly string[] = [
  'create table article (name text primary key, pieces int not null, shelf text not null)',
  `insert into article values ('kettle', ${kettles.before.pieces}, '${kettles.before.shelf}'),
    ('teapot', 4, 'A-2')`,
];

/** Nobody waits for a deadline that is half a day away. */
export const abandonedTimeoutMs = 12 * 3_600_000;

/** The wallets' database. */
export function walletsFile(folder: string): string {
  return join(folder, 'wallets.db');
}

/** Wallets that take no money, one name a line. Read at each call: who edits it need not restart. */
export function frozenFile(folder: string): string {
  return join(folder, 'frozen.txt');
}

/** Both sides of a payment, as branches. */
export function branchesOf({ from, to, cents }: Payment): readonly BranchSpec[] {
  const branch = (method: Side, account: Owner): BranchSpec => {
    const payload: Entry & { readonly account: Owner } = { account, cents };
    return { participant: { service: walletsService, method }, payload: { ...payload } };
  };
  return [branch('debit', from), branch('credit', to)];
}
