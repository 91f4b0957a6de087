/**
 * A clock for tests over real sockets: the end of a tick is the real one, timers fire only when the
 * test moves time.
 */
import type { Clock } from '../../server/runtime/clock.ts';
import { createVirtualTime } from './virtual-time.ts';

export interface SteppedClock {
  readonly clock: Clock;
  /** Moves on by that much, running what falls due on the way. */
  advance(ms: number): Promise<void>;
}

/** Starts at virtual time's default. */
export function createSteppedClock(): SteppedClock {
  const time = createVirtualTime();
  const clock = { ...time.clock, soon: (callback: () => void) => void setImmediate(callback) };
  return { clock, advance: time.advance };
}
