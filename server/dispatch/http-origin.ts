/**
 * One origin that is called over HTTP: a bounded set of connections and a queue in front of them.
 * A connection carries one call at a time (no pipelining: a slow call would hold up those behind
 * it), and one on which a call has failed is not used again. Invariant: a call that was taken is
 * answered exactly once, and never from inside of `take`.
 */
import { buildConnector, Client } from 'undici';
import type { CallAnswer } from '../../client-sdk/protocol/index.ts';
import { Chain } from '../runtime/chain.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Deadlines } from './deadlines.ts';
import { type HttpAsking, HttpCall, type HttpCallOwner, type Place } from './http-call.ts';
import type { Gathering } from './http-gathering.ts';
import type { HttpTransportLimits } from './limits.ts';

/** What the origins of one transport share. */
export interface OriginPorts {
  readonly clock: Clock;
  readonly limits: HttpTransportLimits;
  readonly gathering: Gathering;
  readonly deadlines: Deadlines<HttpCall>;
}

/** Why calls are given up when the coordinator ends, before they were sent. */
export const stopping = 'STOPPING: the coordinator is stopping';

/** The bulkhead of one origin. */
export class Origin implements HttpCallOwner {
  readonly name: string;
  readonly limits: HttpTransportLimits;
  readonly #ports: OriginPorts;
  readonly #connect: buildConnector.connector;
  /** Connections without a call; the one that was used last is the first to be used again. */
  readonly #idle: Client[] = [];
  readonly #queue = new Chain<Place>();
  readonly #flying = new Chain<Place>();
  #isClosed = false;

  constructor(name: string, ports: OriginPorts) {
    this.name = name;
    this.limits = ports.limits;
    this.#ports = ports;
    // One for all connections, for it keeps the TLS sessions.
    this.#connect = buildConnector({ timeout: ports.limits.connectTimeoutMs, allowH2: false });
  }

  get inFlight(): number {
    return this.#flying.size;
  }

  get queued(): number {
    return this.#queue.size;
  }

  get isFull(): boolean {
    return this.#isBusy && this.#queue.size >= this.limits.queuedPerOriginMax;
  }

  /** Sends the call, now or when a connection is free; it must not be full. */
  take(asking: HttpAsking): void {
    const call = new HttpCall(asking, this);
    this.#ports.deadlines.add(call, asking.timeoutMs);
    if (this.#isBusy) this.#queue.add(call.place);
    else this.#dispatch(call);
  }

  nowMs(): number {
    return this.#ports.clock.nowMs();
  }

  answer(call: HttpCall, answer: CallAnswer): void {
    this.#ports.deadlines.delete(call);
    this.#queue.delete(call.place);
    // Always from a tick of its own: undici catches what is thrown inside of its callbacks, and a
    // broken rule of the engine must not end there.
    const underWay = this.#flying.size + this.#queue.size;
    this.#ports.gathering.deliver(call.asking.answered, answer, underWay);
  }

  finished({ place, connection }: HttpCall, isIntact: boolean): void {
    this.#flying.delete(place);
    if (isIntact && !this.#isClosed && connection !== null) this.#idle.push(connection);
    // It has no other call, and undici's destroy reports errors by the calls only.
    else void connection?.destroy();
    const next = this.#queue.first;
    if (next === null || this.#isBusy) return;
    this.#queue.delete(next);
    this.#dispatch(next.call);
  }

  /** Answers everything `unknown` and lets go of the connections. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const place of this.#queue.items()) {
      this.#queue.delete(place);
      place.call.giveUp(stopping);
    }
    const connections = [...this.#idle];
    for (const { call } of this.#flying.items()) {
      if (call.connection !== null) connections.push(call.connection);
      call.giveUp('the coordinator is stopping');
    }
    this.#idle.length = 0;
    await Promise.all(connections.map((connection) => connection.destroy()));
  }

  get #isBusy(): boolean {
    return this.#flying.size >= this.limits.connectionsPerOrigin;
  }

  #dispatch(call: HttpCall): void {
    this.#flying.add(call.place);
    // Not undici's Pool: it looks through its connections for every call, and queues again what
    // waits here already.
    call.connection = this.#idle.pop() ?? this.#open();
    const { path, headers, body } = call.asking;
    call.connection.dispatch(
      {
        path,
        method: 'POST',
        headers,
        body,
        // The sweep ends the whole call; undici need not keep time besides.
        headersTimeout: 0,
        bodyTimeout: 0,
      },
      call,
    );
  }

  /** It connects with its first call. */
  #open(): Client {
    return new Client(this.name, { connect: this.#connect, pipelining: 1, allowH2: false });
  }
}
