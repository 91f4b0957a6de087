/**
 * One mailbox per gid: it takes one task at a time, so that between reading and writing a state
 * nothing can come in between. An urgent record closes the mailbox until it is durable; a lazy one
 * does not. What a lost slot (another row was there) had caused is taken back by reading the log and
 * taking its tasks again.
 */
import type { Gid } from '../../client-sdk/protocol/index.ts';
import type { OperationResult, TxEvent } from '../core/event.ts';
import { type Reply, type Step, step } from '../core/step.ts';
import type { Transaction } from '../core/transaction.ts';
import { gidHash, shardCount } from '../log/log.ts';
import type { Clock } from '../runtime/clock.ts';
import type { CallState } from './calls.ts';
import { indexRow, type Replayed } from './codec.ts';
import type { GroupCommit, PendingRow } from './group-commit.ts';
import type { RowUrgency } from './row-queues.ts';
import type { Timer } from './timers.ts';

/** `event` changes the transaction; `read` looks at it in its turn, when what it sees is durable. */
export type Task = EventTask | ReadTask;

/** Brings an event; `replied` is called once. */
export interface EventTask {
  readonly kind: 'event';
  readonly event: TxEvent;
  replied(reply: Reply): void;
}

/** Looks, and changes nothing. */
export interface ReadTask {
  readonly kind: 'read';
  look(): void;
  readonly failed: Failed;
}

/** Why a task could not be taken at all; nothing was stored for it. */
export type Failed = (code: 'INTERNAL' | 'LOG_UNAVAILABLE' | 'FENCED', detail: string) => void;

/**
 * - `changed`: look again;
 * - `last`: there will be no better time;
 * - `lost`: a record that never became durable may be what the answer was about, so ask again;
 * - `gone`: what is waited for will never be seen here (term over, or the log unreadable).
 */
export type News = 'changed' | 'last' | 'lost' | 'gone';

/** Waits for something to become durable or to change. */
export interface Watcher {
  hear(news: News): void;
}

/** All that is in memory of one gid. */
export interface Mailbox {
  readonly gid: Gid;
  readonly hash: number;
  readonly shard: number;
  /** The next one in the table of all mailboxes. */
  nextInBucket: Mailbox | null;
  /** `loading`: the log is being read. `unreadable`: it holds what this server does not know. */
  state: 'loading' | 'ready' | 'unreadable';
  unreadableReason: string;
  tx: Transaction | null;
  lastSeq: number;
  /** An urgent record is on its way to the log. */
  isClosed: boolean;
  readonly tasks: Task[];
  queuedRow: MailRow | null;
  flyingRow: MailRow | null;
  /** The record that holds the decision is durable, so answers may show it. */
  isDecisionDurable: boolean;
  /** Told when something that answers wait for has become durable or has changed; mostly none or one. */
  watchers: readonly Watcher[];
  readonly calls: Map<string, CallState>;
  /** Phase-two results that wait for the others, so that all share one record. */
  held: OperationResult[];
  deadline: Timer | null;
}

/** A pending row, with what must happen when its fate is known. */
export interface MailRow extends PendingRow<MailRow> {
  readonly mailbox: Mailbox;
  /** The tasks whose records it carries, to be taken again if it loses its slot. */
  readonly tasks: Task[];
  /** It carries the record that left phase `active`. */
  hasDecision: boolean;
  /** What is held until the row is durable: the reply and the effects of its urgent record. */
  held: HeldRelease | null;
}

interface HeldRelease {
  readonly task: EventTask;
  readonly reply: Reply;
  readonly before: Transaction | null;
}

/** What mailboxes need of the engine. */
export interface MailboxPorts {
  readonly commit: GroupCommit<MailRow>;
  readonly clock: Clock;
  /** State has changed and its effects may go out: sync calls, timers, counters. */
  readonly changed: (mailbox: Mailbox, before: Transaction | null) => void;
  /** State was read back from the log: everything it owes goes out. */
  readonly resumed: (mailbox: Mailbox) => void;
  /** A slot was lost: drop the calls, read the log again, then call `loaded`. */
  readonly reload: (mailbox: Mailbox) => void;
  /** An urgent record was written for this transaction. */
  readonly counted: (mailbox: Mailbox) => void;
  /** Nothing is under way any more; the mailbox may be forgotten. */
  readonly idle: (mailbox: Mailbox) => void;
}

/** An empty mailbox; `loading` until `loaded`, unless it is for a gid that is expected to be new. */
export function createMailbox(gid: Gid, state: 'loading' | 'ready'): Mailbox {
  const hash = gidHash(gid);
  return {
    gid,
    hash,
    shard: hash % shardCount,
    nextInBucket: null,
    state,
    unreadableReason: '',
    tx: null,
    lastSeq: 0,
    isClosed: false,
    tasks: [],
    queuedRow: null,
    flyingRow: null,
    isDecisionDurable: false,
    watchers: [],
    calls: new Map(),
    held: [],
    deadline: null,
  };
}

/** Delivers tasks to mailboxes. */
export interface Post {
  /** Puts a task at the end of the mailbox and takes what can be taken. */
  take(mailbox: Mailbox, task: Task): void;
  /** Gives a loading mailbox its state and takes what has waited. */
  loaded(mailbox: Mailbox, replayed: Replayed): void;
  /** A row's fate is known. */
  settled(row: MailRow, answer: 'appended' | 'conflict'): void;
}

/** A row goes into flight: later records of its gid open the next one. */
export function rowDeparted(row: MailRow): void {
  row.mailbox.queuedRow = null;
  row.mailbox.flyingRow = row;
}

/** A post over group commit. */
export function createPost(ports: MailboxPorts): Post {
  function take(mailbox: Mailbox, task: Task): void {
    if (mailbox.state === 'ready' && !mailbox.isClosed && mailbox.tasks.length === 0) {
      perform(mailbox, task);
      ports.idle(mailbox);
      return;
    }
    mailbox.tasks.push(task);
    drain(mailbox);
  }

  function drain(mailbox: Mailbox): void {
    while (mailbox.state === 'ready' && !mailbox.isClosed) {
      const task = mailbox.tasks.shift();
      if (task === undefined) break;
      perform(mailbox, task);
    }
    if (mailbox.state === 'unreadable') {
      for (const task of mailbox.tasks.splice(0))
        refuseTask(task, 'INTERNAL', mailbox.unreadableReason);
    }
    ports.idle(mailbox);
  }

  function perform(mailbox: Mailbox, task: Task): void {
    if (task.kind === 'read') {
      task.look();
      return;
    }
    const before = mailbox.tx;
    const result = step(before, task.event);
    if (result.record === null) {
      task.replied(result.reply);
      return;
    }
    mailbox.tx = result.next;
    const row = write(mailbox, result, before, task);
    if (result.urgency === 'lazy') {
      task.replied(result.reply);
      ports.changed(mailbox, before);
      return;
    }
    ports.counted(mailbox);
    mailbox.isClosed = true;
    row.held = { task, reply: result.reply, before };
  }

  /** Adds the record to the row that waits for a commit, or opens one in the next slot. */
  function write(mailbox: Mailbox, result: Step, before: Transaction | null, task: Task): MailRow {
    const record = JSON.stringify(result.record);
    const row = mailbox.queuedRow ?? openRow(mailbox, record, task);
    if (mailbox.queuedRow === null) mailbox.queuedRow = row;
    else {
      row.records.push(record);
      row.tasks.push(task);
    }
    const next = result.next as Transaction;
    if (isIndexChanged(before, next)) row.index = indexRow(next, mailbox.shard);
    if (next.phase !== 'active' && (before === null || before.phase === 'active')) {
      row.hasDecision = true;
    }
    row.urgency = urgencyOf(row, result, next);
    // While the row before it is in flight it must wait; it is put when that one has landed.
    if (mailbox.flyingRow === null) ports.commit.put(row);
    return row;
  }

  function openRow(mailbox: Mailbox, record: string, task: Task): MailRow {
    mailbox.lastSeq += 1;
    return {
      mailbox,
      gid: mailbox.gid,
      seq: mailbox.lastSeq,
      shard: mailbox.shard,
      records: [record],
      tasks: [task],
      atMs: ports.clock.nowMs(),
      sinceMs: ports.clock.monotonicMs(),
      index: null,
      urgency: 'patient',
      chain: null,
      before: null,
      after: null,
      hasDecision: false,
      held: null,
    };
  }

  function landed(mailbox: Mailbox, row: MailRow): void {
    mailbox.flyingRow = null;
    if (row.hasDecision) mailbox.isDecisionDurable = true;
    if (mailbox.queuedRow !== null) ports.commit.put(mailbox.queuedRow);
    if (row.held !== null) {
      const { task, reply, before } = row.held;
      mailbox.isClosed = false;
      task.replied(reply);
      ports.changed(mailbox, before);
    }
    if (row.hasDecision) notify(mailbox);
    drain(mailbox);
  }

  /** Another row stands in our slot: what we believed is out of date. Read, then take the tasks again. */
  function lost(mailbox: Mailbox, row: MailRow): void {
    const tasks = [...row.tasks];
    if (mailbox.queuedRow !== null) {
      ports.commit.remove(mailbox.queuedRow);
      tasks.push(...mailbox.queuedRow.tasks);
    }
    mailbox.tasks.unshift(...tasks);
    mailbox.queuedRow = null;
    mailbox.flyingRow = null;
    mailbox.isClosed = false;
    mailbox.state = 'loading';
    notify(mailbox, 'lost');
    ports.reload(mailbox);
  }

  function loaded(mailbox: Mailbox, replayed: Replayed): void {
    if (!replayed.ok) {
      mailbox.state = 'unreadable';
      mailbox.unreadableReason = replayed.reason;
    } else {
      mailbox.state = 'ready';
      mailbox.tx = replayed.tx;
      mailbox.lastSeq = replayed.lastSeq;
      mailbox.isDecisionDurable = replayed.tx !== null && replayed.tx.phase !== 'active';
      if (replayed.tx !== null) ports.resumed(mailbox);
    }
    notify(mailbox, replayed.ok ? 'changed' : 'gone');
    drain(mailbox);
  }

  function settled(row: MailRow, answer: 'appended' | 'conflict'): void {
    if (answer === 'appended') landed(row.mailbox, row);
    else lost(row.mailbox, row);
  }

  return { take, loaded, settled };
}

/** How soon the row must go, now that this record has joined it. It never becomes less urgent. */
function urgencyOf(row: MailRow, { urgency, record }: Step, next: Transaction): RowUrgency {
  const isHeld = row.urgency === 'urgent' || row.urgency === 'fresh';
  if (urgency === 'urgent' || isHeld) return row.seq === 1 ? 'fresh' : 'urgent';
  if (row.hasDecision) return 'waited';
  // The next step answers soon; a failed attempt is repeated much later, and nothing follows the end.
  const isFollowed = record?.kind === 'done' && next.finishedAtMs === null;
  return isFollowed ? row.urgency : 'lazy';
}

/** Tells those who wait for an answer. */
export function notify(mailbox: Mailbox, news: News = 'changed'): void {
  // Whoever has heard enough leaves by making a new list, so this one stays as it is.
  for (const watcher of mailbox.watchers) watcher.hear(news);
}

/** Answers a task that cannot be taken. */
export function refuseTask(task: Task, code: Parameters<Failed>[0], detail: string): void {
  if (task.kind === 'read') task.failed(code, detail);
  else task.replied({ kind: 'refused', code, detail });
}

/** The index shows begin, end and attention; the rest is in the records. */
function isIndexChanged(before: Transaction | null, next: Transaction): boolean {
  return (
    before === null ||
    before.finishedAtMs !== next.finishedAtMs ||
    before.attention !== next.attention
  );
}
