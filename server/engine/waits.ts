/**
 * Answers that are held back: until what they show is durable, and on request until the transaction
 * is decided or completed, or the caller's patience is over.
 */
import type { Mailbox, News } from './mailbox.ts';
import type { Timer, Timers } from './timers.ts';

/** `shown`: only what must hold for any answer. */
export type Want = 'shown' | 'decided' | 'completed';

/** A decision is shown only once its record is durable (promise 3: "committed" means durable). */
function isShowable(mailbox: Mailbox): boolean {
  return mailbox.tx === null || mailbox.tx.phase === 'active' || mailbox.isDecisionDurable;
}

function isReached(mailbox: Mailbox, want: Want): boolean {
  if (mailbox.tx === null || want === 'shown') return true;
  if (want === 'decided') return mailbox.tx.phase !== 'active';
  return mailbox.tx.finishedAtMs !== null;
}

/** How the waiting ends: exactly one of these is called, once. */
export interface Held {
  readonly show: () => void;
  /** What the answer was made from may not be so: the request is taken again, behind what was lost. */
  readonly again: () => void;
  /** What is waited for will never be seen here. */
  readonly refuse: () => void;
}

/** Holds the answer until the wish is reached, or for `waitMs`; shows in any case only durable news. */
export function holdUntil(
  mailbox: Mailbox,
  want: Want,
  patience: { readonly timers: Timers; readonly waitMs: number },
  held: Held,
): void {
  if (isShowable(mailbox) && isReached(mailbox, want)) {
    held.show();
    return;
  }
  let timer: Timer | null = null;
  let isPatient = true;
  const look = (news: News) => {
    if (news === 'last') isPatient = false;
    if (news === 'changed' || news === 'last') {
      if (mailbox.state !== 'ready' || !isShowable(mailbox)) return;
      if (isPatient && !isReached(mailbox, want)) return;
    }
    mailbox.watchers.delete(look);
    if (timer !== null) patience.timers.cancel(timer);
    if (news === 'gone') held.refuse();
    else if (news === 'lost') held.again();
    else held.show();
  };
  mailbox.watchers.add(look);
  if (want === 'shown') return;
  timer = patience.timers.after(patience.waitMs, () => look('last'));
}
