/**
 * The command `settle` as a real process, for tests: run to its end, or started and waited for by
 * what it prints. Waits are for lines and exits, never for time.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

const mainFile = join(import.meta.dirname, '..', '..', 'server', 'cli', 'main.ts');

export interface CommandOptions {
  /** Working folder: a settle.config.json there counts. */
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCommand {
  readonly ended: Promise<Ended>;
  /** Resolves with the first line, of both streams together, that the pattern fits. */
  line(pattern: RegExp): Promise<string>;
  signal(name: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): void;
}

/** A new empty folder, and how to remove it. */
export async function scratchFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'settle-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** What a command is given of our environment: nothing that could set it up, and Node's cache of code. */
export function bareEnvironment(): Readonly<Record<string, string>> {
  const { PATH = '', NODE_COMPILE_CACHE = '' } = process.env;
  return NODE_COMPILE_CACHE === '' ? { PATH } : { PATH, NODE_COMPILE_CACHE };
}

export function startCommand(args: readonly string[], options: CommandOptions): RunningCommand {
  const child = spawn(process.execPath, [mainFile, ...args], {
    cwd: options.folder,
    env: { ...bareEnvironment(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const seen = new Lines(child);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      seen.end();
      resolve({ code, stdout: seen.stdout.join('\n'), stderr: seen.stderr.join('\n') });
    });
  });
  return {
    ended,
    line: (pattern) => seen.find(pattern),
    signal: (name) => void child.kill(name),
  };
}

/** Runs the command to its end. */
export function runCommand(args: readonly string[], options: CommandOptions): Promise<Ended> {
  return startCommand(args, options).ended;
}

/** `settle server` on a free port with its log in the folder, once it serves. */
export async function startServerCommand(
  args: readonly string[],
  options: CommandOptions,
): Promise<RunningCommand & { readonly url: string }> {
  const server = startCommand(['server', '--port', '0', ...args], options);
  const line = await server.line(/the coordinator serves/);
  const { url } = JSON.parse(line) as { url: string };
  return { ...server, url };
}

class Lines {
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  readonly #waiting = new Set<(line: string | null) => void>();

  constructor(child: ChildProcessByStdio<null, Readable, Readable>) {
    for (const name of ['stdout', 'stderr'] as const) {
      createInterface({ input: child[name] }).on('line', (line) => {
        this[name].push(line);
        for (const tell of [...this.#waiting]) tell(line);
      });
    }
  }

  find(pattern: RegExp): Promise<string> {
    const known = [...this.stdout, ...this.stderr].find((line) => pattern.test(line));
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      const tell = (line: string | null) => {
        if (line !== null && !pattern.test(line)) return;
        this.#waiting.delete(tell);
        if (line !== null) resolve(line);
        else reject(new Error(`ended without ${pattern}: ${this.stderr.join(' | ')}`));
      };
      this.#waiting.add(tell);
    });
  }

  end(): void {
    for (const tell of [...this.#waiting]) tell(null);
  }
}
