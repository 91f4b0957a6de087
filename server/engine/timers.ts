/**
 * All timers of the engine: a binary heap with one port timer armed for the earliest. Deadlines,
 * retries and waits come and go by the ten thousand, so adding and cancelling cost O(log n).
 */
import type { Clock } from '../runtime/clock.ts';

/** One timer; give it back to cancel it. */
export interface Timer {
  /** On the monotonic clock. */
  readonly dueMs: number;
  readonly fire: () => void;
  /** Position in the heap; -1 when it has fired or was cancelled. */
  slot: number;
}

/** All timers of one engine. */
export interface Timers {
  /** Fires once, `delayMs` from now or soon after, whatever the wall clock does meanwhile. */
  after(delayMs: number, fire: () => void): Timer;
  /** Safe to repeat and after it has fired. */
  cancel(timer: Timer): void;
  /** How many are waiting. */
  size(): number;
  /** Drops them all. */
  clear(): void;
}

/** No timers yet; the clock is armed when there are. */
export function createTimers(clock: Clock): Timers {
  const heap: Timer[] = [];
  let disarm: (() => void) | null = null;
  let armedForMs = Number.POSITIVE_INFINITY;

  function arm(): void {
    const first = heap[0];
    if (first === undefined || first.dueMs >= armedForMs) return;
    disarm?.();
    armedForMs = first.dueMs;
    disarm = clock.after(Math.max(first.dueMs - clock.monotonicMs(), 0), fireDue);
  }

  function fireDue(): void {
    disarm = null;
    armedForMs = Number.POSITIVE_INFINITY;
    const nowMs = clock.monotonicMs();
    for (let first = heap[0]; first !== undefined && first.dueMs <= nowMs; first = heap[0]) {
      remove(heap, first);
      first.fire();
    }
    arm();
  }

  return {
    after(delayMs, fire) {
      const dueMs = clock.monotonicMs() + delayMs;
      const timer: Timer = { dueMs, fire, slot: heap.length };
      heap.push(timer);
      rise(heap, timer);
      arm();
      return timer;
    },
    cancel(timer) {
      if (timer.slot >= 0) remove(heap, timer);
    },
    size: () => heap.length,
    clear() {
      disarm?.();
      disarm = null;
      armedForMs = Number.POSITIVE_INFINITY;
      for (const timer of heap) timer.slot = -1;
      heap.length = 0;
    },
  };
}

function remove(heap: Timer[], timer: Timer): void {
  const { slot } = timer;
  timer.slot = -1;
  const last = heap.pop();
  if (last === undefined || last === timer) return;
  place(heap, last, slot);
  rise(heap, last);
  sink(heap, last);
}

function rise(heap: Timer[], timer: Timer): void {
  while (timer.slot > 0) {
    const parent = heap[(timer.slot - 1) >> 1];
    if (parent === undefined || parent.dueMs <= timer.dueMs) return;
    swap(heap, parent, timer);
  }
}

function sink(heap: Timer[], timer: Timer): void {
  for (;;) {
    const left = heap[2 * timer.slot + 1];
    if (left === undefined) return;
    const right = heap[2 * timer.slot + 2];
    const child = right !== undefined && right.dueMs < left.dueMs ? right : left;
    if (child.dueMs >= timer.dueMs) return;
    swap(heap, timer, child);
  }
}

/** Exchanges a parent with its child. */
function swap(heap: Timer[], parent: Timer, child: Timer): void {
  const { slot } = parent;
  place(heap, parent, child.slot);
  place(heap, child, slot);
}

function place(heap: Timer[], timer: Timer, slot: number): void {
  heap[slot] = timer;
  timer.slot = slot;
}
