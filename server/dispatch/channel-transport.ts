/**
 * Calls to `{ service, method }` over the connections that SDK processes keep to this node. The
 * endpoint attaches each connection and brings the answers; the wire itself is not known here.
 *
 * ```
 *            place free                    answered / connection lost
 * call ──► asked ──────────────────────────────────────────────► over
 *   └────► queued ──► asked      time-out └──► late ──────────► over
 *             └── time-out, nobody offers it any more ─────────► over
 * ```
 * Invariants: each call is answered exactly once, on its way to `late` or `over`; a connection has
 * at most `callsMax` calls asked or late; services share nothing, so a slow one slows no other.
 * Questions to each instance (`askEach`) take no place and wait in no queue.
 */
import type { Call, CallAnswer, EpochMs, Participant } from '../../client-sdk/protocol/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { Slots } from '../runtime/slots.ts';
import {
  type ChannelConnection,
  type Member,
  type PendingCall,
  Service,
} from './channel-service.ts';
import { Deadlines } from './deadlines.ts';
import { type Answered, Later, notAsked } from './later.ts';
import { type ChannelTransportLimits, channelTransportLimits } from './limits.ts';
import type { Transport } from './transport.ts';

export type { ChannelConnection } from './channel-service.ts';

/** What the transport needs from the rest. */
export interface ChannelTransportOptions {
  readonly clock: Clock;
  /**
   * A service offers a method that nobody offered before: calls that wait for it may be made now.
   * May be called often; must not throw.
   */
  readonly offered?: (service: string) => void;
  readonly limits?: Partial<ChannelTransportLimits>;
}

/** What the endpoint tells about a connection that it attached. */
export interface Attached {
  /** An answer came; one that nobody waits for any more is dropped. */
  answered(id: number, answer: CallAnswer): void;
  /** Hello once more: replaces methods and callsMax. */
  hello(update: { readonly methods: readonly string[]; readonly callsMax: number }): void;
  /** The connection is lost: its calls are answered `unknown`. Safe to repeat. */
  detached(): void;
}

/** One connection, for those who look. */
export interface ConnectedParticipant {
  readonly service: string;
  readonly instance: string;
  readonly methods: readonly string[];
  readonly callsMax: number;
  /** Calls that hold a place, those that timed out and run on there included. */
  readonly inFlight: number;
  readonly connectedAtMs: EpochMs;
}

/** The transport as the endpoint and the page of participants see it. */
export interface ChannelTransport extends Transport {
  attach(connection: ChannelConnection): Attached;
  /** Live connections by service, in order of their coming. */
  participants(): readonly ConnectedParticipant[];
  /** Calls that wait for a place, of all services. */
  queued(): number;
  /**
   * From now on nobody of the service is called, as if nobody were connected; calls that are under
   * way end. `false`: calls again. Kept in memory only; the service need not be known.
   */
  drain(service: string, isDrained: boolean): void;
  /** Services that are drained, in the order in which they were. */
  drained(): readonly string[];
  /**
   * Asks every connection of a service, also of one that is drained or busy. `answered` is called once
   * for each, never before this has returned; `unknown` after `timeoutMs`, or when it is lost. Gives
   * the instances that are asked, in order of their coming.
   */
  askEach(
    service: string,
    call: Call,
    timeoutMs: number,
    answered: (instance: string, answer: CallAnswer) => void,
  ): readonly string[];
}

/** When a full queue is worth another attempt. */
const retrySoonMs = 1_000;

/**
 * When it is worth asking again for a service that nobody offers. `offered` tells when somebody comes,
 * so this is only for a wake-up that was lost; asking around meanwhile would be a storm when 100,000
 * transactions wait for one service.
 */
const retryLateMs = 20_000;

/** A transport without connections; `attach` brings them. Starts no timer until something is asked. */
export function createChannelTransport(options: ChannelTransportOptions): ChannelTransport {
  return new Channels(options);
}

class Channels implements ChannelTransport {
  readonly #services = new Map<string, Service>();
  readonly #drained = new Set<string>();
  readonly #clock: Clock;
  /** Asked and not answered, of all connections: a number never means two calls. */
  readonly #calls = new Slots<PendingCall>();
  readonly #deadlines: Deadlines<PendingCall>;
  readonly #later: Later;
  readonly #limits: ChannelTransportLimits;
  readonly #offered: (service: string) => void;
  /** Inside `call`: an answer that comes already is kept for the end of the tick. */
  #isCalling = false;
  #isClosed = false;

  constructor({ clock, offered, limits }: ChannelTransportOptions) {
    this.#clock = clock;
    this.#deadlines = new Deadlines(clock, (pending) => this.#expire(pending));
    this.#later = new Later(clock);
    this.#limits = { ...channelTransportLimits, ...limits };
    this.#offered = offered ?? (() => {});
  }

  reaches(participant: Participant): boolean {
    return 'service' in participant;
  }

  call(participant: Participant, call: Call, timeoutMs: number, answered: Answered): void {
    if (!('service' in participant)) throw new TypeError('the channel reaches services only');
    const { service: name, method } = participant;
    const service = this.#services.get(name);
    if (this.#isClosed) return this.#later.deliver(answered, notAsked(stopping));
    if (service === undefined || !service.offers(method) || this.#drained.has(name)) {
      return this.#later.deliver(answered, () => this.#absence(name, method));
    }
    const member = service.pick(method);
    if (member === null && service.queued >= this.#limits.queuedPerServiceMax) {
      const error = `OVERLOADED: ${service.queued} calls wait for service '${name}' already`;
      return this.#later.deliver(answered, notAsked(error, retrySoonMs));
    }
    const pending = newPending({ call, method, service, answered, timeoutMs, places: 1 });
    this.#deadlines.add(pending, timeoutMs);
    if (member === null) return service.enqueue(pending);
    this.#isCalling = true;
    this.#ask(pending, member);
    this.#isCalling = false;
  }

  attach(connection: ChannelConnection): Attached {
    const service = this.#serviceOf(connection.service);
    const { callsMax } = connection;
    const member: Member = {
      connection,
      service,
      methods: new Set(),
      callsMax,
      inFlight: 0,
      connectedAtMs: this.#clock.nowMs(),
    };
    service.members.add(member);
    this.#change(member, connection.methods, callsMax);
    return {
      answered: (id, answer) => this.#answered(member, id, answer),
      hello: ({ methods, callsMax }) => this.#change(member, methods, callsMax),
      detached: () => this.#detach(member, 'connection lost'),
    };
  }

  participants(): readonly ConnectedParticipant[] {
    const shown: ConnectedParticipant[] = [];
    for (const { name, members } of this.#services.values()) {
      for (const { connection, methods, callsMax, inFlight, connectedAtMs } of members) {
        const { instance } = connection;
        const own = { instance, methods: [...methods], callsMax, inFlight, connectedAtMs };
        shown.push({ service: name, ...own });
      }
    }
    return shown;
  }

  queued(): number {
    let queued = 0;
    for (const service of this.#services.values()) queued += service.queued;
    return queued;
  }

  drain(name: string, isDrained: boolean): void {
    const service = this.#services.get(name);
    if (!isDrained) {
      if (this.#drained.delete(name) && service !== undefined) this.#offered(name);
      return;
    }
    this.#drained.add(name);
    for (const pending of service?.drain() ?? []) {
      this.#end(pending, this.#absence(name, pending.method));
    }
  }

  drained(): readonly string[] {
    return [...this.#drained];
  }

  askEach(
    name: string,
    call: Call,
    timeoutMs: number,
    answered: (instance: string, answer: CallAnswer) => void,
  ): readonly string[] {
    const service = this.#services.get(name);
    if (service === undefined || this.#isClosed) return [];
    this.#isCalling = true;
    const instances = [...service.members].map((member) => {
      const { instance } = member.connection;
      const asked = { call, method: call.method, service, timeoutMs, places: 0 } as const;
      const pending = newPending({ ...asked, answered: (answer) => answered(instance, answer) });
      this.#deadlines.add(pending, timeoutMs);
      this.#ask(pending, member);
      return instance;
    });
    this.#isCalling = false;
    return instances;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const service of this.#services.values()) {
      for (const pending of service.drain()) this.#end(pending, notAsked(stopping));
      for (const member of [...service.members])
        this.#detach(member, 'the coordinator is stopping');
    }
    this.#deadlines.clear();
  }

  /**
   * Why nobody was asked. Who offers it may have come since the call was made, and `offered` has told
   * so before anybody waited for it: then it is worth asking again at once.
   */
  #absence(name: string, method: string): CallAnswer {
    const service = this.#services.get(name);
    if (this.#drained.has(name)) return notAsked(isDrained(name), retryLateMs);
    if (service === undefined) return notAsked(notConnected(name), retryLateMs);
    const error = notOffered(name, method);
    return service.offers(method) ? notAsked(error) : notAsked(error, retryLateMs);
  }

  #serviceOf(name: string): Service {
    const known = this.#services.get(name);
    if (known !== undefined) return known;
    const service = new Service(name, this.#limits.instancesCompared);
    this.#services.set(name, service);
    return service;
  }

  #ask(pending: PendingCall, member: Member): void {
    pending.state = 'asked';
    pending.member = member;
    member.inFlight += pending.places;
    pending.id = this.#calls.add(pending);
    member.connection.send({ kind: 'call', id: pending.id, call: pending.call });
  }

  #answered(member: Member, id: number, answer: CallAnswer): void {
    const pending = this.#calls.get(id);
    if (pending === null || pending.member !== member) return;
    this.#end(pending, answer);
    this.#fill(member);
  }

  /** Answers the call, unless its time-out did, and lets go of it. */
  #end(pending: PendingCall, answer: CallAnswer): void {
    const { state, answered } = pending;
    this.#release(pending);
    if (state === 'late') return;
    if (this.#isCalling) this.#later.deliver(answered, answer);
    else answered(answer);
  }

  /** The one way to `over`: frees the place and the time-out. */
  #release(pending: PendingCall): void {
    pending.state = 'over';
    this.#deadlines.delete(pending);
    const { member, id, places } = pending;
    if (member !== null && this.#calls.delete(id)) member.inFlight -= places;
  }

  #expire(pending: PendingCall): void {
    const { state, member, service, timeoutMs } = pending;
    switch (state) {
      case 'queued': {
        service.dequeue(pending);
        const busy = `all instances of service '${service.name}' were busy for ${timeoutMs} ms`;
        this.#end(pending, notAsked(`OVERLOADED: ${busy}`));
        return;
      }
      case 'asked': {
        const error = `no answer within ${timeoutMs} ms; the operation may have happened`;
        if (pending.places === 0) return this.#end(pending, { outcome: 'unknown', error });
        pending.state = 'late';
        this.#deadlines.add(pending, this.#limits.lateHoldMs);
        pending.answered({ outcome: 'unknown', error });
        return;
      }
      case 'late':
        this.#release(pending);
        if (member !== null) this.#fill(member);
        return;
      case 'over':
        return;
      default:
        state satisfies never;
    }
  }

  /** Gives the member's free places to queued calls. */
  #fill(member: Member): void {
    if (member.service.queued === 0) return;
    for (
      let next = member.service.next(member);
      next !== null;
      next = member.service.next(member)
    ) {
      this.#ask(next, member);
    }
  }

  #change(member: Member, methods: readonly string[], callsMax: number): void {
    const { service } = member;
    if (!service.members.has(member)) return;
    member.callsMax = callsMax;
    const { isNews, orphans } = service.change(member, new Set(callsMax > 0 ? methods : []));
    for (const pending of orphans) {
      this.#end(pending, this.#absence(service.name, pending.method));
    }
    if (isNews && !this.#drained.has(service.name)) this.#offered(service.name);
    this.#fill(member);
  }

  #detach(member: Member, why: string): void {
    const { service } = member;
    if (!service.members.delete(member)) return;
    const { orphans } = service.change(member, new Set());
    if (service.members.size === 0) this.#services.delete(service.name);
    // Routes first, answers last: who is answered may call again at once.
    const error = `${why}; the operation may have happened`;
    for (const pending of this.#calls.items()) {
      if (pending.member === member) this.#end(pending, { outcome: 'unknown', error });
    }
    for (const pending of orphans) this.#end(pending, this.#absence(service.name, pending.method));
  }
}

function newPending(
  asked: Pick<PendingCall, 'call' | 'method' | 'service' | 'answered' | 'timeoutMs' | 'places'>,
): PendingCall {
  const { call, method, service, answered, timeoutMs, places } = asked;
  const due = { dueTick: 0, chain: null, before: null, after: null };
  return {
    id: 0,
    call,
    method,
    service,
    answered,
    timeoutMs,
    places,
    state: 'queued',
    member: null,
    ...due,
  };
}

const stopping = 'STOPPING: the coordinator is stopping';

function notConnected(service: string): string {
  return `METHOD_NOT_OFFERED: service '${service}' is not connected`;
}

function isDrained(service: string): string {
  return `METHOD_NOT_OFFERED: service '${service}' is drained`;
}

function notOffered(service: string, method: string): string {
  return `METHOD_NOT_OFFERED: service '${service}' does not offer '${method}'`;
}
