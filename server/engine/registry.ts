/**
 * Which gids are in memory. A mailbox comes when a gid is begun, asked for or recovered, and goes
 * when nothing is left to do for it; what is asked later is read from the log.
 */
import type { Gid } from '../../client-sdk/protocol/index.ts';
import type { Replayed } from './codec.ts';
import { logAway } from './coordinator.ts';
import type { Loader } from './loader.ts';
import { createMailbox, type Mailbox, notify, type Post, refuseTask } from './mailbox.ts';
import { MailboxTable } from './mailbox-table.ts';
import type { Timers } from './timers.ts';

/** What the registry needs. */
export interface RegistryPorts {
  readonly loader: Loader;
  readonly timers: Timers;
  readonly post: () => Post;
  readonly isStopped: () => boolean;
}

/** The mailboxes of one engine. */
export interface Registry {
  readonly mailboxes: Pick<MailboxTable, 'get' | 'size' | 'values'>;
  /** The mailbox of a gid that may exist; read from the log when it is not in memory. */
  existing(gid: Gid): Mailbox;
  /** For a gid that is expected to be new: the log's compare-and-set tells when it is not. */
  fresh(gid: Gid): Mailbox;
  /** Recovery is about to read a page. */
  recoveryReads(): void;
  /** Takes in what recovery found; false when it is in memory, or was while the page was read. */
  recovered(gid: Gid, replayed: Replayed): boolean;
  /** Recovery has read its last page. */
  recoveryEnds(): void;
  /** Reads a mailbox's state again, until it succeeds. */
  reload(mailbox: Mailbox): void;
  /** Forgets the mailbox if nothing is left to do. */
  idle(mailbox: Mailbox): void;
  /** Open ones that recovery could not read: nothing drives them, and a human is needed. */
  readonly unreadableOpen: ReadonlySet<Gid>;
  /** Open or not, records of some gid could not be read since the start; it is not in memory. */
  hasUnreadable(): boolean;
  /** The term is over: every task and answer that waits is refused, everything is forgotten. */
  abandon(): void;
}

/** An empty registry. */
export function createRegistry(ports: RegistryPorts): Registry {
  const { loader, timers, isStopped } = ports;
  const mailboxes = new MailboxTable();
  // Ended since recovery began to read its page, which may show them open still.
  const ended = new Set<Gid>();
  // Found open by recovery while somebody's read of them was under way: these must be taken up.
  const owed = new Set<Mailbox>();
  const unreadableOpen = new Set<Gid>();
  let isRecovering = false;
  let hasUnreadable = false;

  function reload(mailbox: Mailbox): void {
    loader.load(mailbox.gid, true, (replayed) => {
      owed.delete(mailbox);
      if (!isStopped() && replayed !== 'unavailable') ports.post().loaded(mailbox, replayed);
    });
  }

  function open(gid: Gid, state: Mailbox['state'] & ('loading' | 'ready')): Mailbox {
    const mailbox = createMailbox(gid, state);
    mailboxes.add(mailbox);
    return mailbox;
  }

  function load(mailbox: Mailbox): Mailbox {
    loader.load(mailbox.gid, false, (replayed) => {
      if (isStopped()) return;
      const isOwed = owed.delete(mailbox);
      if (replayed !== 'unavailable') return ports.post().loaded(mailbox, replayed);
      if (isOwed) reload(mailbox);
      else mailboxes.delete(mailbox);
      const { code, detail } = logAway;
      for (const task of mailbox.tasks.splice(0)) refuseTask(task, code, detail);
    });
    return mailbox;
  }

  return {
    mailboxes,
    existing: (gid) => mailboxes.get(gid) ?? load(open(gid, 'loading')),
    fresh: (gid) => mailboxes.get(gid) ?? open(gid, 'ready'),
    recoveryReads() {
      isRecovering = true;
      ended.clear();
    },
    recoveryEnds() {
      isRecovering = false;
      ended.clear();
    },
    recovered(gid, replayed) {
      const known = mailboxes.get(gid);
      if (known?.state === 'loading') owed.add(known);
      if (known !== undefined || ended.has(gid)) return false;
      if (!replayed.ok) unreadableOpen.add(gid);
      ports.post().loaded(open(gid, 'loading'), replayed);
      return true;
    },
    reload,
    unreadableOpen,
    hasUnreadable: () => hasUnreadable,
    idle(mailbox) {
      if (!isIdle(mailbox)) return;
      if (mailbox.state === 'unreadable') hasUnreadable = true;
      if (mailbox.deadline !== null) timers.cancel(mailbox.deadline);
      mailboxes.delete(mailbox);
      // Without a state it was a request that was refused: the log may know of the gid all the same.
      if (isRecovering && mailbox.tx !== null) ended.add(mailbox.gid);
    },
    abandon() {
      for (const mailbox of mailboxes.values()) {
        const rows = [mailbox.flyingRow, mailbox.queuedRow];
        const tasks = [...rows.flatMap((row) => row?.tasks ?? []), ...mailbox.tasks];
        for (const task of tasks) refuseTask(task, 'FENCED', 'another coordinator took over');
        notify(mailbox, 'gone');
      }
      mailboxes.clear();
    },
  };
}

function isIdle(mailbox: Mailbox): boolean {
  const { state, tx, tasks, watchers, queuedRow, flyingRow } = mailbox;
  if (state === 'loading' || tasks.length > 0 || watchers.length > 0) return false;
  if (queuedRow !== null || flyingRow !== null) return false;
  return state === 'unreadable' || tx === null || tx.finishedAtMs !== null;
}
