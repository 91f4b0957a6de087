/**
 * Child processes of the bench: coordinators and workers, started, spoken to, ended. Invariant: none
 * outlives the bench, for each carries the demo's leash; and one that ends unasked fails whatever
 * waits for it, so that nothing waits for ever.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type {
  FromWorker,
  RoundReport,
  RoundWish,
  ToProductWorker,
  WorkerSettings,
} from './messages.ts';

/** What to run with this Node. */
export interface NodeCommand {
  /** For messages of the bench. */
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  /** Flags of Node itself. */
  readonly nodeFlags?: readonly string[];
}

/** A process that runs. */
export interface Running {
  readonly name: string;
  readonly pid: number;
  readonly child: ChildProcess;
  /** Rejects when it ends before it was asked to. */
  readonly broken: Promise<never>;
  /** Resolves with its exit code or the signal that ended it, whoever wanted that. */
  readonly ended: Promise<string>;
  /** Asks it to end, and after a while makes it. Safe to repeat. */
  end(ask: (child: ChildProcess) => void): Promise<void>;
}

/** A worker that is ready. */
export interface Worker {
  readonly pid: number;
  /** Of its HTTP server, if it has one. */
  readonly url: string | null;
  run(seconds: number, wish?: Omit<RoundWish, 'seconds'>): Promise<RoundReport>;
  /** Calls per tenth of a second since the last time, if it counts them. */
  calls(): Promise<readonly number[]>;
  stop(): Promise<void>;
}

const leash = join(import.meta.dirname, '..', '..', 'server', 'demo', 'leash.ts');
const endMsMax = 15_000;

/** `stdout`: read by us, or shown among the errors, because standard output is for the result. */
export function startNode(command: NodeCommand, stdout: 'pipe' | 'shown'): Running {
  const { name, file, args, nodeFlags = [] } = command;
  const child = spawn(process.execPath, [...nodeFlags, '--import', leash, file, ...args], {
    stdio: ['ignore', stdout === 'pipe' ? 'pipe' : 2, 'pipe', 'ipc'],
  });
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`));
  });
  let isWanted = true;
  child.stderr?.on('data', (chunk: Buffer) => {
    // That it stops now is no news.
    if (isWanted) process.stderr.write(chunk);
  });
  const broken = exited.then((how): never | Promise<never> => {
    // Once its end is asked for, nobody may be told by this promise any more.
    if (!isWanted) return new Promise<never>(() => undefined);
    throw new Error(`${name} has ended by itself: ${how}`);
  });
  broken.catch(() => undefined);
  return {
    name,
    pid: child.pid ?? 0,
    child,
    broken,
    ended: exited,
    async end(ask) {
      isWanted = false;
      if (child.exitCode === null && child.signalCode === null) ask(child);
      const killer = setTimeout(() => child.kill('SIGKILL'), endMsMax);
      await exited;
      clearTimeout(killer);
    },
  };
}

/** Resolves when the worker is ready to run. */
export async function startWorker(
  command: Omit<NodeCommand, 'args'>,
  settings: WorkerSettings,
): Promise<Worker> {
  const running = startNode({ ...command, args: [JSON.stringify(settings)] }, 'shown');
  const { url } = await heard(running, 'ready');
  return {
    pid: running.pid,
    url,
    async run(seconds, wish) {
      const round = heard(running, 'round');
      say(running, { kind: 'run', seconds, ...wish });
      return (await round).report;
    },
    async calls() {
      const calls = heard(running, 'calls');
      say(running, { kind: 'calls' });
      return (await calls).perTenth;
    },
    stop: () => running.end(() => say(running, { kind: 'stop' })),
  };
}

/** The first line that the process prints. */
export function firstLine(running: Running): Promise<string> {
  const { stdout } = running.child;
  if (stdout === null) return Promise.reject(new Error(`${running.name} has no output`));
  const line = new Promise<string>((resolve) => {
    createInterface({ input: stdout }).once('line', resolve);
  });
  return Promise.race([line, running.broken]);
}

function say(running: Running, message: ToProductWorker): void {
  // A process that is just dying: its end is told by `broken`.
  running.child.send(message, () => undefined);
}

type Heard<Kind extends FromWorker['kind']> = Extract<FromWorker, { readonly kind: Kind }>;

function heard<Kind extends FromWorker['kind']>(
  running: Running,
  kind: Kind,
): Promise<Heard<Kind>> {
  const { promise, resolve } = Promise.withResolvers<Heard<Kind>>();
  const listen = (message: FromWorker): void => {
    if (!isKind(message, kind)) return;
    running.child.off('message', listen);
    resolve(message);
  };
  running.child.on('message', listen);
  return Promise.race([promise, running.broken]);
}

function isKind<Kind extends FromWorker['kind']>(
  message: FromWorker,
  kind: Kind,
): message is Heard<Kind> {
  return message.kind === kind;
}
