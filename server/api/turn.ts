/**
 * How much all connections together take in one turn of the event loop. Node reads up to 2 MB from
 * each socket before it does anything else; with many clients that is thousands of requests, and the
 * log gets its next commit only after the last of them. Whoever has brought too much waits for the
 * next turn, unread: the network's own back-pressure does the rest.
 */

/** Counts what is taken between two ends of a tick. */
export class Turn {
  readonly #soon: (callback: () => void) => void;
  readonly #messagesMax: number;
  #taken = 0;
  #isCounting = false;
  #waiting: (() => void)[] = [];

  /** `soon` calls back at the end of the tick. */
  constructor(soon: (callback: () => void) => void, messagesMax: number) {
    this.#soon = soon;
    this.#messagesMax = messagesMax;
  }

  /** So many messages were taken; true when that is enough for this turn. */
  take(messages: number): boolean {
    this.#taken += messages;
    if (!this.#isCounting) {
      this.#isCounting = true;
      this.#soon(() => this.#end());
    }
    return this.#taken >= this.#messagesMax;
  }

  /** Calls back when the next turn begins; only after `take` was true. */
  next(callback: () => void): void {
    this.#waiting.push(callback);
  }

  #end(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#taken = 0;
    this.#isCounting = false;
    for (const callback of waiting) callback();
  }
}
