/**
 * Who plays: three banks, each a process with a shard of its own, the offices that change wallets by
 * plain SQL, the initiators, the accounts and the wallets. Constants and pure functions; what the
 * processes say to each other is here too.
 */

/** A shard is a database with accounts; the bank of the same letter is the process that serves it. */
export const shards = ['a', 'b', 'c'] as const;
export type Shard = (typeof shards)[number];

/** Where each shard lives: two on PostgreSQL, one on MariaDB. */
export const storeOf = { a: 'postgres', b: 'postgres', c: 'mysql' } as const;

export const initiators = ['teller-1', 'teller-2', 'teller-3'] as const;
export type Initiator = (typeof initiators)[number];

/** Initiators of kind `at`: two processes of one service, each with every shard. */
export const desks = ['desk-1', 'desk-2'] as const;
export type Desk = (typeof desks)[number];
/** Two of another service; they are asked by desks and join what those began. */
export const vaults = ['vault-1', 'vault-2'] as const;
export type Vault = (typeof vaults)[number];
/** All processes that change wallets, in every shard. */
export const offices = [...desks, ...vaults] as const;
export type Office = (typeof offices)[number];

/** Two coordinators take turns: each take-over starts the one and leaves the other a zombie. */
export const coordinators = ['coordinator-1', 'coordinator-2'] as const;
export type CoordinatorName = (typeof coordinators)[number];

/** One protection that `--break` switches off, to show that the checker sees it. */
export type Breakage = 'barrier' | 'fence' | 'durability' | 'undo';

/** So few that they meet, so many that most transfers meet nobody. */
export const walletsPerShard = 8;
export const accountsPerShard = 10;
/** Cents; so many that only a few transfers are refused for want of money. */
export const openingCents = 100_000;

/** Account 0 of each shard keeps the fees; the last one is closed and takes no money. */
export function accountsOf(shard: Shard): readonly { account: string; isClosed: boolean }[] {
  return Array.from({ length: accountsPerShard }, (_, number) => ({
    account: accountName(shard, number),
    isClosed: number === accountsPerShard - 1,
  }));
}

export function accountName(shard: Shard, number: number): string {
  return `${shard}-${number}`;
}

/** Of an account or a wallet. */
export function shardOf(account: string): Shard {
  const found = shards.find((shard) => account.startsWith(`${shard}-`));
  if (found === undefined) throw new RangeError(`no shard keeps ${account}`);
  return found;
}

/** A row that only plain SQL under kind `at` changes; no account is, so each change has one kind. */
export function walletName(shard: Shard, number: number): string {
  return `${shard}-wallet-${number}`;
}

/**
 * A row like a wallet, but changed by one statement and noted nowhere else: nobody is in the way of what
 * changes purses only, and then it is committed in one round trip.
 */
export function purseName(shard: Shard, number: number): string {
  return `${shard}-purse-${number}`;
}

export function isPurse(name: string): boolean {
  return name.includes('-purse-');
}

export function officeServiceOf(name: Office): 'desk' | 'vault' {
  return desks.some((desk) => desk === name) ? 'desk' : 'vault';
}

export function bankOf(shard: Shard): string {
  return `bank-${shard}`;
}

/** Money of all shards at the start. */
export const moneyAtStart = shards.length * accountsPerShard * openingCents;

/** Settings of a participant process. */
export interface ParticipantSettings {
  readonly shard: Shard;
  /** Of the coordinator and of the shard's database, each through a link. */
  readonly url: string;
  readonly databaseUrl: string;
  readonly isGuarded: boolean;
}

/** All that have a link to the coordinator, by name of process and link. */
export const clients: readonly string[] = [...shards.map(bankOf), ...offices, ...initiators];

/** Settings of an office's process. */
export interface OfficeSettings {
  readonly name: Office;
  /** Of the coordinator and of the shards' databases, each through a link. */
  readonly url: string;
  readonly databaseUrls: Readonly<Record<Shard, string>>;
  /** Where it is asked, on 127.0.0.1. */
  readonly port: number;
  readonly vaultUrls: Readonly<Record<Vault, string>>;
}

/** Settings of an initiator process; `life` counts its starts, so that no gid comes twice. */
export interface InitiatorSettings {
  readonly name: Initiator;
  readonly life: number;
  readonly url: string;
  readonly seed: number;
  readonly tag: string;
  readonly perSecond: number;
  /** Where the desks are asked. */
  readonly deskUrls: Readonly<Record<Desk, string>>;
  /** Its history is written here. */
  readonly historyFile: string;
}

/** From the run to an initiator: start no more transfers, end when those in flight have. */
export interface StopMessage {
  readonly kind: 'stop';
}

/** Settings of this process, from its command line. */
export function settingsOfThisProcess<Settings>(): Settings {
  // Parse boundary: the run that started this process wrote it.
  return JSON.parse(process.argv[2] ?? '{}') as Settings;
}
