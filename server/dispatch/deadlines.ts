/**
 * Time-outs of many calls with one timer: a call is put into the slot of the tick at which it is
 * due, and each tick empties one slot. Adding and removing cost one set operation, whatever the
 * time-outs are. The timer is armed only while something waits.
 * Time is the monotonic one: a wall clock that jumps neither ends calls early nor keeps them for ever.
 */
import { Chain, type Linked } from '../runtime/chain.ts';
import type { Clock } from '../runtime/clock.ts';
import { deadlineLimits } from './limits.ts';

/** What can be due. Only {@link Deadlines} touches its fields. */
export interface Due<Self> extends Linked<Self> {
  /** Tick at which it is due; 0 while it waits for nothing. */
  dueTick: number;
}

const { tickMs } = deadlineLimits;

/** The time-outs of everything that one transport has under way. */
export class Deadlines<T extends Due<T>> {
  readonly #clock: Clock;
  readonly #expired: (item: T) => void;
  readonly #slots = new Map<number, Chain<T>>();
  /** The last tick whose slot was emptied. */
  #tick = 0;
  #disarm: (() => void) | null = null;

  /** `expired` is called once for each item whose time is over; it may add and remove items. */
  constructor(clock: Clock, expired: (item: T) => void) {
    this.#clock = clock;
    this.#expired = expired;
  }

  /** Starts its time; it ends up to one tick late. The item must not wait already. */
  add(item: T, timeoutMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#disarm === null) {
      this.#tick = Math.floor(nowMs / tickMs);
      this.#arm();
    }
    item.dueTick = Math.max(this.#tick + 1, Math.ceil((nowMs + timeoutMs) / tickMs));
    let slot = this.#slots.get(item.dueTick);
    if (slot === undefined) {
      slot = new Chain<T>();
      this.#slots.set(item.dueTick, slot);
    }
    slot.add(item);
  }

  /** Stops its time. Safe to repeat. */
  delete(item: T): void {
    const { dueTick, chain } = item;
    item.dueTick = 0;
    chain?.delete(item);
    if (this.#slots.get(dueTick)?.size === 0) this.#slots.delete(dueTick);
  }

  /** Forgets everything; nothing is called back. */
  clear(): void {
    this.#slots.clear();
    this.#disarm?.();
    this.#disarm = null;
  }

  #arm(): void {
    this.#disarm = this.#clock.after(tickMs, () => this.#advance());
  }

  #advance(): void {
    const target = Math.floor(this.#clock.monotonicMs() / tickMs);
    while (this.#tick < target && this.#slots.size > 0) {
      this.#tick += 1;
      this.#empty();
    }
    this.#tick = target;
    this.#disarm = null;
    if (this.#slots.size > 0) this.#arm();
  }

  #empty(): void {
    const slot = this.#slots.get(this.#tick);
    if (slot === undefined) return;
    for (let item = slot.first; item !== null; item = slot.first) {
      this.delete(item);
      this.#expired(item);
    }
  }
}
