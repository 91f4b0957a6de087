/** Runs `append-child.ts` for tests: its lines as events, and kill -9. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import type { TransactionLog } from '../../server/log/log.ts';
import { childBatch, childGids } from './log-rows.ts';

const program = fileURLToPath(new URL('./append-child.ts', import.meta.url));

/** A running child. */
export interface AppendProcess {
  readonly pid: number;
  /** The epoch of its term. */
  readonly epoch: number;
  /** The seq of the next line with this word, lines before it are skipped; rejects when the child ends. */
  next(word: 'appended' | 'unknown' | 'fenced'): Promise<number>;
  /** Lets it send again what was unknown. */
  retry(): void;
  /** Kills it with signal 9, waits for its end, and answers the last seq it was told `appended`. */
  kill(): Promise<number>;
  /** Its exit code, when it has ended by itself. */
  ended(): Promise<number | null>;
}

/** Starts the child, which ends with the test at the latest; `wrap` puts a command in front of it, such as a shell that sets limits. */
export async function startAppending(
  url: string,
  wrap: readonly string[] = [],
): Promise<AppendProcess> {
  const [command = '', ...args] = [...wrap, process.execPath, program, url];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = readLines(child);
  const exited = once(child, 'exit');
  const epoch = await lines.next('term');
  return {
    pid: child.pid ?? 0,
    epoch,
    next: lines.next,
    retry: () => void child.stdin.write('\n'),
    async kill() {
      child.kill('SIGKILL');
      await exited;
      await lines.ended;
      return lines.lastAppended();
    },
    async ended() {
      await exited;
      return child.exitCode;
    },
  };
}

function readLines(child: ChildProcess) {
  if (child.stdout === null) throw new Error('the child has no stdout');
  const reader = createInterface({ input: child.stdout });
  const appended: number[] = [];
  let unread: string[] = [];
  let hasEnded = false;
  let wake: () => void = () => undefined;
  reader.on('line', (line) => {
    unread.push(line);
    if (line.startsWith('appended ')) appended.push(Number(line.split(' ')[1]));
    wake();
  });
  const ended = once(reader, 'close').then(() => {
    hasEnded = true;
    wake();
  });
  return {
    ended,
    lastAppended: () => appended.at(-1) ?? 0,
    /** Skips lines with other words; one caller at a time. */
    async next(word: string): Promise<number> {
      for (;;) {
        const at = unread.findIndex((line) => line.startsWith(`${word} `));
        const line = unread[at];
        unread = at < 0 ? [] : unread.slice(at + 1);
        if (line !== undefined) return Number(line.split(' ')[1]);
        if (hasEnded) throw new Error(`the child ended before it said "${word}"`);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

/**
 * Checks what a dead child left: of its batches, every one answered `appended` is there whole, at
 * most one more, and nothing else. Answers the seq of the last one.
 */
export async function expectWholeBatches(
  log: TransactionLog,
  epoch: number,
  appended: number,
): Promise<number> {
  const gids = childGids(epoch);
  const rows = await log.read(gids);
  const last = rows.length / gids.length;
  expect([appended, appended + 1]).toContain(last);
  const term = { node: 'child', epoch };
  const batches = Array.from({ length: last }, (_, i) => childBatch(term, i + 1));
  const expected = gids.flatMap((_, g) => batches.map((batch) => batch[g]?.row));
  expect(rows).toEqual(expected);
  if (last > 0) {
    const index = (await log.find(gids)).toSorted((a, b) => (a.gid < b.gid ? -1 : 1));
    expect(index).toEqual(batches[last - 1]?.map((append) => append.index));
  }
  return last;
}
