/**
 * The processes of a run: starts them, hurts them, and starts again whatever has ended. Invariant:
 * only processes started here are signalled, and none outlives the run: each carries the demo's
 * leash, and a stopped one is continued by a small shell even when this process is gone.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** How a process is started, first and again. */
export interface ChildPlan {
  /** Unique; its output goes to `NAME.out` in the folder. */
  readonly name: string;
  /** File and arguments for node; asked for anew at each start, `life` counts from 1. */
  readonly command: (life: number) => readonly string[];
  /** Exit codes with which it may end by itself; any other is a crash. It is started again. */
  readonly mayEndWith: readonly number[];
}

/** Owner of all processes. */
export interface Children {
  /** Makes it known; `restart` starts it. */
  add(plan: ChildPlan): void;
  /** Starts one that does not run, for the first time or again. Does nothing for one that runs. */
  restart(name: string): void;
  /** kill -9. Resolves when it is gone. It stays away until `restart`. */
  kill(name: string): Promise<void>;
  /** SIGSTOP now, SIGCONT after so long. */
  freeze(name: string, ms: number): void;
  isRunning(name: string): boolean;
  /** From now on it stays away when it ends by itself. */
  letGo(name: string): void;
  tell(name: string, message: object): void;
  /** Resolves when it has ended, or after so long: false. */
  ended(name: string, ms: number): Promise<boolean>;
  /** Resolves when it has said that it is ready, in any of its lives. */
  ready(name: string): Promise<void>;
  /** Ends that nobody had asked for and that are not in `mayEndWith`. */
  readonly crashes: readonly string[];
  killAll(): Promise<void>;
}

interface Child {
  readonly plan: ChildPlan;
  readonly ready: PromiseWithResolvers<void>;
  process: ChildProcess | null;
  life: number;
  isWanted: boolean;
}

const leash = join(import.meta.dirname, '..', '..', '..', 'server', 'demo', 'leash.ts');
const restartMs = 300;
const tailLength = 3_000;

/** `folder`: where their output goes, and their working folder. */
export function createChildren(folder: string): Children {
  const children = new Map<string, Child>();
  const crashes: string[] = [];
  let isOver = false;

  function launch(child: Child): void {
    const { plan } = child;
    child.life += 1;
    child.isWanted = true;
    const output = openSync(outputFile(folder, plan.name), 'a');
    const command = ['--import', leash, ...plan.command(child.life)];
    const own = spawn(process.execPath, command, {
      stdio: ['ignore', output, output, 'ipc'],
      cwd: folder,
    });
    closeSync(output);
    child.process = own;
    own.on('message', () => child.ready.resolve());
    // A message to a process that is just dying: its end is told by 'exit'.
    own.on('error', () => undefined);
    own.once('exit', (code, signal) => ended(child, code, signal));
  }

  function ended(child: Child, code: number | null, signal: NodeJS.Signals | null): void {
    child.process = null;
    if (isOver || !child.isWanted || signal === 'SIGKILL') return;
    if (code === null || !child.plan.mayEndWith.includes(code)) {
      const tail = readFileSync(outputFile(folder, child.plan.name), 'utf8').slice(-tailLength);
      crashes.push(
        `${child.plan.name} ended by itself (${signal ?? `exit code ${code}`}): ${tail}`,
      );
    }
    setTimeout(() => {
      if (child.isWanted) restart(child);
    }, restartMs);
  }

  function restart(child: Child): void {
    if (!isOver && child.process === null) launch(child);
  }

  function named(name: string): Child {
    const child = children.get(name);
    if (child === undefined) throw new Error(`no process is named ${name}`);
    return child;
  }

  async function kill(child: Child): Promise<void> {
    child.isWanted = false;
    const own = child.process;
    if (own === null) return;
    const gone = once(own, 'exit');
    own.kill('SIGKILL');
    await gone;
  }

  return {
    crashes,
    add(plan) {
      const ready = Promise.withResolvers<void>();
      children.set(plan.name, { plan, ready, process: null, life: 0, isWanted: false });
    },
    restart: (name) => restart(named(name)),
    kill: (name) => kill(named(name)),
    freeze(name, ms) {
      const pid = named(name).process?.pid;
      if (pid !== undefined) freeze(pid, ms);
    },
    isRunning: (name) => children.get(name)?.process != null,
    letGo(name) {
      named(name).isWanted = false;
    },
    tell(name, message) {
      const own = named(name).process;
      if (own?.connected) own.send(message, () => undefined);
    },
    async ended(name, ms) {
      const own = named(name).process;
      if (own === null) return true;
      const time = pause(ms, false, { ref: false });
      return Promise.race([once(own, 'exit').then(() => true), time]);
    },
    ready: (name) => named(name).ready.promise,
    async killAll() {
      isOver = true;
      await Promise.all([...children.values()].map(kill));
    },
  };
}

export function outputFile(folder: string, name: string): string {
  return join(folder, `${name}.out`);
}

function freeze(pid: number, ms: number): void {
  const script = 'kill -STOP "$1" && sleep "$2"; kill -CONT "$1"';
  const shell = spawn('/bin/sh', ['-c', script, 'freeze', String(pid), String(ms / 1_000)], {
    detached: true,
    stdio: 'ignore',
  });
  shell.unref();
}
