/**
 * Calls to `{ url }`: `POST {url}/{operation}` with the call as JSON, over a bounded set of
 * connections per origin. Redirects are never followed, nothing is retried here, and only addresses
 * that the policy allows are called. Invariants: each call is answered exactly once; origins share
 * nothing but the timer, so one that is down or slow slows no other.
 */
import type { Call, CallAnswer, Participant } from '../../client-sdk/protocol/index.ts';
import { contextHeaders } from '../../client-sdk/protocol/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { remembered } from '../runtime/remembered.ts';
import { Deadlines } from './deadlines.ts';
import type { HttpAsking, HttpCall } from './http-call.ts';
import { Gathering } from './http-gathering.ts';
import { Origin, stopping } from './http-origin.ts';
import { type Answered, notAsked } from './later.ts';
import { type HttpTransportLimits, httpTransportLimits } from './limits.ts';
import { addressesMax, type TargetPolicy } from './target-policy.ts';
import type { Transport } from './transport.ts';

/** What the transport needs from the rest. */
export interface HttpTransportOptions {
  readonly policy: TargetPolicy;
  readonly clock: Clock;
  readonly limits?: Partial<HttpTransportLimits>;
}

/** One origin that was called, for those who look. */
export interface CalledOrigin {
  readonly origin: string;
  readonly inFlight: number;
  readonly queued: number;
}

/** The transport as those who look see it. */
export interface HttpTransport extends Transport {
  /** Origins that have a pool, in order of their first call. */
  origins(): readonly CalledOrigin[];
  /** Calls that wait for a connection, of all origins. */
  queued(): number;
}

/** A transport without connections; each origin's are opened by its first calls. */
export function createHttpTransport(options: HttpTransportOptions): HttpTransport {
  return new Callbacks(options);
}

/** What a body may look like going out. The answer is read as JSON, so it is asked for. */
const fixedHeaders = ['content-type', 'application/json', 'accept', 'application/json'];
/** When a full queue is worth another attempt. */
const retrySoonMs = 1_000;

class Callbacks implements HttpTransport {
  readonly #policy: TargetPolicy;
  readonly #clock: Clock;
  readonly #limits: HttpTransportLimits;
  readonly #gathering: Gathering;
  readonly #deadlines: Deadlines<HttpCall>;
  readonly #origins = new Map<string, Origin>();
  readonly #targetOf = remembered(targetOf, addressesMax);
  #isClosed = false;

  constructor({ policy, clock, limits }: HttpTransportOptions) {
    this.#policy = policy;
    this.#clock = clock;
    this.#limits = { ...httpTransportLimits, ...limits };
    this.#gathering = new Gathering(clock);
    this.#deadlines = new Deadlines(clock, (call) => {
      const { timeoutMs } = call.asking;
      call.giveUp(
        call.isSent ? `no answer within ${timeoutMs} ms` : `not sent within ${timeoutMs} ms`,
      );
    });
  }

  reaches(participant: Participant): boolean {
    return 'url' in participant && this.#policy.allows(participant.url) === true;
  }

  call(participant: Participant, call: Call, timeoutMs: number, answered: Answered): void {
    if (!('url' in participant)) throw new TypeError('HTTP reaches addresses only');
    if (this.#isClosed) return this.#refuse(answered, notAsked(stopping));
    // The allow-list may have become shorter since the branch was registered.
    const verdict = this.#policy.allows(participant.url);
    if (verdict !== true) {
      return this.#refuse(answered, notAsked(`TARGET_NOT_ALLOWED: ${verdict}`));
    }
    const target = this.#targetOf(participant.url);
    const origin = this.#originOf(target.origin);
    if (origin === null || origin.isFull) {
      const error = `OVERLOADED: too many calls wait for ${target.origin} already`;
      return this.#refuse(answered, notAsked(error, retrySoonMs));
    }
    origin.take(askingOf(target, call, timeoutMs, answered));
  }

  origins(): readonly CalledOrigin[] {
    return [...this.#origins.values()].map(({ name, inFlight, queued }) => {
      return { origin: name, inFlight, queued };
    });
  }

  queued(): number {
    let queued = 0;
    for (const origin of this.#origins.values()) queued += origin.queued;
    return queued;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const origins = [...this.#origins.values()];
    this.#origins.clear();
    await Promise.all(origins.map((origin) => origin.close()));
    this.#deadlines.clear();
    // After the answers that were put off, and not before `close` has returned.
    await new Promise<void>((resolve) => this.#clock.soon(resolve));
    this.#gathering.flush();
  }

  /** Answers by the end of the tick. */
  #refuse(answered: Answered, answer: CallAnswer): void {
    this.#gathering.deliver(answered, answer, 0);
  }

  #originOf(name: string): Origin | null {
    const known = this.#origins.get(name);
    if (known !== undefined) return known;
    if (this.#origins.size >= this.#limits.originsMax && !this.#evict()) return null;
    const ports = {
      clock: this.#clock,
      limits: this.#limits,
      gathering: this.#gathering,
      deadlines: this.#deadlines,
    };
    const origin = new Origin(name, ports);
    this.#origins.set(name, origin);
    return origin;
  }

  /** Lets go of the oldest origin that is idle; false when all are busy. */
  #evict(): boolean {
    for (const origin of this.#origins.values()) {
      if (origin.inFlight + origin.queued > 0) continue;
      this.#origins.delete(origin.name);
      // Idle, so nobody waits for it; undici's destroy reports errors by the calls only.
      void origin.close();
      return true;
    }
    return false;
  }
}

/** An address, taken apart. */
interface Target {
  readonly origin: string;
  /** Without a slash at its end; the operation goes there. */
  readonly path: string;
}

function targetOf(url: string): Target {
  const { origin, pathname } = new URL(url);
  return { origin, path: pathname.endsWith('/') ? pathname.slice(0, -1) : pathname };
}

function askingOf(target: Target, call: Call, timeoutMs: number, answered: Answered): HttpAsking {
  const { path } = target;
  const method = path.slice(1);
  return {
    path: `${path}/${call.operation}`,
    headers: [
      ...fixedHeaders,
      ...[contextHeaders.gid, call.gid],
      ...[contextHeaders.branch, String(call.branchId)],
      ...[contextHeaders.operation, call.operation],
      ...(call.traceparent === undefined ? [] : ['traceparent', call.traceparent]),
    ],
    body: JSON.stringify(call.method === '' ? { ...call, method } : call),
    timeoutMs,
    answered,
  };
}
