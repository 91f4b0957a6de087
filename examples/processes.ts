/**
 * The processes of an example, as child processes of its `main.ts`: the coordinator and the
 * services. No example logic. Invariant: no child outlives the process that started it.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const repository = join(import.meta.dirname, '..');
/** Ends a child whose parent is gone. */
const leash = join(repository, 'server', 'demo', 'leash.ts');

/** A service that runs in a process of its own. */
export interface Service<Hello> {
  /** What it said when it was ready. */
  readonly hello: Hello;
  /** Exit code; null after a signal. */
  readonly ended: Promise<number | null>;
  /** Ends it at once, as a crash would: what is under way is settled later. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A coordinator with an embedded log. */
export interface Coordinator {
  readonly url: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** An empty folder that goes when it is disposed. */
export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'settle-example-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Starts `settle dev` on a free port; resolves when it serves. Throws with what it said if not. */
export async function startCoordinator(
  folder: string,
  flags: readonly string[] = [],
): Promise<Coordinator> {
  const file = join(repository, 'server', 'cli', 'main.ts');
  const child = fork(file, ['dev', '--port', '0', ...flags], {
    cwd: folder,
    execArgv: ['--import', leash],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let said = '';
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      said += chunk;
      const url = /Settle listens on (http:\S+?),/.exec(said)?.[1];
      if (url !== undefined) resolve(url);
    });
  }
  child.once('close', () => reject(new Error(`the coordinator did not start: ${said}`)));
  return { url: await promise, [Symbol.asyncDispose]: () => end(child) };
}

/**
 * Starts a service and resolves with what it says first (see {@link ready}). `settings` must be
 * JSON. Throws when it ends before that; its own output says why.
 */
export async function startService<Hello = null>(
  file: string,
  settings: unknown,
): Promise<Service<Hello>> {
  const child = fork(file, [JSON.stringify(settings)], { execArgv: ['--import', leash] });
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  const hello = await Promise.race([once(child, 'message'), ended]);
  if (!Array.isArray(hello)) throw new Error(`${file} ended with exit code ${hello}`);
  return { hello: hello[0] as Hello, ended, [Symbol.asyncDispose]: () => end(child) };
}

/** In a service: what `main.ts` gave it. The type is a promise about the caller. */
export function serviceSettings<Settings>(): Settings {
  return JSON.parse(process.argv[2] ?? 'null') as Settings;
}

/** In a service: tells `main.ts` that it is ready. */
export function ready(hello: unknown = null): void {
  process.send?.(hello);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
