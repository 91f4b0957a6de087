/**
 * Runs one local server program for a test: own data folder, own port on 127.0.0.1, an unprivileged
 * user, and the ways to hurt it (kill -9, stop and continue, start again on the same data).
 *
 * Nothing is left behind, even when the test run itself is killed with -9: a janitor, a small shell
 * in its own session, reads from a pipe whose other end only this process holds. The kernel closes
 * it with the process, whatever ended it; the janitor then kills the server, unmounts and removes
 * the folder. The ordinary stop() takes the same path, so that it is exercised by every test.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { unprivilegedUser } from '../../server/demo/trouble/programs.ts';
import type { Command, Programs, Recipe } from './server-recipes.ts';

const run = promisify(execFile);

/** Ways to hurt a server that belongs to the test alone. Each resolves when it has taken effect. */
export interface ServerControl {
  /** kill -9 of every process of the server, at once. */
  kill(): Promise<void>;
  /** Stops every process of the server where it stands (SIGSTOP): connections hang, none break. */
  pause(): Promise<void>;
  /** Undoes pause. */
  resume(): Promise<void>;
  /** After kill, or killing first: the same data on the same port. Resolves when it takes connections. */
  restart(): Promise<void>;
  /** For a local program: a folder of its own, owned by the server's user; null for a container. */
  readonly folder: string | null;
}

/** A running server program. */
export interface ServerProgram extends ServerControl {
  readonly port: number;
  /** Kills the server and removes its folder. Safe to repeat. */
  stop(): Promise<void>;
}

type User = { readonly uid: number; readonly gid: number } | null;

interface Place {
  readonly folder: string;
  readonly user: User;
}

const janitorScript = `
trap '' HUP INT TERM
cat > /dev/null
pid=$(cat "$1/pid" 2> /dev/null)
if [ -n "$pid" ]; then
  children=$(ps -A -o pid= -o ppid= | awk -v parent="$pid" '$2 == parent { print $1 }')
  kill -9 $pid $children 2> /dev/null
fi
for mounted in "$1"/*; do umount -l "$mounted" 2> /dev/null; done
until rm -rf "$1" 2> /dev/null; do sleep 0.1; done
`;

/**
 * Starts the program and resolves when it takes connections. Throws, with the end of the server's
 * output, when it doesn't start; nothing is left behind then either.
 */
export async function startProgram(recipe: Recipe, programs: Programs): Promise<ServerProgram> {
  const user = await unprivilegedUser(recipe.users);
  const folder = await mkdtemp(join(tmpdir(), `settle-${recipe.store}-`));
  const janitor = startJanitor(folder);
  const data = join(folder, 'data');
  try {
    await mkdir(data, { mode: 0o700 });
    if (user !== null) await Promise.all([folder, data].map((f) => chown(f, user.uid, user.gid)));
    const initialise = programs.initialise(data);
    if (initialise !== null) await runToEnd(initialise, folder, user);
    const port = await freePort();
    const server = new RunningServer(programs.serve(data, port), recipe.programReady, {
      folder,
      user,
    });
    await server.start();
    return controlOf(server, folder, port, janitor);
  } catch (error) {
    await janitor.clean();
    throw error;
  }
}

function controlOf(
  server: RunningServer,
  folder: string,
  port: number,
  janitor: { clean(): Promise<void> },
): ServerProgram {
  return {
    port,
    folder,
    kill: () => server.kill(),
    pause: () => server.pause(),
    resume: () => server.resume(),
    async restart() {
      await server.kill();
      await server.start();
    },
    async stop() {
      await server.kill();
      await janitor.clean();
    },
  };
}

/** The life of one server process and its children; start and kill alternate. */
class RunningServer {
  readonly #command: Command;
  readonly #ready: RegExp;
  readonly #place: Place;
  #child: ChildProcess | null = null;
  #paused: readonly number[] = [];

  constructor(command: Command, ready: RegExp, place: Place) {
    this.#command = command;
    this.#ready = ready;
    this.#place = place;
  }

  async start(): Promise<void> {
    const child = spawn(this.#command.file, this.#command.args, {
      cwd: this.#place.folder,
      detached: true, // A Ctrl-C in the terminal is for the tests, which then let the janitor clean.
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(this.#place.user ?? {}),
    });
    this.#child = child;
    await writeFile(join(this.#place.folder, 'pid'), String(child.pid ?? ''));
    await outputMatches(child, this.#ready);
  }

  /** `close` comes when the last process that holds the output pipes is gone: children included. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined) return;
    this.#child = null;
    const closed = once(child, 'close');
    // Stopped first, so that no child is started or told between the listing and the killing.
    signal([child.pid], 'SIGSTOP');
    signal([...(await childrenOf(child.pid)), child.pid], 'SIGKILL');
    await closed;
    await rm(join(this.#place.folder, 'pid'), { force: true });
  }

  async pause(): Promise<void> {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    signal([pid], 'SIGSTOP');
    this.#paused = [pid, ...(await childrenOf(pid))];
    signal(this.#paused, 'SIGSTOP');
  }

  async resume(): Promise<void> {
    signal(this.#paused, 'SIGCONT');
    this.#paused = [];
  }
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // It ended by itself in between.
    }
  }
}

async function childrenOf(parent: number): Promise<readonly number[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=', '-o', 'ppid=']);
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, ppid]) => ppid === parent)
    .map(([pid]) => pid ?? 0)
    .filter((pid) => pid > 0);
}

const outputKeptMax = 16_384;

/** Resolves at the first output that matches. Throws with the output when the program ends first. */
function outputMatches(child: ChildProcess, pattern: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    const take = (chunk: string) => {
      text = (text + chunk).slice(-outputKeptMax);
      if (pattern.test(text)) resolve();
    };
    child.stdout?.setEncoding('utf8').on('data', take);
    child.stderr?.setEncoding('utf8').on('data', take);
    child.on('error', reject);
    child.on('close', (code) => reject(new Error(`the server ended (${code}):\n${text}`)));
  });
}

async function runToEnd(command: Command, folder: string, user: User): Promise<void> {
  await run(command.file, [...command.args], { cwd: folder, ...(user ?? {}) });
}

function startJanitor(folder: string): { clean(): Promise<void> } {
  const child = spawn('/bin/sh', ['-c', janitorScript, 'settle-test-janitor', folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = once(child, 'exit');
  child.unref();
  return {
    async clean() {
      child.ref();
      child.stdin.end();
      await ended;
    },
  };
}

/**
 * A port that nobody listens on now. Below the range that the kernel hands out for outgoing
 * connections, so that nobody gets it by chance while a killed server is down.
 */
async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (await isFree(port)) return port;
  }
  throw new Error('no free port found between 20000 and 32000');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
