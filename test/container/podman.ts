/**
 * Podman for tests: an engine whose images, containers and volumes lie in a folder of its own, so
 * that those of the machine are neither seen nor touched. It needs root and no daemon. What a test
 * leaves running dies after ten minutes, even when the test itself was killed.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** How a program ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A container in the foreground. */
export interface RunningContainer {
  readonly name: string;
  readonly ended: Promise<Ended>;
  /** Resolves with the first line, of both streams, that the pattern fits; throws if it ends first. */
  line(pattern: RegExp): Promise<string>;
}

/** Podman with a store of its own. */
export interface Podman {
  /** Scratch folder of this engine; gone after close(). */
  readonly folder: string;
  /** Of the storage: `overlay`, or `vfs` where the kernel refuses that. */
  readonly driver: string;
  /** Runs one command to its end. Never throws for an exit code. */
  run(...args: readonly string[]): Promise<Ended>;
  /** The standard output of a command; throws with all that it said when it fails. */
  output(...args: readonly string[]): Promise<string>;
  /** `podman run` of an image, confined as our compose file and manifests confine it. */
  start(name: string, args: readonly string[]): RunningContainer;
  /** Kills and removes everything that was made here. */
  close(): Promise<void>;
}

/**
 * Processes of the container may not gain rights, write to the image or use a capability. Limits are
 * named because podman would raise its own, which needs a right that root in a sandbox lacks.
 */
const confined: readonly string[] = [
  ...['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
  ...['--ulimit', 'nofile=4096:4096', '--ulimit', 'nproc=1024:1024'],
  ...['--log-driver', 'none', '--timeout', '600', '--rm'],
];

/** Opens an engine; a text says why there can be none here. */
export async function openPodman(): Promise<Podman | string> {
  if (process.getuid?.() !== 0) return 'podman runs here as root only';
  if (!(await isThere('podman'))) return 'podman is not installed';
  const folder = await mkdtemp(join(tmpdir(), 'settle-test-podman-'));
  await mkdir(join(folder, 'tmp'));
  const refused: string[] = [];
  for (const driver of ['overlay', 'vfs']) {
    const podman = engine(folder, driver);
    const { code, stderr } = await podman.run('info');
    if (code === 0) return podman;
    refused.push(`${driver}: ${stderr.trim()}`);
  }
  await rm(folder, { recursive: true, force: true });
  return `podman has no storage here (${refused.join('; ')})`;
}

async function isThere(program: string): Promise<boolean> {
  return await run(program, ['--version']).then(
    () => true,
    () => false,
  );
}

function engine(folder: string, driver: string): Podman {
  const own = [
    ...['--root', join(folder, driver), '--runroot', join(folder, 'run')],
    ...['--tmpdir', join(folder, 'state'), '--storage-driver', driver],
    ...['--cgroup-manager', 'cgroupfs', '--events-backend', 'none'],
  ];
  const { PATH = '', HOME = '/root' } = process.env;
  // A health check is asked for by the test; without systemd nobody could ask for it in between.
  const env = { PATH, HOME, TMPDIR: join(folder, 'tmp'), DISABLE_HC_SYSTEMD: 'true' };
  const begin = (args: readonly string[]): ChildProcess =>
    spawn('podman', [...own, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const runToEnd = (...args: readonly string[]) => new Output(begin(args)).ended;
  return {
    folder,
    driver,
    run: runToEnd,
    async output(...args) {
      const { code, stdout, stderr } = await runToEnd(...args);
      if (code !== 0) throw new Error(`podman ${args[0]} ended with ${code}: ${stdout}${stderr}`);
      return stdout;
    },
    start(name, args) {
      const output = new Output(begin(['run', '--name', name, ...confined, ...args]));
      return { name, ended: output.ended, line: (pattern) => output.find(pattern) };
    },
    async close() {
      await runToEnd('rm', '--all', '--force', '--volumes', '--time', '0');
      await run('umount', [join(folder, driver, driver)]).catch(() => {
        // It is a mount of its own only with some drivers.
      });
      // The engine's own cleaners may still be at the last container.
      await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
    },
  };
}

/** What a process says, line by line, and how it ends. */
class Output {
  readonly ended: Promise<Ended>;
  readonly #lines: string[] = [];
  readonly #waiting = new Set<(line: string | null) => void>();

  constructor(child: ChildProcess) {
    const said = { stdout: [] as string[], stderr: [] as string[] };
    for (const name of ['stdout', 'stderr'] as const) {
      const stream = child[name];
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        said[name].push(line);
        this.#lines.push(line);
        for (const tell of [...this.#waiting]) tell(line);
      });
    }
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => {
        for (const tell of [...this.#waiting]) tell(null);
        resolve({ code, stdout: said.stdout.join('\n'), stderr: said.stderr.join('\n') });
      });
    });
  }

  find(pattern: RegExp): Promise<string> {
    const known = this.#lines.find((line) => pattern.test(line));
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      const tell = (line: string | null) => {
        if (line !== null && !pattern.test(line)) return;
        this.#waiting.delete(tell);
        if (line !== null) resolve(line);
        else reject(new Error(`ended without ${pattern}: ${this.#lines.join(' | ')}`));
      };
      this.#waiting.add(tell);
    });
  }
}
