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
import { problemError, reasonOf, SettleError } from '../errors.ts';
import {
  type ChannelRequests,
  type ChannelVerb,
  type ErrorCode,
  type Gid,
  limits,
  type Problem,
} from '../protocol/index.ts';
import { fitsFrame, requestMessage } from './frame.ts';

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

interface Entry {
  readonly verb: ChannelVerb;
  readonly gid: Gid | undefined;
  readonly body: string;
  readonly endsAtMs: number;
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** Releases the timer of its time limit and the listener of its signal. */
  release: () => void;
  /** Of the message that is under way; each sending has its own, so late answers hit nothing. */
  id: number;
  resting: NodeJS.Timeout | undefined;
  rests: number;
  /** A coordinator may have taken it although no answer came. */
  isPerhapsTaken: boolean;
  lastProblem: Problem | null;
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
  const sent = new Map<number, Entry>();
  const all = new Set<Entry>();
  /** Under way, but nobody waits any more: they keep their place in the window until answered. */
  const abandoned = new Set<number>();
  let line: { readonly send: (message: string) => void; readonly windowMax: number } | null = null;
  let lastId = 0;
  let whyNotConnected = 'no connection was made yet';
  let isEnded = false;

  function pump(): void {
    if (line === null) return;
    for (const entry of queued) {
      if (sent.size + abandoned.size >= line.windowMax) return;
      queued.delete(entry);
      entry.id = ++lastId;
      sent.set(entry.id, entry);
      line.send(requestMessage(entry.id, entry.verb, entry.body));
    }
  }

  function forget(entry: Entry): void {
    all.delete(entry);
    queued.delete(entry);
    if (sent.delete(entry.id)) abandoned.add(entry.id);
    clearTimeout(entry.resting);
    entry.release();
    if (all.size === 0) onIdle();
    pump();
  }

  function fail(entry: Entry, error: unknown): void {
    forget(entry);
    entry.reject(error);
  }

  function take(id: number): Entry | undefined {
    const entry = sent.get(id);
    sent.delete(id);
    if (abandoned.delete(id)) pump();
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
    entry.resting = setTimeout(() => {
      queued.add(entry);
      pump();
    }, delayMs);
    pump();
  }

  function enqueue(entry: Entry, options: RequestOptions): void {
    const { signal } = options;
    const timer = setTimeout(() => {
      if (sent.has(entry.id)) entry.isPerhapsTaken = true;
      fail(entry, expired(entry, whyNotConnected));
    }, options.timeoutMs);
    const aborted = (): void => fail(entry, signal?.reason);
    signal?.addEventListener('abort', aborted);
    entry.release = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
    };
    all.add(entry);
    queued.add(entry);
    pump();
  }

  return {
    async request(verb, body, options) {
      const gid = 'gid' in body ? body.gid : undefined;
      if (isEnded) throw new SettleError('UNREACHABLE', 'this client is closed', { gid });
      if (all.size >= pendingMax) {
        throw new SettleError('OVERLOADED', `${pendingMax} requests wait here already`, { gid });
      }
      options.signal?.throwIfAborted();
      const text = encode(verb, body, gid);
      return new Promise((resolve, reject) => {
        const entry: Entry = {
          verb,
          gid,
          body: text,
          endsAtMs: performance.now() + options.timeoutMs,
          // The parse boundary of replies: the coordinator is trusted with the shape of a body.
          resolve: resolve as (body: unknown) => void,
          reject,
          release: () => undefined,
          id: 0,
          resting: undefined,
          rests: 0,
          isPerhapsTaken: false,
          lastProblem: null,
        };
        enqueue(entry, options);
      });
    },
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
        entry.isPerhapsTaken = true;
        queued.add(entry);
      }
      sent.clear();
      abandoned.clear();
      for (const entry of later) queued.add(entry);
    },
    reply(id, body) {
      const entry = take(id);
      if (entry === undefined) return;
      forget(entry);
      entry.resolve(body);
    },
    problem(id, problem) {
      const entry = take(id);
      if (entry === undefined) return;
      const isRetried =
        retriedCodes.has(problem.code) || (problem.code === 'UNKNOWN' && entry.verb !== 'try');
      if (isRetried) rest(entry, problem);
      else fail(entry, problemError(problem, entry.gid));
    },
    get pending() {
      return all.size;
    },
    end() {
      isEnded = true;
      for (const entry of [...all]) fail(entry, expired(entry, 'this client was closed'));
    },
  };
}

/** Throws INVALID_REQUEST for what JSON cannot say, LIMIT_EXCEEDED beyond 1 MiB. */
function encode(verb: ChannelVerb, body: unknown, gid: Gid | undefined): string {
  const text = jsonText(verb, body, gid);
  if (fitsFrame(text)) return text;
  const detail = `${verb}: a request takes at most ${limits.bodyBytesMax} bytes`;
  throw new SettleError('LIMIT_EXCEEDED', detail, { gid });
}

function jsonText(verb: ChannelVerb, body: unknown, gid: Gid | undefined): string {
  try {
    return JSON.stringify(body);
  } catch (error) {
    const detail = `${verb}: the request is not JSON: ${reasonOf(error)}`;
    throw new SettleError('INVALID_REQUEST', detail, { gid, cause: error });
  }
}

/** What is true of a request whose time is over. */
function expired(entry: Entry, whyNotConnected: string): SettleError {
  const { verb, gid, lastProblem } = entry;
  const more = { gid, cause: lastProblem === null ? undefined : problemError(lastProblem, gid) };
  if (entry.isPerhapsTaken) {
    const why = lastProblem === null ? '' : `; the last one was ${lastProblem.code}`;
    return new SettleError('UNKNOWN', `${verb}: no final answer came in time${why}`, more);
  }
  if (lastProblem !== null) return problemError(lastProblem, gid);
  const why = `${verb} was not sent: ${whyNotConnected}`;
  return new SettleError('UNREACHABLE', why, more);
}
