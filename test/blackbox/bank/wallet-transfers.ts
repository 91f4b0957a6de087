/**
 * The transfers of kind `at`: what each is told to do to rows of wallets, drawn from a seeded stream.
 * Pure. The legs of a transfer add up to nothing, and the checker holds the entries against them.
 */
import type { Random } from '../../../server/runtime/random.ts';
import {
  type Desk,
  desks,
  purseName,
  type Shard,
  shards,
  type Vault,
  vaults,
  walletName,
  walletsPerShard,
} from './cast.ts';

/**
 * - `pay`: should succeed, unless a fault, another transfer or want of money is in the way;
 * - `poor`: one leg asks for more than there is and is refused;
 * - `regret`: the desk throws after all legs;
 * - `abandoned`: the desk does its legs and waits until the deadline has rolled everything back.
 */
export type WalletStory = 'pay' | 'poor' | 'regret' | 'abandoned';

/**
 * - `alone`: one database, so a plain local commit that the coordinator never hears of;
 * - `desk`: one service, two databases;
 * - `vault`: two services; what the vault does is committed locally before the desk goes on.
 */
export type Route = 'alone' | 'desk' | 'vault';

/** One change of one wallet. */
export interface Leg {
  readonly wallet: string;
  /** Cents; below zero: withdrawn. */
  readonly amount: number;
}

/** One transfer between wallets. */
export interface WalletTransfer {
  readonly gid: string;
  readonly mode: 'at';
  readonly story: WalletStory;
  readonly route: Route;
  readonly desk: Desk;
  readonly vault: Vault;
  /** Done first, by the vault. Empty but on the route `vault`. */
  readonly vaultLegs: readonly Leg[];
  readonly deskLegs: readonly Leg[];
  /** Reads and locks each row before it writes what it has computed from it. */
  readonly isLocking: boolean;
  /** How long the desk does nothing between the vault's legs and its own, in ms. */
  readonly lingerMs: number;
}

const centsMax = 500;
/** More than all wallets have, within an `integer`. */
const poorCents = 1_000_000_000;
const lingerMsMax = 250;
const abandonedShare = 0.04;
/** So that half of the transfers with a purse have nothing else. */
const purseShare = 0.6;

/** The transfer behind this gid. */
export function drawWalletTransfer(gid: string, random: Random): WalletTransfer {
  const route = drawRoute(random.next());
  const story = drawStory(random.next(), route);
  const [from, to] = drawWallets(route, random);
  const cents = story === 'poor' ? poorCents : 1 + Math.floor(random.next() * centsMax);
  const legs = drawLegs({ from, to, cents }, random);
  const vaultLegs = route === 'vault' ? 1 : 0;
  return {
    ...{ gid, mode: 'at', story, route },
    desk: random.next() < 0.5 ? desks[0] : desks[1],
    vault: random.next() < 0.5 ? vaults[0] : vaults[1],
    vaultLegs: legs.slice(0, vaultLegs),
    deskLegs: legs.slice(vaultLegs),
    isLocking: random.next() < 0.4,
    lingerMs: random.next() < 0.5 ? 0 : Math.floor(random.next() * lingerMsMax),
  };
}

/** All that it changes when it commits, in order. */
export function legsOf({ vaultLegs, deskLegs }: WalletTransfer): readonly Leg[] {
  return [...vaultLegs, ...deskLegs];
}

function drawRoute(number: number): Route {
  if (number < 0.2) return 'alone';
  return number < 0.55 ? 'desk' : 'vault';
}

/** A desk that has begun nothing has no deadline to wait for. */
function drawStory(number: number, route: Route): WalletStory {
  if (number < abandonedShare) return route === 'vault' ? 'abandoned' : 'pay';
  if (number < 0.16) return 'poor';
  return number < 0.3 ? 'regret' : 'pay';
}

/**
 * Two wallets; in two shards for the desk alone, in any for two services. Either may be a purse, but
 * not of what one database does alone: there the entries are all that tells of it.
 */
function drawWallets(route: Route, random: Random): readonly [string, string] {
  const [source, target] = drawShards(route, random);
  const one = Math.floor(random.next() * walletsPerShard);
  const step = 1 + Math.floor(random.next() * (walletsPerShard - 1));
  const other = (one + step) % walletsPerShard;
  const nameOf = (shard: Shard, number: number) => {
    const isOfPurse = route !== 'alone' && random.next() < purseShare;
    return isOfPurse ? purseName(shard, number) : walletName(shard, number);
  };
  return [nameOf(source, one), nameOf(target, other)];
}

function drawShards(route: Route, random: Random): readonly [Shard, Shard] {
  const first = Math.floor(random.next() * shards.length);
  const isElsewhere = route === 'desk' || (route === 'vault' && random.next() < 0.7);
  const at = (place: number): Shard => shards[place % shards.length] ?? 'a';
  return [at(first), at(isElsewhere ? first + 1 : first)];
}

interface Payment {
  readonly from: string;
  readonly to: string;
  readonly cents: number;
}

/**
 * In either order; some pay back a cent to where the first leg was, so that two local transactions,
 * or one of them twice, change the same row under one gid.
 */
function drawLegs({ from, to, cents }: Payment, random: Random): readonly Leg[] {
  const legs = [
    { wallet: from, amount: -cents },
    { wallet: to, amount: cents },
  ];
  if (random.next() < 0.5) legs.reverse();
  const [first, second] = legs;
  if (first === undefined || second === undefined || random.next() >= 0.2) return legs;
  const back = { wallet: first.wallet, amount: 1 };
  return [first, { wallet: second.wallet, amount: second.amount - 1 }, back];
}
