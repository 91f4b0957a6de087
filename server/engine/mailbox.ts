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
import { shardOf } from '../log/log.ts';
import type { Clock } from '../runtime/clock.ts';
import type { CallState } from './calls.ts';
import { indexRow, type Replayed } from './codec.ts';
import type { GroupCommit, PendingRow } from './group-commit.ts';
import type { Timer } from './timers.ts';

/** `event` changes the transaction; `read` looks at it in its turn, when what it sees is durable. */
export type Task =
  | { readonly kind: 'event'; readonly event: TxEvent; readonly replied: (reply: Reply) => void }
  | { readonly kind: 'read'; readonly look: () => void; readonly failed: Failed };

/** Why a task could not be taken at all; nothing was stored for it. */
export type Failed = (code: 'INTERNAL' | 'LOG_UNAVAILABLE' | 'FENCED', detail: string) => void;

/**
 * - `changed`: look again;
 * - `last`: there will be no better time;
 * - `lost`: a record that never became durable may be what the answer was about, so ask again;
 * - `gone`: what is waited for will never be seen here (term over, or the log unreadable).
 */
export type News = 'changed' | 'last' | 'lost' | 'gone';

/** All that is in memory of one gid. */
export interface Mailbox {
  readonly gid: Gid;
  readonly shard: number;
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
  /** Run when something that answers wait for has become durable or has changed. */
  readonly watchers: Set<(news: News) => void>;
  readonly calls: Map<string, CallState>;
  /** Phase-two results that wait for the others, so that all share one record. */
  held: OperationResult[];
  deadline: Timer | null;
}

/** A pending row and the tasks whose records it carries, to be taken again if it loses its slot. */
interface MailRow extends PendingRow {
  readonly tasks: Task[];
}

/** What mailboxes need of the engine. */
export interface MailboxPorts {
  readonly commit: GroupCommit;
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
  return {
    gid,
    shard: shardOf(gid),
    state,
    unreadableReason: '',
    tx: null,
    lastSeq: 0,
    isClosed: false,
    tasks: [],
    queuedRow: null,
    flyingRow: null,
    isDecisionDurable: false,
    watchers: new Set(),
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
    const release = () => {
      task.replied(result.reply);
      ports.changed(mailbox, before);
    };
    if (result.urgency === 'lazy') {
      release();
      return;
    }
    ports.counted(mailbox);
    mailbox.isClosed = true;
    row.released = release;
  }

  /** Adds the record to the row that waits for a commit, or opens one in the next slot. */
  function write(mailbox: Mailbox, result: Step, before: Transaction | null, task: Task): OpenRow {
    const row = (mailbox.queuedRow as OpenRow | null) ?? openRow(mailbox);
    row.records.push(JSON.stringify(result.record));
    row.tasks.push(task);
    const next = result.next as Transaction;
    if (isIndexChanged(before, next)) row.index = indexRow(next, mailbox.shard);
    if (next.phase !== 'active' && (before === null || before.phase === 'active')) {
      row.hasDecision = true;
    }
    if (result.urgency === 'urgent') row.urgency = 'urgent';
    else if (row.hasDecision && row.urgency === 'lazy') row.urgency = 'waited';
    // While the row before it is in flight it must wait; it is put when that one has landed.
    if (mailbox.flyingRow === null) ports.commit.put(row);
    return row;
  }

  function openRow(mailbox: Mailbox): OpenRow {
    mailbox.lastSeq += 1;
    const row: OpenRow = {
      gid: mailbox.gid,
      seq: mailbox.lastSeq,
      shard: mailbox.shard,
      records: [],
      tasks: [],
      atMs: ports.clock.nowMs(),
      sinceMs: ports.clock.monotonicMs(),
      index: null,
      urgency: 'lazy',
      hasDecision: false,
      released: null,
      departed() {
        mailbox.queuedRow = null;
        mailbox.flyingRow = row;
      },
      settled: (answer) => (answer === 'appended' ? landed(mailbox, row) : lost(mailbox, row)),
    };
    mailbox.queuedRow = row;
    return row;
  }

  function landed(mailbox: Mailbox, row: OpenRow): void {
    mailbox.flyingRow = null;
    if (row.hasDecision) mailbox.isDecisionDurable = true;
    if (mailbox.queuedRow !== null) ports.commit.put(mailbox.queuedRow);
    if (row.released !== null) {
      mailbox.isClosed = false;
      row.released();
    }
    if (row.hasDecision) notify(mailbox);
    drain(mailbox);
  }

  /** Another row stands in our slot: what we believed is out of date. Read, then take the tasks again. */
  function lost(mailbox: Mailbox, row: OpenRow): void {
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

  return { take, loaded };
}

interface OpenRow extends MailRow {
  /** It carries the record that left phase `active`. */
  hasDecision: boolean;
  /** What was held until the row is durable: the reply and the effects of its urgent record. */
  released: (() => void) | null;
}

/** Tells those who wait for an answer. */
export function notify(mailbox: Mailbox, news: News = 'changed'): void {
  for (const watcher of [...mailbox.watchers]) watcher(news);
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
