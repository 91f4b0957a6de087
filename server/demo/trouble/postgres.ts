/**
 * The PostgreSQL database of the demo's third failure: on a server that the environment names, else
 * on one that is started here from programs of this machine. Invariant: only a database that was
 * made here is used, and it goes, with its server and its folder, however the demo ends.
 */
import { execFile, spawn } from 'node:child_process';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from '../coordinator-api.ts';
import { findProgram, unprivilegedUser, versionFolders } from './programs.ts';

const run = promisify(execFile);

/** Names a server on which the demo may make a database of its own. */
export const serverVariable = 'SETTLE_TROUBLE_POSTGRES';
const startMsMax = 60_000;
const outputKeptMax = 4_000;

/** An empty database. */
export interface OwnDatabase {
  readonly url: string;
  /** For people: where it is. */
  readonly origin: string;
  /** Drops it, and ends the server if it was started here. */
  stop(): Promise<void>;
}

/** Why there is none, in one sentence. */
export interface NoDatabase {
  readonly reason: string;
}

interface Server {
  readonly url: string;
  readonly origin: string;
  stop(): Promise<void>;
}

/** Makes one. Never throws for what a machine may lack. `tag`: lower case, for its name. */
export async function makeDatabase(tag: string): Promise<OwnDatabase | NoDatabase> {
  try {
    // What automatic undo reads SQL with; the packages are optional.
    await Promise.all([import('libpg-query'), import('pgsql-deparser')]);
  } catch {
    const packages = 'libpg-query@18.1.5 pgsql-deparser@18.3.8';
    return { reason: `it needs two more packages: npm install ${packages}` };
  }
  const given = process.env[serverVariable] ?? '';
  let server: Server | null = null;
  try {
    server = given === '' ? await startServer() : givenServer(given);
    if (server === null) return { reason: 'no program of PostgreSQL is on this machine' };
    return await databaseOn(server, `settle_trouble_${tag}`);
  } catch (error) {
    await server?.stop();
    const what = given === '' ? 'PostgreSQL did not start' : `${serverVariable} is of no use`;
    return { reason: `${what}: ${textOf(error)}` };
  }
}

function givenServer(url: string): Server {
  return { url, origin: `the server that ${serverVariable} names`, stop: async () => undefined };
}

async function databaseOn(server: Server, name: string): Promise<OwnDatabase> {
  const execute = (statement: string) => onServer(server.url, statement);
  await execute(`create database ${name}`);
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    origin: server.origin,
    async stop() {
      try {
        await execute(`drop database if exists ${name} with (force)`);
      } finally {
        await server.stop();
      }
    },
  };
}

async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  // A connection that breaks is reported by the query too; unheard it would end the process.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Null when its programs are not on this machine. */
async function startServer(): Promise<Server | null> {
  const debian = await versionFolders('/usr/lib/postgresql', 'bin');
  const [initdb, postgres] = await Promise.all([
    findProgram('initdb', debian),
    findProgram('postgres', debian),
  ]);
  if (initdb === null || postgres === null) return null;
  const user = await unprivilegedUser(['postgres', 'nobody']);
  const folder = await mkdtemp(join(tmpdir(), 'settle-demo-postgres-'));
  try {
    if (user !== null) await chown(folder, user.uid, user.gid);
    const data = join(folder, 'data');
    const shape = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '-N'];
    await run(initdb, ['-D', data, ...shape], { cwd: folder, ...(user ?? {}) });
    const port = await freePort();
    const settings = ['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='];
    const stop = await keepRunning([postgres, '-D', data, '-p', String(port), ...settings], {
      folder,
      user,
    });
    const origin = 'a PostgreSQL server of its own';
    return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, origin, stop };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Runs the server and waits for the end of its own input, which comes with the end of the demo,
 * whatever ended that: then it ends the server and takes the folder away.
 */
const keeper = `
trap '' HUP INT TERM
"$@" &
server=$!
cat > /dev/null
kill -QUIT $server
wait $server
rm -rf "$FOLDER"
`;

interface Place {
  readonly folder: string;
  readonly user: { readonly uid: number; readonly gid: number } | null;
}

/** Resolves when the server takes connections, with how to end it. Throws when it does not start. */
async function keepRunning(
  command: readonly string[],
  { folder, user }: Place,
): Promise<() => Promise<void>> {
  const child = spawn('/bin/sh', ['-c', keeper, 'settle-demo-keeper', ...command], {
    cwd: folder,
    // A Ctrl-C in the terminal is for the demo, which then ends this one in its turn.
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { ...process.env, FOLDER: folder },
    ...(user ?? {}),
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const stop = (): Promise<void> => {
    child.stdin.end();
    return ended;
  };
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    output = (output + chunk).slice(-outputKeptMax);
    if (output.includes('ready to accept connections')) resolve();
    // The keeper waits on, also when there is nothing left to keep.
    if (output.includes('database system is shut down')) reject(new Error(output));
  });
  child.once('error', reject);
  const timer = setTimeout(() => reject(new Error(`it took too long: ${output}`)), startMsMax);
  try {
    await promise;
    return stop;
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function textOf(error: unknown): string {
  // What Node says of a refused connection has no message of its own.
  const own = error instanceof AggregateError ? error.errors[0] : error;
  const text = own instanceof Error ? own.message : String(own);
  return text.replaceAll(/\s+/g, ' ').slice(0, 300);
}
