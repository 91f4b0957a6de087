/**
 * Answers that are known at once but must not leave before `call` has returned. All of one tick
 * share one callback of the clock.
 */
import type { CallAnswer } from '../../client-sdk/protocol/index.ts';
import type { Clock } from '../runtime/clock.ts';

/** Who waits for the answer to a call. */
export type Answered = (answer: CallAnswer) => void;

interface Waiting {
  readonly answered: Answered;
  readonly answer: CallAnswer | (() => CallAnswer);
}

/** Delivers answers at the end of the tick, in order. */
export class Later {
  readonly #clock: Clock;
  #waiting: Waiting[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `answered` after the running code has returned, with what is true by then. */
  deliver(answered: Answered, answer: CallAnswer | (() => CallAnswer)): void {
    if (this.#waiting.length === 0) this.#clock.soon(() => this.#flush());
    this.#waiting.push({ answered, answer });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { answered, answer } of waiting) {
      answered(typeof answer === 'function' ? answer() : answer);
    }
  }
}

/** The answer when surely nobody was asked: such an attempt decides nothing. */
export function notAsked(error: string, retryAfterMs?: number): CallAnswer {
  return retryAfterMs === undefined
    ? { outcome: 'unknown', error, asked: false }
    : { outcome: 'unknown', error, asked: false, retryAfterMs };
}
