/**
 * Performs effects: asks the participant, again and again with backoff, until the transaction no
 * longer owes the operation. Timing lives here; what an answer means is decided by the core.
 * Invariant: at most one call per effect is in flight, and a late answer to a dropped one is ignored.
 */
import type { Call, CallAnswer, EpochMs, TraceSpan } from '../../client-sdk/protocol/index.ts';
import { limits } from '../../client-sdk/protocol/index.ts';
import { backoffMs } from '../core/backoff.ts';
import type { Effect } from '../core/effect.ts';
import type { OperationResult, TxEvent } from '../core/event.ts';
import { outstanding } from '../core/outstanding.ts';
import type { Transaction } from '../core/transaction.ts';
import type { Transport } from '../dispatch/transport.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { type EngineOptions, engineLimits } from './limits.ts';
import type { Mailbox } from './mailbox.ts';
import type { Pulse } from './pulse.ts';
import type { Timer, Timers } from './timers.ts';
import { type EngineTrace, inTrace } from './trace.ts';

/** One owed operation and how it is going. */
export interface CallState {
  readonly effect: Effect;
  /** `answered`: the record that ends it is on its way. */
  state: 'flying' | 'waiting' | 'answered';
  attempts: number;
  /** On the monotonic clock. */
  readonly sinceMs: number;
  lastError: string | null;
  /** By the wall clock, to be shown. */
  nextAtMs: EpochMs | null;
  timer: Timer | null;
  /** While it flies: it is worth asking again at once. */
  isHastened: boolean;
}

/** What the engine itself brings about: results, timers, the call for a human. */
export type Happening =
  | { readonly kind: 'results'; readonly results: readonly OperationResult[] }
  | { readonly kind: 'deadline' }
  | Omit<Extract<TxEvent, { kind: 'attention' }>, 'atMs' | 'epoch'>;

/** What calling needs. */
export interface CallsPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly timers: Timers;
  readonly pulse: Pick<Pulse, 'called'>;
  readonly transports: readonly Transport[];
  readonly options: EngineOptions;
  /** Null: nobody looks. */
  readonly trace: EngineTrace | null;
  /** Brings an event to its mailbox. */
  readonly happened: (mailbox: Mailbox, happening: Happening) => void;
}

/** The calls of all mailboxes. */
export interface Calls {
  /** Starts what is newly owed, drops what is owed no more. */
  sync(mailbox: Mailbox): void;
  /** What was believed to be owed may not be: nothing of it is asked again, late answers are ignored. */
  drop(mailbox: Mailbox): void;
  /** A service has come (back): its waiting calls are made soon, spread over time. */
  wake(service: string): void;
  /** Asks once, outside of any effect: the try that an initiator asked to be passed on. */
  ask(participant: Effect['participant'], call: Call, answered: (answer: CallAnswer) => void): void;
  /** Calls of this transaction to the participant are made now, or as soon as they are answered. */
  hasten(mailbox: Mailbox, participant: Effect['participant']): void;
  /** The same, whoever is asked. */
  hastenAll(mailbox: Mailbox): void;
  inFlight(): number;
  /** The term ends: nothing is asked a second time any more; the next term will. */
  rest(): void;
  counters(): CallCounters;
}

/** How calls were answered, and how many were repeats. */
export interface CallCounters {
  readonly done: number;
  readonly refused: number;
  readonly ongoing: number;
  readonly unknown: number;
  readonly retries: number;
}

interface WaitingCall {
  readonly mailbox: Mailbox;
  readonly call: CallState;
}

/** Calls over the given transports; starts nothing by itself. */
export function createCalls(ports: CallsPorts): Calls {
  const { clock, random, timers, pulse, options, trace } = ports;
  const counters = { done: 0, refused: 0, ongoing: 0, unknown: 0, retries: 0 };
  const waiting = new Map<CallState, WaitingCall>();
  let flying = 0;
  let isResting = false;

  function sync(mailbox: Mailbox): void {
    const { tx, calls } = mailbox;
    const owed = tx === null ? [] : outstanding(tx);
    if (calls.size > 0) dropPaid(calls, owed);
    for (const effect of owed) {
      if (calls.has(effect.key)) continue;
      const call = newCall(effect, clock.monotonicMs());
      calls.set(effect.key, call);
      start(mailbox, call);
    }
  }

  /** Forgets the calls whose effects are owed no more. */
  function dropPaid(calls: Map<string, CallState>, owed: readonly Effect[]): void {
    const keys = new Set(owed.map((effect) => effect.key));
    for (const [key, call] of calls) {
      if (keys.has(key)) continue;
      calls.delete(key);
      stopWaiting(call);
    }
  }

  function drop(mailbox: Mailbox): void {
    dropPaid(mailbox.calls, []);
    mailbox.held = [];
  }

  function start(mailbox: Mailbox, call: CallState): void {
    stopWaiting(call);
    call.state = 'flying';
    call.nextAtMs = null;
    call.isHastened = false;
    if (call.attempts > 0) counters.retries += 1;
    const { effect } = call;
    const span = spanOf(mailbox, call);
    const traceparent = span?.traceparent ?? mailbox.tx?.traceparent;
    const asked = inTrace(toCall(mailbox.gid, effect), traceparent);
    ask(effect.participant, asked, (answer) => {
      if (span !== null) trace?.answered(span, answer);
      // Dropped meanwhile (decided otherwise, slot lost): the answer is about a former state.
      if (mailbox.calls.get(effect.key) === call) take(mailbox, call, answer);
    });
  }

  function spanOf({ tx }: Mailbox, { effect, attempts }: CallState): TraceSpan | null {
    if (trace === null || tx === null) return null;
    const { branchId, operation, participant } = effect;
    return trace.called(tx, { branchId, operation, participant, attempt: attempts + 1 });
  }

  function ask(
    participant: Effect['participant'],
    call: Call,
    answered: (answer: CallAnswer) => void,
  ): void {
    const transport = ports.transports.find((candidate) => candidate.reaches(participant));
    flying += 1;
    const askedMs = clock.monotonicMs();
    const once = (answer: CallAnswer) => {
      flying -= 1;
      counters[answer.outcome] += 1;
      pulse.called(answer.outcome, clock.monotonicMs() - askedMs);
      answered(answer);
    };
    if (transport === undefined) {
      const error = 'TARGET_NOT_ALLOWED: the address is not in the allow-list of this coordinator';
      clock.soon(() => once({ outcome: 'unknown', error, asked: false }));
      return;
    }
    transport.call(participant, call, options.callTimeoutMs, once);
  }

  function take(mailbox: Mailbox, call: CallState, answer: CallAnswer): void {
    const { branchId, operation } = call.effect;
    if (answer.outcome === 'done') {
      call.state = 'answered';
      const result = { branchId, operation, outcome: 'done' as const, result: answer.result };
      if (isWorthWaiting(mailbox)) mailbox.held.push(result);
      else deliver(mailbox, [result]);
      return;
    }
    if (answer.outcome === 'ongoing') {
      waitFor(mailbox, call, answer.retryAfterMs ?? options.ongoingPollMs);
      // First what may solve the attention that stands, then the one that comes after it.
      if (mailbox.held.length > 0) deliver(mailbox, []);
      raiseIfLate(mailbox, call);
      return;
    }
    call.attempts += 1;
    call.lastError = answer.error.slice(0, limits.detailLengthMax);
    const delayMs = delayAfter(answer, call.attempts);
    // Surely not asked: such an attempt must not count towards a saga's rollback.
    const isCounted = answer.outcome === 'refused' || answer.asked !== false;
    const { outcome } = answer;
    const result = { branchId, operation, outcome, error: call.lastError };
    if (isCounted) deliver(mailbox, [result]);
    else if (mailbox.held.length > 0) deliver(mailbox, []);
    // The answer may have decided that the operation is owed no more.
    if (mailbox.calls.get(call.effect.key) !== call) return;
    if (!isOwed(mailbox, call)) {
      call.state = 'answered';
      return;
    }
    waitFor(mailbox, call, call.isHastened ? 0 : delayMs);
    raiseIfLate(mailbox, call);
  }

  /** No sooner than the participant wishes, and not all of those at once whom it told the same. */
  function delayAfter(answer: CallAnswer, attempts: number): number {
    const backoff = backoffMs(attempts, options.retry, random.next());
    if (answer.outcome !== 'unknown' || answer.retryAfterMs === undefined) return backoff;
    return Math.max(answer.retryAfterMs * (1 + random.next() / 2), backoff);
  }

  function deliver(mailbox: Mailbox, results: readonly OperationResult[]): void {
    const held = mailbox.held;
    mailbox.held = [];
    ports.happened(mailbox, { kind: 'results', results: [...held, ...results] });
  }

  function waitFor(mailbox: Mailbox, call: CallState, delayMs: number): void {
    stopWaiting(call);
    call.state = 'waiting';
    // Jitter has fractions, which times that are shown have not.
    call.nextAtMs = clock.nowMs() + Math.ceil(delayMs);
    if (isResting) return;
    call.timer = timers.after(delayMs, () => start(mailbox, call));
    waiting.set(call, { mailbox, call });
  }

  function stopWaiting(call: CallState): void {
    if (call.timer !== null) timers.cancel(call.timer);
    call.timer = null;
    waiting.delete(call);
  }

  function raiseIfLate(mailbox: Mailbox, call: CallState): void {
    const isLate =
      call.attempts >= options.attentionAfterAttempts ||
      clock.monotonicMs() - call.sinceMs >= options.attentionAfterMs;
    // Raised at every attempt from now on: the core keeps one attention at a time, and when that one
    // is solved this one must not have been forgotten.
    if (!isLate) return;
    const { branchId, operation } = call.effect;
    const detail = `${operation} is not done after ${call.attempts} attempts: ${call.lastError ?? 'ongoing'}`;
    ports.happened(mailbox, { kind: 'attention', reason: 'retries', branchId, detail });
  }

  function wake(service: string): void {
    const woken = [...waiting.values()].filter(({ call }) => {
      const { participant } = call.effect;
      return 'service' in participant && participant.service === service;
    });
    const spreadMs = (woken.length / engineLimits.wakePerSecond) * 1000;
    for (const { mailbox, call } of woken) {
      const delayMs = Math.ceil(random.next() * spreadMs);
      const dueMs = clock.monotonicMs() + delayMs;
      if (call.timer !== null && call.timer.dueMs > dueMs) waitFor(mailbox, call, delayMs);
    }
  }

  function hasten(mailbox: Mailbox, participant: Effect['participant']): void {
    for (const call of mailbox.calls.values()) {
      if (isSame(call.effect.participant, participant)) hastenOne(mailbox, call);
    }
  }

  function hastenAll(mailbox: Mailbox): void {
    for (const call of mailbox.calls.values()) hastenOne(mailbox, call);
  }

  function hastenOne(mailbox: Mailbox, call: CallState): void {
    if (call.state === 'waiting') waitFor(mailbox, call, 0);
    else call.isHastened = true;
  }

  function rest(): void {
    isResting = true;
    for (const call of [...waiting.keys()]) stopWaiting(call);
  }

  return {
    sync,
    drop,
    wake,
    ask,
    hasten,
    hastenAll,
    inFlight: () => flying,
    rest,
    counters: () => ({ ...counters }),
  };
}

function isOwed({ tx }: Mailbox, { effect }: CallState): boolean {
  return tx !== null && outstanding(tx).some(({ key }) => key === effect.key);
}

/** Two-phase results wait for the calls still in flight, so that all share one record. */
function isWorthWaiting(mailbox: Mailbox): boolean {
  if (mailbox.tx?.mode !== 'transaction') return false;
  for (const call of mailbox.calls.values()) if (call.state === 'flying') return true;
  return false;
}

function newCall(effect: Effect, sinceMs: number): CallState {
  return {
    effect,
    state: 'flying',
    attempts: 0,
    sinceMs,
    lastError: null,
    nextAtMs: null,
    timer: null,
    isHastened: false,
  };
}

function isSame(one: Effect['participant'], other: Effect['participant']): boolean {
  if ('url' in one) return 'url' in other && one.url === other.url;
  return 'service' in other && one.service === other.service && one.method === other.method;
}

function toCall(gid: Transaction['gid'], effect: Effect): Call {
  const { branchId, operation, participant, payload } = effect;
  const method = 'method' in participant ? participant.method : '';
  const call: Call = { gid, branchId, operation, method, payload };
  if (effect.results === undefined) return call;
  const { results } = effect;
  return effect.result === undefined
    ? { ...call, results }
    : { ...call, results, result: effect.result };
}
