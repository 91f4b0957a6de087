/**
 * The requests that wait for an answer. Every request of the protocol is idempotent, so one whose
 * answer was lost is simply asked again, until its time is over:
 *
 * ```
 *            room in the window          reply, final problem
 *  queued ───────────────────────► sent ──────────────────────► settled
 *    ▲                              │                              ▲
 *    ├──── connection lost ─────────┤                              │
 *    └──── resting ◄── "try later" ─┘        its time is over ─────┘
 * ```
 * Guards: what may have been taken by a coordinator ends as UNKNOWN when no answer ever tells;
 * only what certainly was not taken ends as UNREACHABLE or with the coordinator's refusal.
 */
import { problemError, SettleError } from '../errors.ts';
import type { ChannelRequests, ChannelVerb, ErrorCode, Problem } from '../protocol/index.ts';
import { createDeadlines } from './deadlines.ts';
import { type Entry, encode, expired, gidOf } from './entry.ts';
import { requestMessage } from './frame.ts';

/** How long to wait for an answer, and what ends the wait sooner. */
export interface RequestOptions {
  /** From now on, over all repetitions, in milliseconds. */
  readonly timeoutMs: number;
  /** Ends the wait, never the request itself: it rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** The requests of one client, over all its connections. */
export interface Requests {
  /** Asks, and asks again when the answer is lost. Rejects with SettleError (or `signal.reason`). */
  request<Verb extends ChannelVerb>(
    verb: Verb,
    body: ChannelRequests[Verb]['body'],
    options: RequestOptions,
  ): Promise<ChannelRequests[Verb]['answer']>;
  /** A connection takes requests now, at most `windowMax` unanswered ones. */
  connected(send: (message: string) => void, windowMax: number): void;
  /** It is gone: what it had taken may have happened and will be asked again. */
  disconnected(reason: string): void;
  reply(id: number, body: unknown): void;
  problem(id: number, problem: Problem): void;
  /** How many wait for an answer. */
  readonly pending: number;
  /** Rejects all that wait, and all that come later; for after the last connection. */
  end(): void;
}

/** Waiting requests of one process; more are refused at once. 65,536 × 1 KiB we would still hold. */
const pendingMax = 65_536;

/** Without a wish of the coordinator: 50 ms, doubled up to 2 s. */
const restMs = { min: 50, max: 2_000 } as const;

/**
 * Answers after which the same request is sent again. UNKNOWN joins them for all but `try`: there
 * it is the participant's answer, and the initiator may prefer to give up rather than wait.
 */
const retriedCodes: ReadonlySet<ErrorCode> = new Set([
  'OVERLOADED',
  'LOG_UNAVAILABLE',
  'STOPPING',
  'FENCED',
  'ONGOING',
]);

/** Answers that say for certain that nothing was stored. */
const untakenCodes: ReadonlySet<ErrorCode> = new Set(['OVERLOADED', 'LOG_UNAVAILABLE']);

/** No request waits, there is no connection. `onIdle` is called whenever nothing waits any more. */
export function createRequests(onIdle: () => void): Requests {
  const queued = new Set<Entry>();
  /** Null: nobody waits for it any more, but it keeps its place in the window until answered. */
  const sent = new Map<number, Entry | null>();
  const resting = new Set<Entry>();
  const deadlines = createDeadlines(expireAt);
  /** How many are queued, sent and still waited for, or resting. */
  let pending = 0;
  let line: { readonly send: (message: string) => void; readonly windowMax: number } | null = null;
  let lastId = 0;
  let whyNotConnected = 'no connection was made yet';
  let isEnded = false;

  function waiting(): readonly Entry[] {
    return [...sent.values(), ...queued, ...resting].filter((entry) => entry !== null);
  }

  function send(entry: Entry): void {
    entry.id = ++lastId;
    sent.set(entry.id, entry);
    line?.send(requestMessage(entry.id, entry.verb, entry.body));
  }

  function hasRoom(): boolean {
    return line !== null && sent.size < line.windowMax;
  }

  function pump(): void {
    if (queued.size === 0) return;
    for (const entry of queued) {
      if (!hasRoom()) return;
      queued.delete(entry);
      send(entry);
    }
  }

  function enqueue(entry: Entry): void {
    if (queued.size === 0 && hasRoom()) send(entry);
    else queued.add(entry);
  }

  /** Nobody waits for this one any more; `take` or the caller has dealt with its place. */
  function forget(entry: Entry): void {
    pending -= 1;
    if (entry.aborted !== null) entry.signal?.removeEventListener('abort', entry.aborted);
    if (pending === 0) onIdle();
    pump();
  }

  function fail(entry: Entry, error: unknown): void {
    if (sent.has(entry.id)) sent.set(entry.id, null);
    else if (resting.delete(entry)) clearTimeout(entry.resting);
    else queued.delete(entry);
    forget(entry);
    entry.reject(error);
  }

  /** The request that was sent under this id; its place in the window is free. */
  function take(id: number): Entry | null {
    const entry = sent.get(id);
    if (entry === undefined) return null;
    sent.delete(id);
    if (entry === null) pump();
    else entry.id = 0;
    return entry;
  }

  function rest(entry: Entry, problem: Problem): void {
    entry.lastProblem = problem;
    if (!untakenCodes.has(problem.code)) entry.isPerhapsTaken = true;
    const backoff = Math.min(restMs.max, restMs.min * 2 ** Math.min(entry.rests++, 8));
    const delayMs = (problem.retryAfterMs ?? backoff) * (1 + Math.random() / 2);
    if (performance.now() + delayMs >= entry.endsAtMs) {
      fail(entry, expired(entry, whyNotConnected));
      return;
    }
    resting.add(entry);
    entry.resting = setTimeout(() => {
      resting.delete(entry);
      enqueue(entry);
    }, delayMs);
    pump();
  }

  function expireAt(nowMs: number): number {
    let nextAtMs = Number.POSITIVE_INFINITY;
    for (const entry of waiting()) {
      if (entry.endsAtMs > nowMs) nextAtMs = Math.min(nextAtMs, entry.endsAtMs);
      else {
        if (sent.has(entry.id)) entry.isPerhapsTaken = true;
        fail(entry, expired(entry, whyNotConnected));
      }
    }
    return nextAtMs;
  }

  function add(entry: Entry): void {
    const { signal } = entry;
    if (signal !== undefined) {
      entry.aborted = () => fail(entry, signal.reason);
      signal.addEventListener('abort', entry.aborted);
    }
    pending += 1;
    deadlines.watch(entry);
    enqueue(entry);
  }

  /** Throws for what cannot be asked at all. */
  function textOf(verb: ChannelVerb, body: object, signal: AbortSignal | undefined): string {
    const gid = gidOf(body);
    if (isEnded) throw new SettleError('UNREACHABLE', 'this client is closed', { gid });
    if (pending >= pendingMax) {
      throw new SettleError('OVERLOADED', `${pendingMax} requests wait here already`, { gid });
    }
    signal?.throwIfAborted();
    return encode(verb, body, gid);
  }

  return {
    request: (verb, body, { timeoutMs, signal }) =>
      new Promise((resolve, reject) => {
        // What is thrown here is what the promise rejects with.
        const text = textOf(verb, body, signal);
        add({
          verb,
          gid: gidOf(body),
          body: text,
          endsAtMs: performance.now() + timeoutMs,
          // The parse boundary of replies: the coordinator is trusted with the shape of a body.
          resolve: resolve as (body: unknown) => void,
          reject,
          signal,
          aborted: null,
          id: 0,
          resting: undefined,
          rests: 0,
          isPerhapsTaken: false,
          lastProblem: null,
        });
      }),
    connected(send, windowMax) {
      line = { send, windowMax: Math.max(1, windowMax) };
      whyNotConnected = 'as many requests as the coordinator allows were under way';
      pump();
    },
    disconnected(reason) {
      line = null;
      whyNotConnected = reason;
      const later = [...queued];
      queued.clear();
      // Oldest first: the order in which they were asked is kept over connections.
      for (const entry of sent.values()) {
        if (entry === null) continue;
        entry.isPerhapsTaken = true;
        entry.id = 0;
        queued.add(entry);
      }
      sent.clear();
      for (const entry of later) queued.add(entry);
    },
    reply(id, body) {
      const entry = take(id);
      if (entry === null) return;
      forget(entry);
      entry.resolve(body);
    },
    problem(id, problem) {
      const entry = take(id);
      if (entry === null) return;
      const isRetried =
        retriedCodes.has(problem.code) || (problem.code === 'UNKNOWN' && entry.verb !== 'try');
      if (isRetried) rest(entry, problem);
      else fail(entry, problemError(problem, entry.gid));
    },
    get pending() {
      return pending;
    },
    end() {
      isEnded = true;
      for (const entry of waiting()) fail(entry, expired(entry, 'this client was closed'));
      deadlines.stop();
    },
  };
}
