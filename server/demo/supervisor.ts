/**
 * The child processes of the demo: starts them with the same Node, keeps their output in files,
 * kills them when asked, and notices when one ends by itself. Invariant: only processes that were
 * started here are ever killed, and none outlives the demo (see `leash.ts`).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChildMessage, Release } from './messages.ts';

/** How a child is started, first and again. */
export interface ChildPlan {
  /** Unique; its output goes to `NAME.out` in the folder. */
  readonly name: string;
  /** File and arguments for node, asked for anew at each start. */
  readonly command: () => readonly string[];
  /** Besides those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly heard?: (message: ChildMessage) => void;
}

/** A child ended although nobody had asked for it. */
export interface UnexpectedEnd {
  readonly name: string;
  /** Such as `exit code 1` or `SIGSEGV`. */
  readonly how: string;
  /** The last lines that it wrote. */
  readonly tail: string;
}

/** Owner of all child processes. */
export interface Supervisor {
  /** Starts a child that does not run. Throws for a name that runs already. */
  start(plan: ChildPlan): void;
  /** Starts a child that was killed once more. */
  restart(name: string): void;
  /** kill -9, and resolves when it is gone. */
  kill(name: string): Promise<void>;
  /** Sends a message to a child; one that is not running misses it. */
  tell(name: string, message: Release): void;
  /** Resolves when a child that was started has said that it is ready, for the first time. */
  ready(name: string): Promise<void>;
  /** Resolves at the first unexpected end. */
  readonly failed: Promise<UnexpectedEnd>;
  /** SIGTERM to all in the order given, the rest after them; SIGKILL after `graceMs`. */
  stop(order: readonly string[], graceMs: number): Promise<void>;
}

interface Child {
  readonly plan: ChildPlan;
  readonly ready: PromiseWithResolvers<void>;
  process: ChildProcess;
  isEndExpected: boolean;
}

const leash = join(
  import.meta.dirname,
  import.meta.filename.endsWith('.ts') ? 'leash.ts' : 'leash.js',
);
const tailLines = 20;
/** Nobody wants a megabyte of it. */
const tailLengthMax = 4_000;

/** `folder`: where the children's output goes. */
export function createSupervisor(folder: string): Supervisor {
  const children = new Map<string, Child>();
  let isStopping = false;
  const { promise: failed, resolve: fail } = Promise.withResolvers<UnexpectedEnd>();

  function launch(plan: ChildPlan): ChildProcess {
    const output = openSync(outputFile(folder, plan.name), 'a');
    try {
      return spawn(process.execPath, ['--import', leash, ...plan.command()], {
        stdio: ['ignore', output, output, 'ipc'],
        env: { ...process.env, ...plan.env },
        // Not the user's folder: a settle.config.json there is not about the demo.
        cwd: folder,
      });
    } finally {
      closeSync(output);
    }
  }

  function watch(child: Child): void {
    const { process: own, plan } = child;
    own.on('message', (message: ChildMessage) => {
      if (message.kind === 'ready') child.ready.resolve();
      plan.heard?.(message);
    });
    // A message to a child that is just dying: its end is told by 'exit'.
    own.on('error', () => {});
    own.once('exit', (code, signal) => {
      // Ctrl-C reaches the whole process group; that is no failure of a child.
      if (child.isEndExpected || signal === 'SIGINT' || signal === 'SIGTERM') return;
      const how = signal ?? `exit code ${code}`;
      fail({ name: plan.name, how, tail: tailOf(outputFile(folder, plan.name)) });
    });
  }

  function childNamed(name: string): Child {
    const child = children.get(name);
    if (child === undefined) throw new Error(`no child is named ${name}`);
    return child;
  }

  async function end(child: Child, signal: 'SIGKILL' | 'SIGTERM', graceMs: number): Promise<void> {
    child.isEndExpected = true;
    const { process: own } = child;
    if (hasEnded(own)) return;
    const ended = once(own, 'exit');
    own.kill(signal);
    const timer = setTimeout(() => own.kill('SIGKILL'), graceMs);
    await ended;
    clearTimeout(timer);
  }

  return {
    failed,
    start(plan) {
      if (children.has(plan.name)) throw new Error(`${plan.name} was started already`);
      const ready = Promise.withResolvers<void>();
      const child: Child = { plan, ready, process: launch(plan), isEndExpected: false };
      children.set(plan.name, child);
      watch(child);
    },
    restart(name) {
      // The killer may be in the middle of a kill when the demo is interrupted.
      if (isStopping) return;
      const child = childNamed(name);
      if (!hasEnded(child.process)) throw new Error(`${name} is still running`);
      child.process = launch(child.plan);
      child.isEndExpected = false;
      watch(child);
    },
    ready: (name) => childNamed(name).ready.promise,
    kill: (name) => end(childNamed(name), 'SIGKILL', 0),
    tell(name, message) {
      const { process: own } = childNamed(name);
      if (own.connected) own.send(message, () => {});
    },
    async stop(order, graceMs) {
      isStopping = true;
      const rest = [...children.keys()].filter((name) => !order.includes(name));
      for (const name of order) {
        const child = children.get(name);
        if (child !== undefined) await end(child, 'SIGTERM', graceMs);
      }
      await Promise.all(rest.map((name) => end(childNamed(name), 'SIGTERM', graceMs)));
    },
  };
}

/** Where a child's output is. */
export function outputFile(folder: string, name: string): string {
  return join(folder, `${name}.out`);
}

function hasEnded(own: ChildProcess): boolean {
  return own.exitCode !== null || own.signalCode !== null;
}

function tailOf(path: string): string {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  return lines.slice(-tailLines).join('\n').slice(-tailLengthMax);
}
