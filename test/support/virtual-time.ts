/** Time that moves when the test says so: a Clock whose callbacks run in due order, then in arming order. */
import type { Clock } from '../../server/runtime/clock.ts';

export interface VirtualTime {
  readonly clock: Clock;
  /** Runs everything that is due now and what follows from it, until nothing is ready. */
  settle(): Promise<void>;
  /** Moves on by that much, running what falls due on the way. */
  advance(ms: number): Promise<void>;
  nowMs(): number;
}

interface Entry {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Starts at the given time. */
export function createVirtualTime(startMs = 1_000_000): VirtualTime {
  let nowMs = startMs;
  let order = 0;
  const entries = new Set<Entry>();

  function add(dueMs: number, callback: () => void): Entry {
    order += 1;
    const entry = { dueMs, order, callback };
    entries.add(entry);
    return entry;
  }

  function takeDue(untilMs: number): Entry | null {
    let first: Entry | null = null;
    for (const entry of entries) {
      if (entry.dueMs > untilMs) continue;
      const isEarlier =
        first === null ||
        entry.dueMs < first.dueMs ||
        (entry.dueMs === first.dueMs && entry.order < first.order);
      if (isEarlier) first = entry;
    }
    if (first !== null) entries.delete(first);
    return first;
  }

  // One turn of the real event loop lets every promise that is ready run.
  const microtasks = () => new Promise<void>((resolve) => setImmediate(resolve));

  async function run(untilMs: number): Promise<void> {
    await microtasks();
    for (let entry = takeDue(untilMs); entry !== null; entry = takeDue(untilMs)) {
      nowMs = Math.max(nowMs, entry.dueMs);
      entry.callback();
      await microtasks();
    }
    nowMs = Math.max(nowMs, untilMs);
  }

  return {
    clock: {
      nowMs: () => nowMs,
      monotonicMs: () => nowMs,
      after(delayMs, callback) {
        const entry = add(nowMs + Math.max(0, delayMs), callback);
        return () => void entries.delete(entry);
      },
      soon: (callback) => void add(nowMs, callback),
    },
    settle: () => run(nowMs),
    advance: (ms) => run(nowMs + ms),
    nowMs: () => nowMs,
  };
}
