/**
 * When answers of calls over HTTP are delivered. A response is a packet of its own, unlike a frame
 * of the channel, so each one would make the engine append, commit and send alone what it could do
 * together: while many calls to an origin are under way, an answer waits a moment for others.
 * Invariant: each answer is delivered once, in a tick of its own, in order.
 */
import type { CallAnswer } from '../../client-sdk/protocol/index.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Answered } from './later.ts';
import { gatheringLimits } from './limits.ts';

interface Waiting {
  readonly answered: Answered;
  readonly answer: CallAnswer;
}

/** Answers that wait for the end of the tick, or a moment longer for company. */
export class Gathering {
  readonly #clock: Clock;
  #waiting: Waiting[] = [];
  #isSoon = false;
  #disarm: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Calls `answered` after the running code has returned: at the end of the tick, or, when so many
   * calls to its origin are `underWay` that others will come, a moment later.
   */
  deliver(answered: Answered, answer: CallAnswer, underWay: number): void {
    this.#waiting.push({ answered, answer });
    if (this.#isSoon) return;
    if (underWay < gatheringLimits.underWayMin) {
      this.#isSoon = true;
      this.#clock.soon(() => this.flush());
      return;
    }
    this.#disarm ??= this.#clock.after(gatheringLimits.waitMs, () => this.flush());
  }

  /** Delivers what waits; not from inside of `call` or of a callback of undici. */
  flush(): void {
    this.#disarm?.();
    this.#disarm = null;
    this.#isSoon = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { answered, answer } of waiting) answered(answer);
  }
}
