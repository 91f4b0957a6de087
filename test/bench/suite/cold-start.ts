/**
 * The row about how long a user waits for a coordinator with an embedded log that is not there yet: of
 * what is published, and of the sources, whose types Node has to strip at each start.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { median } from '../report.ts';
import { atMost, type Row, rounded } from './row.ts';

const starts = 10;
const root = join(import.meta.dirname, '..', '..', '..');
const sources = join(root, 'server', 'cli', 'main.ts');
const published = join(root, 'dist', 'server', 'server', 'cli', 'main.js');

/** From the start of the process to the line by which it says that it serves. */
export const coldStart: Row = {
  name: 'cold-start',
  title: 'cold start, embedded log, empty',
  limits: [atMost('readyMs', 400)],
  shown: ['readyMs', 'sourcesMs', 'bareNodeMs'],
  async run({ signal }) {
    await promisify(execFile)(process.execPath, [join(root, '.ci', 'build.ts')], { signal });
    const readyMs: number[] = [];
    const sourcesMs: number[] = [];
    const bareMs: number[] = [];
    // One start of each that does not count: it brings the files into memory.
    for (let number = 0; number <= starts; number += 1) {
      signal.throwIfAborted();
      const bare = await bareNodeMs();
      const ready = await coordinatorMs(published);
      const fromSources = await coordinatorMs(sources);
      if (number === 0) continue;
      bareMs.push(bare);
      readyMs.push(ready);
      sourcesMs.push(fromSources);
    }
    return {
      measured: {
        readyMs: rounded(median(readyMs), 0),
        sourcesMs: rounded(median(sourcesMs), 0),
        bareNodeMs: rounded(median(bareMs), 0),
        readyMsWorst: rounded(Math.max(...readyMs), 0),
      },
      failed: 0,
      firstError: null,
    };
  },
};

async function bareNodeMs(): Promise<number> {
  const startedAtMs = performance.now();
  await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit');
  return performance.now() - startedAtMs;
}

async function coordinatorMs(main: string): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'settle-bench-'));
  const log = `sqlite:${join(folder, 'log', 'settle.db')}`;
  const startedAtMs = performance.now();
  const child = spawn(process.execPath, [main, 'server', '--log', log, '--port', '0'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const killed = (): void => void child.kill('SIGKILL');
  process.once('exit', killed);
  const exited = once(child, 'exit');
  try {
    await Promise.race([saysThatItServes(child), exited.then(() => neverServed())]);
    return performance.now() - startedAtMs;
  } finally {
    killed();
    process.off('exit', killed);
    await exited;
    await rm(folder, { recursive: true });
  }
}

function neverServed(): never {
  throw new Error('the coordinator has ended before it served');
}

function saysThatItServes({ stdout }: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (stdout === null) return;
    createInterface({ input: stdout }).on('line', (line) => {
      if (line.includes('the coordinator serves')) resolve();
    });
  });
}
