/**
 * One service as the channel knows it: its live connections, who offers which method, and the calls
 * that wait for a place. Pure bookkeeping of places and queues; sending, answering and time-outs
 * are the transport's. Invariant: a call waits only while every connection that offers its method
 * has all its places taken.
 */
import type { Call, EpochMs, ServerMessage } from '../../client-sdk/protocol/index.ts';
import type { Due } from './deadlines.ts';
import type { Answered } from './later.ts';

/** A connection that said hello, as the endpoint gives it. */
export interface ChannelConnection {
  readonly service: string;
  readonly instance: string;
  readonly methods: readonly string[];
  /** Unanswered calls it takes at once; 0: it only asks. */
  readonly callsMax: number;
  /** Queues the message for the wire. Never throws; after the connection is lost it does nothing. */
  send(message: ServerMessage): void;
}

/** One call under way. `late`: it was answered by its time-out and still holds its place. */
export interface PendingCall extends Due<PendingCall> {
  /** Its number once it is asked; 0 before. */
  id: number;
  readonly call: Call;
  readonly method: string;
  readonly service: Service;
  readonly answered: Answered;
  state: 'queued' | 'asked' | 'late' | 'over';
  readonly timeoutMs: number;
  /** Places that it takes of its member's; a question about the member itself takes none. */
  readonly places: 0 | 1;
  member: Member | null;
}

/** A live connection and what is under way on it. */
export interface Member {
  readonly connection: ChannelConnection;
  readonly service: Service;
  /** What it offers now; changed by {@link Service.change} only. */
  methods: ReadonlySet<string>;
  callsMax: number;
  /** Calls asked and not answered, late ones included: all of these hold a place. */
  inFlight: number;
  readonly connectedAtMs: EpochMs;
}

/** What a change of offers brought about. */
export interface Change {
  readonly isNews: boolean;
  readonly orphans: readonly PendingCall[];
}

interface Method {
  readonly name: string;
  readonly members: Member[];
  /** Where the next comparison starts, so that equals take turns. */
  cursor: number;
  /** In order of arrival. */
  readonly queue: Set<PendingCall>;
}

/** Members, offers and queues of one service. It calls nobody back. */
export class Service {
  readonly name: string;
  readonly members = new Set<Member>();
  /** Calls in the queues of all methods. */
  queued = 0;
  readonly #instancesCompared: number;
  readonly #methods = new Map<string, Method>();
  /** Methods with a queue, the one served longest ago first. */
  readonly #waiting = new Set<Method>();

  constructor(name: string, instancesCompared: number) {
    this.name = name;
    this.#instancesCompared = instancesCompared;
  }

  offers(method: string): boolean {
    return this.#methods.has(method);
  }

  /**
   * The connection with the fewest unanswered calls among those compared, starting in turn; null
   * when every one that offers the method has all its places taken.
   */
  pick(methodName: string): Member | null {
    const method = this.#methods.get(methodName);
    if (method === undefined) return null;
    const { members } = method;
    const count = members.length;
    let best: Member | null = null;
    for (let i = 0; i < count && (best === null || i < this.#instancesCompared); i += 1) {
      const member = members[(method.cursor + i) % count];
      if (member === undefined || member.inFlight >= member.callsMax) continue;
      if (best === null || member.inFlight < best.inFlight) best = member;
    }
    method.cursor = count === 0 ? 0 : (method.cursor + 1) % count;
    return best;
  }

  /** Puts the call at the end of its method's queue; the method must be offered. */
  enqueue(pending: PendingCall): void {
    const method = this.#methods.get(pending.method);
    if (method === undefined) throw new Error('a call was queued for a method nobody offers');
    method.queue.add(pending);
    this.#waiting.add(method);
    this.queued += 1;
  }

  /** Takes the call out of its queue. */
  dequeue(pending: PendingCall): void {
    const method = this.#methods.get(pending.method);
    if (method !== undefined) this.#take(method, pending);
  }

  /** The call that has waited longest for this member, methods taking turns; null when none has. */
  next(member: Member): PendingCall | null {
    if (member.inFlight >= member.callsMax) return null;
    for (const method of this.#waiting) {
      if (!member.methods.has(method.name)) continue;
      const [pending] = method.queue;
      if (pending === undefined) continue;
      this.#take(method, pending);
      // To the end of the line: one method with a long queue must not starve the others.
      if (this.#waiting.delete(method)) this.#waiting.add(method);
      return pending;
    }
    return null;
  }

  /**
   * Replaces what the member offers; a member without places offers nothing. Answers whether
   * something is offered now that nobody offered before, and the calls that nobody offers to take.
   */
  change(member: Member, methods: ReadonlySet<string>): Change {
    const before = member.methods;
    member.methods = methods;
    let isNews = false;
    for (const name of methods) {
      if (!before.has(name)) isNews = this.#offer(member, name) || isNews;
    }
    const orphans: PendingCall[] = [];
    for (const name of before) {
      if (!methods.has(name)) this.#withdraw(member, name, orphans);
    }
    return { isNews, orphans };
  }

  /** Empties all queues. */
  drain(): PendingCall[] {
    const queued: PendingCall[] = [];
    for (const method of this.#waiting) queued.push(...method.queue);
    for (const pending of queued) this.dequeue(pending);
    return queued;
  }

  #offer(member: Member, name: string): boolean {
    const method = this.#methods.get(name);
    if (method !== undefined) {
      method.members.push(member);
      return false;
    }
    this.#methods.set(name, { name, members: [member], cursor: 0, queue: new Set() });
    return true;
  }

  #withdraw(member: Member, name: string, orphans: PendingCall[]): void {
    const method = this.#methods.get(name);
    if (method === undefined) return;
    const index = method.members.indexOf(member);
    if (index >= 0) method.members.splice(index, 1);
    if (method.members.length > 0) return;
    for (const pending of method.queue) {
      this.#take(method, pending);
      orphans.push(pending);
    }
    this.#methods.delete(name);
  }

  #take(method: Method, pending: PendingCall): void {
    if (!method.queue.delete(pending)) return;
    this.queued -= 1;
    if (method.queue.size === 0) this.#waiting.delete(method);
  }
}
