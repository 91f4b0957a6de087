/**
 * Answers that are held back: until what they show is durable, and on request until the transaction
 * is decided or completed, or the caller's patience is over.
 */
import type { Mailbox } from './mailbox.ts';
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

/** Calls `then` once: when the wish is reached, or after `waitMs`; in any case only with durable news. */
export function holdUntil(
  mailbox: Mailbox,
  want: Want,
  patience: { readonly timers: Timers; readonly waitMs: number },
  then: () => void,
): void {
  if (isShowable(mailbox) && isReached(mailbox, want)) {
    then();
    return;
  }
  let timer: Timer | null = null;
  let isPatient = true;
  const look = (isLast: boolean) => {
    if (isLast) isPatient = false;
    if (mailbox.state !== 'ready') return;
    if (!isShowable(mailbox) || (isPatient && !isReached(mailbox, want))) return;
    mailbox.watchers.delete(look);
    if (timer !== null) patience.timers.cancel(timer);
    then();
  };
  mailbox.watchers.add(look);
  if (want === 'shown') return;
  timer = patience.timers.after(patience.waitMs, () => look(true));
}
