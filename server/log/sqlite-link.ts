/**
 * The line to a worker thread of the SQLite log: gives requests numbers, finds their answers, sets
 * a time limit, and starts a new worker when one has died. Knows nothing of rows.
 */
import { Worker } from 'node:worker_threads';
import { Failure } from '../runtime/failure.ts';
import type {
  SqliteCallKind,
  SqliteCalls,
  SqliteFileOptions,
  SqliteResponse,
} from './sqlite-messages.ts';

/** The file's own wait for a lock is 5 s; beyond twice that the disk hangs. */
const writeMsMax = 10_000;
const readMsMax = 60_000;
const readKinds: ReadonlySet<SqliteCallKind> = new Set(['read', 'openGids', 'search', 'find']);

interface Waiting {
  readonly timer: NodeJS.Timeout;
  /** False once the time limit has answered for the worker. */
  isWaited: boolean;
  settle(response: SqliteResponse): void;
}

/** Owns one worker thread at a time. */
export class SqliteLink {
  readonly #options: SqliteFileOptions;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #lastId = 0;
  #overdue = 0;
  #closed: Promise<void> | null = null;

  constructor(options: SqliteFileOptions) {
    this.#options = options;
  }

  /**
   * Sends one request. Rejects with a Failure when the worker could not do it, died, took too long,
   * or the link is closed: then whether a write was done is unknown.
   */
  request<K extends SqliteCallKind>(
    kind: K,
    body: SqliteCalls[K]['body'],
  ): Promise<SqliteCalls[K]['answer']> {
    if (this.#closed !== null) return Promise.reject(unavailable('The log is closed.'));
    // More requests would only pile up behind the one that hangs.
    if (this.#overdue > 0) return Promise.reject(unavailable('The disk of the log hangs.'));
    return this.#send(kind, body);
  }

  /** Lets pending requests end, closes the file, ends the worker. Never throws; safe to repeat. */
  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  #send<K extends SqliteCallKind>(
    kind: K,
    body: SqliteCalls[K]['body'],
  ): Promise<SqliteCalls[K]['answer']> {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#worker ??= this.#start();
    const worker = this.#worker;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#expire(id),
        readKinds.has(kind) ? readMsMax : writeMsMax,
      );
      const settle = (response: SqliteResponse) => {
        // The worker answers each kind with that kind's answer: the parse boundary.
        if (response.ok) resolve(response.answer as SqliteCalls[K]['answer']);
        else reject(new Failure(response.code, response.detail));
      };
      this.#waiting.set(id, { timer, isWaited: true, settle });
      worker.postMessage({ id, kind, body });
    });
  }

  #start(): Worker {
    // From source as from the build: the worker's file has the ending of this one.
    const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const file = new URL(`./sqlite-worker.${ending}`, import.meta.url);
    const worker = new Worker(file, { workerData: this.#options, execArgv: [] });
    let reason = 'The worker of the log has stopped.';
    worker.on('message', (response: SqliteResponse) => this.#take(response));
    worker.on('error', (error) => {
      reason = `The worker of the log has died: ${error instanceof Error ? error.message : error}.`;
    });
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = null;
      const code = 'LOG_UNAVAILABLE' as const;
      for (const id of this.#waiting.keys()) this.#take({ id, ok: false, code, detail: reason });
    });
    return worker;
  }

  #take(response: SqliteResponse): void {
    const waiting = this.#waiting.get(response.id);
    if (waiting === undefined) return;
    this.#waiting.delete(response.id);
    clearTimeout(waiting.timer);
    if (waiting.isWaited) waiting.settle(response);
    else this.#overdue -= 1;
  }

  #expire(id: number): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    waiting.isWaited = false;
    this.#overdue += 1;
    const detail = 'The disk of the log has not answered in time.';
    waiting.settle({ id, ok: false, code: 'LOG_UNAVAILABLE', detail });
  }

  async #end(): Promise<void> {
    const worker = this.#worker;
    if (worker === null) return;
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    const isClosed = await this.#send('close', null).then(
      () => true,
      () => false,
    );
    if (!isClosed) await worker.terminate();
    else await exited;
  }
}

function unavailable(detail: string): Failure {
  return new Failure('LOG_UNAVAILABLE', detail);
}
