/**
 * Gives tests a real database server, from the first source that works: a URL in the environment,
 * Docker, programs found on this machine. A suite that finds none is skipped loudly, and under
 * CI=true it fails instead. Invariant: a server that was not started here is never killed, and
 * only databases that were made here are dropped.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, describe } from 'vitest';
import { dockerAnswers, startContainer } from './server-container.ts';
import { type ServerControl, startProgram } from './server-program.ts';
import { type Recipe, recipeOf, type StoreName } from './server-recipes.ts';

export type { ServerControl } from './server-program.ts';
export type { StoreName } from './server-recipes.ts';

/** Where a server came from. */
export type SourceName = 'environment' | 'container' | 'program';

/** A server to test with. */
export interface Provided {
  readonly kind: 'provided';
  readonly store: StoreName;
  readonly source: SourceName;
  /** Of the server's maintenance database; tests make their own with newDatabase. */
  readonly url: string;
  /** Ways to hurt the server; null when it belongs to the environment. */
  readonly control: ServerControl | null;
  /** Makes an empty database and answers its URL. Any number of times. */
  newDatabase(): Promise<string>;
  /** Stops what was started, drops what was made. Safe to repeat. */
  stop(): Promise<void>;
}

/** A server that the test may kill. */
export type OwnServer = Provided & { readonly control: ServerControl };

/** No source worked; `reason` says why, source by source. */
export interface Skipped {
  readonly kind: 'skipped';
  readonly reason: string;
}

/** A server as a source starts it, before databases are made on it. */
export interface Started {
  readonly url: string;
  readonly control: ServerControl | null;
  stop(): Promise<void>;
}

/** One way to a server: `start` answers a text when this way is not open here, and why. */
export interface Source {
  readonly name: SourceName;
  readonly start: (recipe: Recipe) => Promise<Started | string>;
}

/** The sources, in the order in which they are tried. */
export const sources: readonly Source[] = [
  { name: 'environment', start: async (recipe) => fromEnvironment(recipe) },
  { name: 'container', start: fromContainer },
  { name: 'program', start: fromProgram },
];

/** `needsOwn`: never the environment's server, because the test will kill it. */
export interface ProvideOptions {
  readonly needsOwn?: boolean;
}

/** Starts, or finds, a server. Never throws for a missing one. Call stop() at the end. */
export async function provide(
  store: StoreName,
  options: ProvideOptions = {},
  tried: readonly Source[] = sources,
): Promise<Provided | Skipped> {
  const recipe = recipeOf(store);
  const reasons: string[] = [];
  for (const source of tried) {
    if (options.needsOwn === true && source.name === 'environment') continue;
    const started = await source.start(recipe).catch((error: unknown) => String(error));
    if (typeof started !== 'string') return provided(recipe, source.name, started);
    reasons.push(`${source.name}: ${started}`);
  }
  return { kind: 'skipped', reason: `no ${store} server (${reasons.join('; ')})` };
}

/**
 * Declares a suite that runs on a server of its own file: `await describeOn('postgres', (postgres) =>
 * { it(…) })`. The server is started now and stopped after the suite. Without a server the suite is
 * skipped and the reason printed; under CI=true it throws, so that the file fails.
 */
export async function describeOn(
  store: StoreName,
  suite: (server: Provided) => void,
): Promise<void> {
  declare(await provide(store), store, suite);
}

/** Like describeOn, on a server that the suite may kill, pause and restart. */
export async function describeOnOwn(
  store: StoreName,
  suite: (server: OwnServer) => void,
): Promise<void> {
  const server = await provide(store, { needsOwn: true });
  declare(server, `${store} of our own`, (given) => {
    if (!isOwn(given)) throw new Error('a source of our own gave no control');
    suite(given);
  });
}

function isOwn(server: Provided): server is OwnServer {
  return server.control !== null;
}

function declare(
  server: Provided | Skipped,
  name: string,
  suite: (server: Provided) => void,
): void {
  if (server.kind === 'skipped') {
    skipSuite(name, server.reason);
    return;
  }
  describe(`on ${name} (${server.source})`, () => {
    afterAll(() => server.stop());
    suite(server);
  });
}

/** Skips with a printed reason; a continuous integration that skips has tested nothing, so it fails. */
export function skipSuite(name: string, reason: string): void {
  if (process.env['CI'] === 'true') throw new Error(`SKIPPED under CI: ${name}: ${reason}`);
  process.stderr.write(`\nSKIPPED: ${name}: ${reason}\n`);
  describe.skip(`${name}: ${reason}`, () => undefined);
}

function provided(recipe: Recipe, source: SourceName, started: Started): Provided {
  const made: string[] = [];
  let stopped: Promise<void> | null = null;
  const stop = async () => {
    // What we started goes as a whole; databases are dropped one by one on somebody else's server.
    if (source === 'environment') {
      for (const url of made) await recipe.dropDatabase(started.url, url);
    }
    await started.stop();
  };
  return {
    kind: 'provided',
    store: recipe.store,
    source,
    url: started.url,
    control: started.control,
    async newDatabase() {
      const name = `settle_test_${randomUUID().replaceAll('-', '').slice(0, 16)}`;
      const url = await recipe.createDatabase(started.url, name);
      made.push(url);
      return url;
    },
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}

function fromEnvironment(recipe: Recipe): Started | string {
  const url = process.env[recipe.urlVariable] ?? '';
  if (url === '') return `${recipe.urlVariable} is not set`;
  return { url, control: null, stop: async () => undefined };
}

async function fromContainer(recipe: Recipe): Promise<Started | string> {
  if (!(await dockerAnswers())) return 'no Docker daemon answers';
  return startContainer(recipe);
}

async function fromProgram(recipe: Recipe): Promise<Started | string> {
  const programs = await recipe.locate();
  if (programs === null) return 'no server program on this machine';
  const server = await startProgram(recipe, programs);
  return { url: recipe.programUrl(server.port), control: server, stop: () => server.stop() };
}
