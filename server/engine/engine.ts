/**
 * The engine: everything that happens to a transaction goes through here as an event of its mailbox.
 * It wires mailboxes, group commit, timers, calls and recovery; what any event means is the core's
 * business. Nothing in here awaits: ports are called, and their answers come back as events.
 */
import type {
  BeginRequest,
  DecideRequest,
  GetRequest,
  Gid,
  ListAnswer,
  ListRequest,
  RegisterRequest,
  SubmitRequest,
  TransactionAnswer,
  TransactionView,
  TryAnswer,
  TryRequest,
} from '../../client-sdk/protocol/index.ts';
import { limits } from '../../client-sdk/protocol/index.ts';
import type { TxEvent } from '../core/event.ts';
import type { Reply } from '../core/step.ts';
import type { Transaction } from '../core/transaction.ts';
import type { Transport } from '../dispatch/transport.ts';
import type { Term, TransactionLog } from '../log/log.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { type Calls, createCalls } from './calls.ts';
import type { Replayed } from './codec.ts';
import type { Answer, Answered, Coordinator, EngineStats, Refusal } from './coordinator.ts';
import { createGroupCommit, type GroupCommit } from './group-commit.ts';
import { beginEvent, checkTargets, registerEvent, submitEvent } from './intake.ts';
import { type EngineOptions, engineLimits } from './limits.ts';
import { createListing } from './listing.ts';
import { createLoader, type Loader } from './loader.ts';
import {
  createMailbox,
  createPost,
  type Mailbox,
  notify,
  type Post,
  refuseTask,
} from './mailbox.ts';
import { createTally } from './tally.ts';
import { createTimers } from './timers.ts';
import { passTry } from './try.ts';
import { toAnswer, toView } from './view.ts';
import { holdUntil, type Want } from './waits.ts';

export interface EnginePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: TransactionLog;
  readonly transports: readonly Transport[];
  readonly options: EngineOptions;
  /** The term is over: another coordinator has the log. Called once; the process should end. */
  readonly onFenced: () => void;
}

export interface Engine extends Coordinator {
  /** Takes over the log and starts recovery. Throws when the log cannot be reached. */
  start(node: string, address: string): Promise<Term>;
  /** A service has connected: its waiting calls need not wait any longer. */
  participantReady(service: string): void;
  /** No new work; waits at most `graceMs` for what is under way; ends the term. Safe to repeat. */
  stop(graceMs: number): Promise<void>;
}

type Body = TxEvent extends infer E
  ? E extends TxEvent
    ? Omit<E, 'atMs' | 'epoch'>
    : never
  : never;

export function createEngine(ports: EnginePorts): Engine {
  const { clock, random, log, transports, options } = ports;
  const timers = createTimers(clock);
  const tally = createTally();
  const mailboxes = new Map<Gid, Mailbox>();
  let state: EngineStats['state'] = 'starting';
  let term: Term = { node: '', epoch: 0 };
  let commit: GroupCommit | null = null;
  let post: Post;
  const isStopped = () => state === 'fenced' || state === 'stopped';

  const loader: Loader = createLoader({ clock, random, log, isStopped });
  const calls: Calls = createCalls({
    clock,
    random,
    timers,
    transports,
    options,
    happened: (mailbox, happening) => happen(mailbox, happening),
  });
  const listing = createListing({ log, loadedTx: (gid) => mailboxes.get(gid)?.tx ?? null });

  const stamp = () => ({ atMs: clock.nowMs(), epoch: term.epoch });

  function happen(mailbox: Mailbox, body: Body): void {
    if (isStopped()) return;
    const event = { ...body, ...stamp() } as TxEvent;
    post.take(mailbox, { kind: 'event', event, replied: () => {} });
  }

  function changed(mailbox: Mailbox, before: Transaction | null): void {
    const { tx } = mailbox;
    if (tx === null) return;
    tally.changed(before, tx);
    resumed(mailbox);
  }

  /** Brings timers and calls in line with the state. */
  function resumed(mailbox: Mailbox): void {
    const { tx } = mailbox;
    if (tx === null) return;
    if (tx.phase !== 'active' && mailbox.deadline !== null) {
      timers.cancel(mailbox.deadline);
      mailbox.deadline = null;
    }
    if (tx.phase === 'active' && tx.deadlineAtMs !== null && mailbox.deadline === null) {
      mailbox.deadline = timers.at(tx.deadlineAtMs, () => {
        mailbox.deadline = null;
        happen(mailbox, { kind: 'deadline' });
      });
    }
    calls.sync(mailbox);
    notify(mailbox);
  }

  /** Forgets a mailbox that has nothing left to do: what is asked later is read from the log. */
  function idle(mailbox: Mailbox): void {
    const { tx } = mailbox;
    if (mailbox.state === 'loading' || mailbox.tasks.length > 0 || mailbox.watchers.size > 0)
      return;
    if (mailbox.queuedRow !== null || mailbox.flyingRow !== null) return;
    if (mailbox.state === 'ready' && tx !== null && tx.finishedAtMs === null) return;
    if (mailbox.deadline !== null) timers.cancel(mailbox.deadline);
    if (mailboxes.get(mailbox.gid) === mailbox) mailboxes.delete(mailbox.gid);
  }

  function fenced(): void {
    state = 'fenced';
    commit?.halt();
    timers.clear();
    for (const mailbox of mailboxes.values()) {
      const rows = [mailbox.flyingRow, mailbox.queuedRow];
      const tasks = [...rows.flatMap((row) => row?.tasks ?? []), ...mailbox.tasks];
      for (const task of tasks) refuseTask(task, 'FENCED', 'another coordinator took over');
    }
    mailboxes.clear();
    ports.onFenced();
  }

  /** The mailbox of a gid that may exist; read from the log when it is not in memory. */
  function existing(gid: Gid): Mailbox {
    const known = mailboxes.get(gid);
    if (known !== undefined) return known;
    const mailbox = createMailbox(gid, 'loading');
    mailboxes.set(gid, mailbox);
    loader.load(gid, false, (replayed) => {
      if (isStopped()) return;
      if (replayed !== 'unavailable') {
        post.loaded(mailbox, replayed);
        return;
      }
      mailboxes.delete(gid);
      const detail = 'the log cannot be read at the moment';
      for (const task of mailbox.tasks.splice(0)) refuseTask(task, 'LOG_UNAVAILABLE', detail);
    });
    return mailbox;
  }

  /** A new gid is expected to be new: the log's compare-and-set tells when it is not. */
  function fresh(gid: Gid): Mailbox {
    const known = mailboxes.get(gid);
    if (known !== undefined) return known;
    const mailbox = createMailbox(gid, 'ready');
    mailboxes.set(gid, mailbox);
    return mailbox;
  }

  function reload(mailbox: Mailbox): void {
    loader.load(mailbox.gid, true, (replayed) => {
      if (!isStopped() && replayed !== 'unavailable') post.loaded(mailbox, replayed);
    });
  }

  /** Early refusal: nothing has been stored, and the caller may come again. */
  function refuseNewWork(): Refusal | null {
    if (state === 'fenced') return refusal('FENCED', 'another coordinator took over', 1_000);
    if (state === 'starting' || state === 'stopping' || state === 'stopped') {
      return refusal('STOPPING', `the coordinator is ${state}`, 500);
    }
    if (mailboxes.size >= options.openTransactionsMax) {
      return refusal('OVERLOADED', `${mailboxes.size} transactions are open`, 1_000);
    }
    if (commit === null || commit.oldestPendingMs() > options.logStallMs) {
      return refusal('LOG_UNAVAILABLE', `no commit for more than ${options.logStallMs} ms`, 1_000);
    }
    if (commit.pendingRows() < options.pendingRowsMax) return null;
    return refusal('OVERLOADED', `${commit.pendingRows()} rows wait for the log`, 200);
  }

  function refuseAnyWork(gid: Gid): Refusal | null {
    if (state === 'fenced') return refusal('FENCED', 'another coordinator took over', 1_000);
    if (state === 'starting' || state === 'stopped') {
      return refusal('STOPPING', `the coordinator is ${state}`, 500);
    }
    const waiting = mailboxes.get(gid)?.tasks.length ?? 0;
    if (waiting < engineLimits.mailboxTasksMax) return null;
    return refusal('OVERLOADED', `${waiting} requests wait for this gid`, 1_000);
  }

  const reaches = (participant: Parameters<Transport['reaches']>[0]) =>
    transports.some((transport) => transport.reaches(participant));

  /** Takes an initiator's event and answers when the wish is reached. */
  function submitEventTo(
    mailbox: Mailbox,
    event: TxEvent,
    wish: { readonly want: Want; readonly waitMs: number; readonly showIds: boolean },
    answered: Answered<TransactionAnswer>,
  ): void {
    const replied = (reply: Reply) => {
      const patience = { timers, dueMs: clock.nowMs() + wish.waitMs };
      if (reply.kind === 'refused') {
        // A refusal may show a decision (ALREADY_…), so it waits like any answer.
        holdUntil(mailbox, 'shown', patience, () => answered({ ok: false, ...refusalOf(reply) }));
        return;
      }
      const branchIds = wish.showIds && reply.kind === 'accepted' ? reply.branchIds : null;
      if (mailbox.tx?.mode === 'saga' && mailbox.tx.finishedAtMs === null) tally.waited(wish.want);
      holdUntil(mailbox, wish.want, patience, () => {
        if (mailbox.tx !== null) answered({ ok: true, body: toAnswer(mailbox.tx, branchIds) });
      });
    };
    post.take(mailbox, { kind: 'event', event, replied });
  }

  function begin(request: BeginRequest, answered: Answered<TransactionAnswer>): void {
    const refused = refuseNewWork() ?? checkTargets(request.branches ?? [], reaches);
    if (refused !== null) return answered(refused);
    const event = beginEvent(request, options, stamp());
    const wish = { want: 'shown', waitMs: 0, showIds: true } as const;
    submitEventTo(fresh(request.gid), event, wish, answered);
  }

  function submit(request: SubmitRequest, answered: Answered<TransactionAnswer>): void {
    const refused = refuseNewWork() ?? checkTargets(request.steps, reaches);
    if (refused !== null) return answered(refused);
    const want = request.wait === 'submitted' ? 'shown' : 'completed';
    const waitMs = patienceMs(request.waitMs, engineLimits.submitWaitMs);
    const wish = { want, waitMs, showIds: false } as const;
    submitEventTo(fresh(request.gid), submitEvent(request, stamp()), wish, answered);
  }

  function register(request: RegisterRequest, answered: Answered<TransactionAnswer>): void {
    const refused = refuseAnyWork(request.gid) ?? checkTargets(request.branches, reaches);
    if (refused !== null) return answered(refused);
    const wish = { want: 'shown', waitMs: 0, showIds: true } as const;
    submitEventTo(existing(request.gid), registerEvent(request, stamp()), wish, answered);
  }

  function decide(request: DecideRequest, answered: Answered<TransactionAnswer>): void {
    const refused = refuseAnyWork(request.gid);
    if (refused !== null) return answered(refused);
    const { direction } = request;
    const reason = request.reason?.slice(0, limits.detailLengthMax) ?? null;
    const event: TxEvent = { kind: 'decide', direction, reason, ...stamp() };
    const waitMs = patienceMs(request.waitMs, engineLimits.decideWaitMs);
    const wish = { want: request.wait ?? 'completed', waitMs, showIds: false };
    submitEventTo(existing(request.gid), event, wish, answered);
  }

  /** Looks at a transaction in its turn. */
  function look<T>(
    gid: Gid,
    answered: Answered<T>,
    found: (mailbox: Mailbox, tx: Transaction) => void,
  ): void {
    const refused = refuseAnyWork(gid);
    if (refused !== null) return answered(refused);
    const mailbox = existing(gid);
    post.take(mailbox, {
      kind: 'read',
      failed: (code, detail) => answered({ ok: false, code, detail }),
      look: () => {
        if (mailbox.tx !== null) return found(mailbox, mailbox.tx);
        answered(refusal('NOT_FOUND', 'nothing was begun under this gid'));
      },
    });
  }

  function get(request: GetRequest, answered: Answered<TransactionView>): void {
    look(request.gid, answered, (mailbox) => {
      const waitMs = patienceMs(request.waitMs, engineLimits.decideWaitMs);
      const patience = { timers, dueMs: clock.nowMs() + waitMs };
      holdUntil(mailbox, request.wait ?? 'shown', patience, () => {
        if (mailbox.tx !== null) answered({ ok: true, body: toView(mailbox, mailbox.tx) });
      });
    });
  }

  function tryBranch(request: TryRequest, answered: Answered<TryAnswer>): void {
    look(request.gid, answered, (_, tx) => passTry(tx, request.branchId, calls, answered));
  }

  function list(request: ListRequest, answered: (answer: Answer<ListAnswer>) => void): void {
    if (isStopped()) return answered(refusal('STOPPING', `the coordinator is ${state}`, 500));
    listing.list(request, answered);
  }

  async function start(node: string, address: string): Promise<Term> {
    term = await log.takeOver(node, address, clock.nowMs());
    commit = createGroupCommit({ clock, random, log, term, onFenced: fenced });
    post = createPost({
      commit,
      nowMs: () => clock.nowMs(),
      changed,
      resumed,
      reload,
      counted: (mailbox) => tally.urgent(mailbox.tx),
      idle,
    });
    state = 'recovering';
    loader.recover(options.recoveryPerSecond, recovered, () => {
      if (state === 'recovering') state = 'running';
    });
    return term;
  }

  function recovered(gid: Gid, replayed: Replayed): void {
    if (mailboxes.has(gid)) return;
    tally.recovered();
    const mailbox = createMailbox(gid, 'loading');
    mailboxes.set(gid, mailbox);
    post.loaded(mailbox, replayed);
  }

  function stop(graceMs: number): Promise<void> {
    if (isStopped()) return Promise.resolve();
    state = 'stopping';
    const endMs = clock.nowMs() + graceMs;
    return new Promise((resolve) => {
      const check = () => {
        const isDrained = (commit?.pendingRows() ?? 0) === 0 && calls.inFlight() === 0;
        if (!isDrained && clock.nowMs() < endMs && state === 'stopping') {
          clock.after(engineLimits.drainPollMs, check);
          return;
        }
        if (state === 'stopping') state = 'stopped';
        commit?.halt();
        timers.clear();
        log.release(term).then(resolve, resolve);
      };
      check();
    });
  }

  function stats(): EngineStats {
    const { retries, ...answers } = calls.counters();
    const none = { commits: 0, rows: 0, unknownAppends: 0, conflicts: 0 };
    return {
      state,
      epoch: term.epoch,
      ...tally.counters(),
      open: mailboxes.size,
      pendingRows: commit?.pendingRows() ?? 0,
      oldestPendingMs: commit?.oldestPendingMs() ?? 0,
      timers: timers.size(),
      callsInFlight: calls.inFlight(),
      ...(commit?.counters() ?? none),
      calls: answers,
      retries,
    };
  }

  const participantReady = (service: string) => calls.wake(service);
  return {
    begin,
    submit,
    register,
    decide,
    get,
    tryBranch,
    list,
    start,
    stop,
    stats,
    participantReady,
  };
}

function patienceMs(asked: number | undefined, otherwise: number): number {
  return Math.min(asked ?? otherwise, engineLimits.waitMsMax);
}

function refusal(code: Refusal['code'], detail: string, retryAfterMs?: number): Refusal {
  return { ok: false, code, detail, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

function refusalOf(reply: Extract<Reply, { kind: 'refused' }>): Pick<Refusal, 'code' | 'detail'> {
  return { code: reply.code, detail: reply.detail };
}
