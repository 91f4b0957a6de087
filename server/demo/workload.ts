/**
 * What the demo does, as pure data: accounts in six shards, and transfer number `index` of a run,
 * which depends on the seed and its index alone. Invariant: a process that was killed and started
 * again finds exactly the same transfer behind the same gid.
 */
import type { Gid } from '../../client-sdk/protocol/index.ts';
import { seededRandom } from '../runtime/random.ts';

/** Three participants, each a service of its own: `bank-1` to `bank-3`. */
export const banks = ['bank-1', 'bank-2', 'bank-3'] as const;
/** Name of a participant's service. */
export type Bank = (typeof banks)[number];

/** Two initiators; transfer `index` belongs to number `index % 2`. */
export const tellers = ['teller-1', 'teller-2'] as const;
/** Name of an initiator. */
export type Teller = (typeof tellers)[number];

/** Accounts live in shards `0 … 5`; two of them, each a database file, belong to each bank. */
export const shardCount = 6;
/** Accounts of a shard that take part in transfers; one more is closed, one more takes fees. */
export const accountsPerShard = 40;

/** One of the shards. */
export type Shard = number;

/** An account as its shard is created with it; `cents` is its opening balance. */
export interface OpeningAccount {
  readonly account: string;
  readonly cents: number;
  readonly isClosed: boolean;
}

/**
 * What is special about a transfer. `poor`: asks for more money than there is. `closed`: its
 * money goes to a closed account, which is refused after other branches or steps succeeded.
 * `abandoned`: its initiator begins and tries, then never decides.
 */
export type Story = 'plain' | 'poor' | 'closed' | 'abandoned';

/** What all transfers of one run have in common. */
export interface Run {
  /** Text in every gid, so that two runs on one log cannot meet: 1..24 of `[a-z0-9]`. */
  readonly tag: string;
  readonly seed: number;
  readonly transfers: number;
}

/** One transfer. Money is in integer cents. */
export interface Transfer {
  readonly index: number;
  readonly gid: Gid;
  readonly mode: 'transaction' | 'saga';
  readonly story: Story;
  readonly from: string;
  readonly to: string;
  /** Where a saga's fee goes; a transaction has none. */
  readonly fees: string;
  readonly cents: number;
  /** 0 in mode `transaction`. */
  readonly feeCents: number;
}

/** More than the whole bank has. */
const poorCents = 1_000_000_000;
const feeCents = 25;
/** Of so many transfers in a row … */
const storyPeriod = 50;
/** … these are special: 2 abandoned, 3 poor, 3 to a closed account. */
const stories: readonly Story[] = [
  'abandoned',
  'poor',
  'closed',
  'poor',
  'closed',
  'abandoned',
  'closed',
  'poor',
];

/** Accounts of a shard: the first digit of a name is its shard, so that anyone can find it. */
export function accountsOf(shard: Shard): readonly OpeningAccount[] {
  const plain = Array.from({ length: accountsPerShard }, (_, number) => ({
    account: nameOf(shard, number),
    // From 100.00 to 2,100.00, so that the poorest fail for lack of money after a while.
    cents: 10_000 + ((number * 77_191) % 200_001),
    isClosed: false,
  }));
  return [
    ...plain,
    { account: closedOf(shard), cents: 0, isClosed: true },
    { account: feesOf(shard), cents: 0, isClosed: false },
  ];
}

/** The shard that keeps an account; throws a RangeError for a name that no shard has. */
export function shardOf(account: string): Shard {
  const shard = account.charCodeAt(0) - 48;
  if (shard >= 0 && shard < shardCount) return shard;
  throw new RangeError(`no shard keeps an account named "${account}"`);
}

/** The service that owns a shard. */
export function bankOf(shard: Shard): Bank {
  const bank = banks[Math.trunc(shard / 2)];
  if (bank === undefined) throw new RangeError(`there is no shard ${shard}`);
  return bank;
}

/** The shards of a service. */
export function shardsOf(bank: Bank): readonly Shard[] {
  const number = banks.indexOf(bank);
  return [2 * number, 2 * number + 1];
}

/** Name of a shard's file in the folder of a run. */
export function shardFile(shard: Shard): string {
  return `shard-${shard}.db`;
}

/** The gid of a transfer: the tag first, so that the log's rows of one run lie together. */
export function gidOf(run: Run, index: number): Gid {
  return `demo-${run.tag}-${String(index).padStart(7, '0')}`;
}

/** Transfer number `index` of a run, `0 … transfers - 1`. The same arguments give the same one. */
export function transferOf(run: Run, index: number): Transfer {
  const random = seededRandom(mix(run.seed, index));
  const pick = (count: number): number => Math.floor(random.next() * count);
  const story = storyOf(run.seed, index);
  const isTransaction = random.next() < 0.6 || story === 'abandoned';
  const fromShard = pick(shardCount);
  const from = nameOf(fromShard, pick(accountsPerShard));
  const cents = story === 'poor' ? poorCents : 100 + pick(9_901);
  const base = { index, gid: gidOf(run, index), story, from, cents };
  if (isTransaction) {
    // The other shard is any other one; in two of five transfers it belongs to the same bank.
    const toShard = (fromShard + 1 + pick(shardCount - 1)) % shardCount;
    const to = target(story, toShard, pick(accountsPerShard));
    return { ...base, mode: 'transaction', to, fees: '', feeCents: 0 };
  }
  // Three services: the payer's, the one that takes the fee, the receiver's.
  const turn = 2 * (1 + pick(2));
  const feeShard = (fromShard + turn) % shardCount;
  const toShard = (fromShard + 2 * turn) % shardCount;
  const to = target(story, toShard, pick(accountsPerShard));
  return { ...base, mode: 'saga', to, fees: feesOf(feeShard), feeCents };
}

/** Whether the transfer can only end rolled back. The others may, for lack of money. */
export function isDoomed(transfer: Transfer): boolean {
  return transfer.story !== 'plain';
}

function storyOf(seed: number, index: number): Story {
  const slot = (index + (seed % storyPeriod)) % storyPeriod;
  // Every sixth of the period, so that even a short run has each of them.
  return slot % 6 === 3 ? (stories[Math.trunc(slot / 6)] ?? 'plain') : 'plain';
}

function target(story: Story, shard: Shard, number: number): string {
  return story === 'closed' ? closedOf(shard) : nameOf(shard, number);
}

function nameOf(shard: Shard, number: number): string {
  return `${shard}-${String(number).padStart(3, '0')}`;
}

function closedOf(shard: Shard): string {
  return `${shard}-closed`;
}

function feesOf(shard: Shard): string {
  return `${shard}-fees`;
}

/** Neighbouring indexes must not give neighbouring streams: one round of a finalizer of murmur3. */
function mix(seed: number, index: number): number {
  let h = (Math.imul(seed, 0x9e3779b1) ^ index) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
