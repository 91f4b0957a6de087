/**
 * Time-outs of many calls with one timer: a call is put into the slot of the tick at which it is
 * due, and each tick empties one slot. Adding and removing cost one set operation, whatever the
 * time-outs are. The timer is armed only while something waits.
 *
 * Time is counted in ticks, not read off the wall: each tick advances by what the clock says has
 * passed, at least one tick and at most a second, so a wall clock that jumps neither ends calls
 * early nor keeps them for ever.
 */
import type { Clock } from '../runtime/clock.ts';
import { deadlineLimits } from './limits.ts';

/** What can be due. Only {@link Deadlines} touches the field. */
export interface Due {
  /** Tick at which it is due; 0 while it waits for nothing. */
  dueTick: number;
}

const { tickMs, tickMsMax } = deadlineLimits;

/** The time-outs of everything that one transport has under way. */
export class Deadlines<T extends Due> {
  readonly #clock: Clock;
  readonly #expired: (item: T) => void;
  readonly #slots = new Map<number, Set<T>>();
  #tick = 0;
  #atMs = 0;
  #disarm: (() => void) | null = null;

  /** `expired` is called once for each item whose time is over; it may add and remove items. */
  constructor(clock: Clock, expired: (item: T) => void) {
    this.#clock = clock;
    this.#expired = expired;
  }

  /** Starts its time; exact to {@link deadlineLimits.tickMs}. The item must not wait already. */
  add(item: T, timeoutMs: number): void {
    if (this.#disarm === null) this.#arm(this.#clock.nowMs());
    item.dueTick = this.#tick + Math.max(1, Math.ceil(timeoutMs / tickMs));
    const slot = this.#slots.get(item.dueTick);
    if (slot === undefined) this.#slots.set(item.dueTick, new Set<T>().add(item));
    else slot.add(item);
  }

  /** Stops its time. Safe to repeat. */
  delete(item: T): void {
    const slot = this.#slots.get(item.dueTick);
    if (slot?.delete(item) === true && slot.size === 0) this.#slots.delete(item.dueTick);
    item.dueTick = 0;
  }

  /** Forgets everything; nothing is called back. */
  clear(): void {
    this.#slots.clear();
    this.#disarm?.();
    this.#disarm = null;
  }

  #arm(nowMs: number): void {
    this.#atMs = nowMs;
    this.#disarm = this.#clock.after(tickMs, () => this.#advance());
  }

  #advance(): void {
    const nowMs = this.#clock.nowMs();
    const elapsedMs = Math.min(Math.max(nowMs - this.#atMs, tickMs), tickMsMax);
    const target = this.#tick + Math.floor(elapsedMs / tickMs);
    // What is short of a whole tick counts next time, unless the clock went astray.
    const restMs = elapsedMs === nowMs - this.#atMs ? elapsedMs % tickMs : 0;
    while (this.#tick < target) {
      this.#tick += 1;
      this.#empty();
    }
    this.#disarm = null;
    if (this.#slots.size > 0) this.#arm(nowMs - restMs);
  }

  #empty(): void {
    const slot = this.#slots.get(this.#tick);
    if (slot === undefined) return;
    this.#slots.delete(this.#tick);
    for (const item of slot) {
      // Removed by hand while its neighbours expired: the slot is out of the map by then.
      if (item.dueTick !== this.#tick) continue;
      item.dueTick = 0;
      this.#expired(item);
    }
  }
}
