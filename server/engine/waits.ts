/**
 * Answers that are held back: until what they show is durable, and on request until the transaction
 * is decided or completed, or the caller's patience is over.
 */
import type { Mailbox, News, Watcher } from './mailbox.ts';
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
  show(): void;
  /** What the answer was made from may not be so: the request is taken again, behind what was lost. */
  again(): void;
  /** What is waited for will never be seen here. */
  refuse(): void;
}

/** How long an answer is held at most, and by which timers. */
export interface Patience {
  readonly timers: Timers;
  readonly waitMs: number;
}

/** Holds the answer until the wish is reached, or for `waitMs`; shows in any case only durable news. */
export function holdUntil(mailbox: Mailbox, want: Want, patience: Patience, held: Held): void {
  if (isShowable(mailbox) && isReached(mailbox, want)) held.show();
  else new Hold(mailbox, want, patience, held).start();
}

/** One answer that is held back. */
class Hold implements Watcher {
  readonly #mailbox: Mailbox;
  readonly #want: Want;
  readonly #patience: Patience;
  readonly #held: Held;
  #timer: Timer | null = null;
  #isPatient = true;

  constructor(mailbox: Mailbox, want: Want, patience: Patience, held: Held) {
    this.#mailbox = mailbox;
    this.#want = want;
    this.#patience = patience;
    this.#held = held;
  }

  start(): void {
    this.#mailbox.watchers = [...this.#mailbox.watchers, this];
    if (this.#want === 'shown') return;
    const { timers, waitMs } = this.#patience;
    this.#timer = timers.after(waitMs, () => this.hear('last'));
  }

  hear(news: News): void {
    const mailbox = this.#mailbox;
    if (!mailbox.watchers.includes(this)) return;
    if (news === 'last') this.#isPatient = false;
    if (news === 'changed' || news === 'last') {
      if (mailbox.state !== 'ready' || !isShowable(mailbox)) return;
      if (this.#isPatient && !isReached(mailbox, this.#want)) return;
    }
    mailbox.watchers = mailbox.watchers.filter((watcher) => watcher !== this);
    if (this.#timer !== null) this.#patience.timers.cancel(this.#timer);
    if (news === 'gone') this.#held.refuse();
    else if (news === 'lost') this.#held.again();
    else this.#held.show();
  }
}
