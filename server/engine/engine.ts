/**
 * The engine: everything that happens to a transaction goes through here as an event of its mailbox.
 * It wires mailboxes, group commit, timers, calls and recovery; what any event means is the core's
 * business. Nothing in here awaits: ports are called, and their answers come back as events.
 */
import type { Tracer } from '../../client-sdk/protocol/index.ts';
import type { TxEvent } from '../core/event.ts';
import type { Transaction } from '../core/transaction.ts';
import type { Transport } from '../dispatch/transport.ts';
import type { Term, TransactionLog } from '../log/log.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { createAdmission } from './admission.ts';
import { createCalls, type Happening } from './calls.ts';
import type { Coordinator, EngineStats } from './coordinator.ts';
import { createDeadlocks } from './deadlocks.ts';
import { createGroupCommit, type GroupCommit } from './group-commit.ts';
import { type EngineOptions, engineLimits } from './limits.ts';
import { createListing } from './listing.ts';
import { createLoader } from './loader.ts';
import {
  createPost,
  type Mailbox,
  type MailRow,
  notify,
  type Post,
  rowDeparted,
} from './mailbox.ts';
import { createPulse } from './pulse.ts';
import { createRegistry } from './registry.ts';
import { createRequests } from './requests.ts';
import { createSight } from './sight.ts';
import { createTally } from './tally.ts';
import { createTimers } from './timers.ts';
import { createEngineTrace } from './trace.ts';
import { createVerify } from './verify.ts';

/** What the engine needs of the impure world. */
export interface EnginePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: TransactionLog;
  readonly transports: readonly Transport[];
  readonly options: EngineOptions;
  /** Where spans go; without one none are made. */
  readonly tracer?: Tracer | undefined;
  /** The term is over: another coordinator has the log. Called once; the process should end. */
  readonly onFenced: () => void;
}

/** The coordinator and its life. */
export interface Engine extends Coordinator {
  /** Takes over the log and starts recovery. Throws when the log cannot be reached. */
  start(node: string, address: string): Promise<Term>;
  /** A service has connected: its waiting calls need not wait any longer. */
  participantReady(service: string): void;
  /** No new work; waits at most `graceMs` for what is under way; ends the term. Safe to repeat. */
  stop(graceMs: number): Promise<void>;
}

/** What changes over the engine's life. */
interface Life {
  state: EngineStats['state'];
  /** All open transactions of the log are in memory. */
  isRecovered: boolean;
  term: Term;
  commit: GroupCommit<MailRow> | null;
  post: Post | null;
}

/** An engine that has not started; `start` gives it its term. */
export function createEngine(ports: EnginePorts): Engine {
  const { clock, random, log, transports, options, tracer } = ports;
  const life: Life = {
    state: 'starting',
    isRecovered: false,
    term: { node: '', epoch: 0 },
    commit: null,
    post: null,
  };
  const isStopped = () => life.state === 'fenced' || life.state === 'stopped';
  const post = () => {
    if (life.post === null) throw new Error('the engine has not started');
    return life.post;
  };
  const stamp = () => ({ atMs: clock.nowMs(), epoch: life.term.epoch });
  const happen = (mailbox: Mailbox, body: Happening) => {
    if (isStopped()) return;
    const event: TxEvent = { ...body, ...stamp() };
    sight.changed(mailbox.gid);
    post().take(mailbox, { kind: 'event', event, replied: nobodyListens });
  };

  const trace = tracer === undefined ? null : createEngineTrace(tracer);
  const timers = createTimers(clock);
  const pulse = createPulse(clock);
  const tally = createTally(pulse);
  const epoch = () => life.term.epoch;
  const loader = createLoader({ clock, random, log, isStopped, epoch, sawLaterTerm: fenced });
  const calls = createCalls({
    ...{ clock, random, timers, pulse, transports, options, trace },
    happened: happen,
  });
  const registry = createRegistry({ loader, timers, post, isStopped });
  const { mailboxes } = registry;
  const commit = () => life.commit;
  const state = () => life.state;
  const admission = createAdmission({ clock, state, mailboxes, commit, transports, options });
  const deadlocks = createDeadlocks({ clock, admission, mailboxes });
  const listing = createListing({
    clock,
    log,
    mailboxes,
    isRecovered: () => life.isRecovered && !isStopped(),
    hasUnreadable: registry.hasUnreadable,
  });
  const sight = createSight({ clock, registry, pulse, deadlocks });
  const desk = { admission, registry, post, calls, timers, tally, options, trace, stamp };

  function fenced(): void {
    if (life.state === 'fenced') return;
    life.state = 'fenced';
    life.commit?.halt();
    // Late answers must not start calls again: the new term makes them now.
    calls.rest();
    timers.clear();
    registry.abandon();
    ports.onFenced();
  }

  /** Brings timers and calls in line with the state, and tells those who wait. */
  function resumed(mailbox: Mailbox): void {
    const { tx } = mailbox;
    if (tx === null) return;
    if (tx.phase !== 'active' && mailbox.deadline !== null) {
      timers.cancel(mailbox.deadline);
      mailbox.deadline = null;
    }
    if (tx.phase === 'active' && tx.deadlineAtMs !== null && mailbox.deadline === null) {
      const delayMs = Math.max(0, tx.deadlineAtMs - clock.nowMs());
      mailbox.deadline = timers.after(delayMs, () => {
        mailbox.deadline = null;
        happen(mailbox, { kind: 'deadline' });
      });
    }
    calls.sync(mailbox);
    notify(mailbox);
  }

  async function start(node: string, address: string): Promise<Term> {
    const term = await log.takeOver(node, address, clock.nowMs());
    life.term = term;
    life.commit = createGroupCommit<MailRow>({
      clock,
      random,
      log,
      term,
      departed: rowDeparted,
      settled: (row, answer) => post().settled(row, answer),
      answered: pulse.appended,
      onFenced: fenced,
    });
    life.post = createPost({
      commit: life.commit,
      clock,
      resumed,
      changed(mailbox: Mailbox, before: Transaction | null) {
        if (mailbox.tx !== null) {
          tally.changed(before, mailbox.tx);
          trace?.changed(before, mailbox.tx);
        }
        sight.changed(mailbox.gid);
        if (mailbox.tx?.phase !== 'active') deadlocks.decided(mailbox.gid);
        resumed(mailbox);
      },
      reload(mailbox: Mailbox) {
        calls.drop(mailbox);
        registry.reload(mailbox);
      },
      counted: (mailbox) => tally.urgent(mailbox.tx),
      idle: registry.idle,
    });
    recover();
    return term;
  }

  /** Takes up all open transactions of the log, while requests are served already. */
  function recover(): void {
    life.state = 'recovering';
    loader.recover(options.recoveryPerSecond, {
      started: registry.recoveryReads,
      found: (gid, replayed) => {
        if (registry.recovered(gid, replayed)) tally.recovered();
      },
      finished: () => {
        registry.recoveryEnds();
        life.isRecovered = true;
        if (life.state === 'recovering') life.state = 'running';
      },
    });
  }

  function stop(graceMs: number): Promise<void> {
    if (isStopped()) return Promise.resolve();
    life.state = 'stopping';
    calls.rest();
    return new Promise((resolve) => {
      drain(clock.monotonicMs() + graceMs, () => {
        // Who still waits for an end hears where it is now.
        for (const mailbox of mailboxes.values()) notify(mailbox, 'last');
        if (life.state === 'stopping') life.state = 'stopped';
        life.commit?.halt();
        timers.clear();
        log.release(life.term).then(resolve, resolve);
      });
    });
  }

  /** Calls `then` when nothing is under way any more, or when the time is over. */
  function drain(endMs: number, then: () => void): void {
    const isDrained = (life.commit?.pendingRows() ?? 0) === 0 && calls.inFlight() === 0;
    if (isDrained || clock.monotonicMs() >= endMs || life.state !== 'stopping') return then();
    clock.after(engineLimits.drainPollMs, () => drain(endMs, then));
  }

  function stats(): EngineStats {
    const { retries, ...answers } = calls.counters();
    const none = { commits: 0, rows: 0, unknownAppends: 0, conflicts: 0 };
    return {
      state: life.state,
      epoch: life.term.epoch,
      ...tally.counters(),
      open: mailboxes.size,
      pendingRows: life.commit?.pendingRows() ?? 0,
      oldestPendingMs: life.commit?.oldestPendingMs() ?? 0,
      timers: timers.size(),
      callsInFlight: calls.inFlight(),
      ...(life.commit?.counters() ?? none),
      calls: answers,
      retries,
      deadlocks: deadlocks.found(),
    };
  }

  return {
    ...createRequests(desk),
    ...listing,
    reportWaits: deadlocks.reportWaits,
    ...sight.shown,
    verify: createVerify({ log, list: listing.list }),
    stats,
    start,
    stop,
    participantReady: calls.wake,
  };
}

/** Timers and participants' results hear nothing. */
function nobodyListens(): void {}
