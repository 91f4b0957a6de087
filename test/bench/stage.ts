/**
 * Sets the scene of a run: the database server of the log, a server for the participants' rows,
 * folders, and both sides; and takes everything away again. The servers run as they are configured
 * by default: every commit is on disk before it is answered.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Provided, provide, type StoreName, sources } from '../support/databases.ts';
import { createAccounts } from './account-database.ts';
import { createBank } from './business.ts';
import type { BenchOptions } from './flags.ts';
import { openProduct, plainSide } from './product.ts';
import { openFloor, type Side, type SidePlaces, whyNoFloor } from './side.ts';

/** Where the database does its work. */
export type DatabaseProcess =
  /** In the coordinator, whose time holds the database's. */
  | { readonly kind: 'inside' }
  /** A program on this machine; its descendants belong to it. */
  | { readonly kind: 'program'; readonly pid: number }
  /** In a container, out of sight. */
  | { readonly kind: 'unseen' };

/** Everything that runs. */
export interface Stage {
  readonly product: Side;
  /** What it is compared with. Null: there is none for these options. */
  readonly floor: Side | null;
  /** The same rows without Settle. Null: not in this mode, or not asked for. */
  readonly plain: Side | null;
  readonly database: DatabaseProcess;
  /** With the profiles, which are complete once the stage is closed; it is not removed. */
  readonly profileFolder: string | null;
  close(): Promise<void>;
}

/** A server that is needed is not on this machine. */
export class Missing extends Error {}

/** Things to take away, last one first. */
export class Cleanup {
  readonly #tasks: (() => Promise<unknown>)[] = [];

  add(task: () => Promise<unknown>): void {
    this.#tasks.push(task);
  }

  async run(): Promise<void> {
    for (let task = this.#tasks.pop(); task !== undefined; task = this.#tasks.pop()) await task();
  }
}

/**
 * Starts everything; resolves when both sides are ready. Throws {@link Missing} without a server.
 * When `signal` aborts, what has been started so far is taken away and it throws.
 */
export async function setStage(options: BenchOptions, signal: AbortSignal): Promise<Stage> {
  const cleanup = new Cleanup();
  try {
    const logs = await openLogs(options, cleanup);
    signal.throwIfAborted();
    const isAt = options.mode === 'at';
    const rowServer =
      options.hasBarrier || isAt ? await openRowServer(options, logs, cleanup) : null;
    const database = processOf(logs.server ?? rowServer);
    const profileFolder = options.isProfiled ? await newFolder('settle-bench-profile-') : null;
    const bankUrl = rowServer === null || isAt ? null : await newBank(rowServer);
    const resourceUrls =
      rowServer === null || !isAt ? null : await newResources(options, rowServer);
    const open = async <S extends Side>(start: Start<S>, profiles: string | null): Promise<S> => {
      signal.throwIfAborted();
      const logUrl = await logs.newUrl();
      const places = { logUrl, bankUrl, resourceUrls, profileFolder: profiles };
      const side = await start(options, places);
      cleanup.add(side.close);
      return side;
    };
    const product = await open(openProduct, profileFolder);
    const floor = whyNoFloor(options) === null ? await open(openFloor, null) : null;
    const plain = isAt && options.hasFloor ? plainSide(product) : null;
    signal.throwIfAborted();
    return { product, floor, plain, database, profileFolder, close: () => cleanup.run() };
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

type Start<S> = (options: BenchOptions, places: SidePlaces) => Promise<S>;

/** Where logs are kept. */
export interface Logs {
  /** An empty log of its own with each call. */
  newUrl(): Promise<string>;
  readonly server: Provided | null;
}

/** Opens the place; `cleanup` takes it away. Throws {@link Missing} without a server. */
export async function openLogs(
  { log }: Pick<BenchOptions, 'log'>,
  cleanup: Cleanup,
): Promise<Logs> {
  switch (log) {
    case 'memory':
      return { newUrl: async () => 'memory:', server: null };
    case 'sqlite': {
      const folder = await newFolder('settle-bench-');
      cleanup.add(() => rm(folder, { recursive: true, force: true }));
      let count = 0;
      const newUrl = async () => `sqlite:${join(folder, `log-${++count}.db`)}`;
      return { newUrl, server: null };
    }
    case 'postgres':
    case 'mysql': {
      const server = await openServer(log, cleanup);
      return { newUrl: () => server.newDatabase(), server };
    }
    default:
      return log satisfies never;
  }
}

/** A server of our own; a program sooner than a container, for its processor time can be read. */
async function openServer(store: StoreName, cleanup: Cleanup): Promise<Provided> {
  const server = await provide(store, { needsOwn: true }, sources.toReversed());
  if (server.kind === 'skipped') throw new Missing(server.reason);
  cleanup.add(() => server.stop());
  return server;
}

/** For the participants' rows: the server of the log if it will do, otherwise a PostgreSQL. */
async function openRowServer(
  { mode }: BenchOptions,
  { server }: Logs,
  cleanup: Cleanup,
): Promise<Provided> {
  const fits = server !== null && (mode === 'at' || server.store === 'postgres');
  return fits ? server : await openServer('postgres', cleanup);
}

async function newBank(server: Provided): Promise<string> {
  const url = await server.newDatabase();
  await createBank(url);
  return url;
}

/** One database for each branch. */
async function newResources(
  { branches }: BenchOptions,
  server: Provided,
): Promise<readonly string[]> {
  const urls: string[] = [];
  for (let number = 0; number < branches; number += 1) {
    const url = await server.newDatabase();
    await createAccounts(url);
    urls.push(url);
  }
  return urls;
}

function newFolder(prefix: string): Promise<string> {
  return mkdtemp(join(tmpdir(), prefix));
}

/** Where this server, or none, does its work. A local program keeps its number in its folder. */
export function processOf(server: Provided | null): DatabaseProcess {
  if (server === null) return { kind: 'inside' };
  const folder = server.control?.folder ?? null;
  if (folder === null) return { kind: 'unseen' };
  return { kind: 'program', pid: Number(readFileSync(join(folder, 'pid'), 'utf8')) };
}
