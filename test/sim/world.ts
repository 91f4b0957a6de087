/**
 * The virtual world: time, named random streams and processes. Nothing happens outside of `run`; the
 * order of everything is a function of the seed. Promises of the engine's ports are the only ones, and
 * each event lets them run dry before the next is taken.
 */
import type { Clock } from '../../server/runtime/clock.ts';
import { type Random, seededRandom } from '../../server/runtime/random.ts';

interface Entry {
  readonly dueMs: number;
  readonly order: number;
  readonly process: Process | null;
  readonly fire: () => void;
  isCancelled: boolean;
}

/** One life of one process. What was scheduled for it dies with it; while it is paused, it waits. */
export interface Process {
  readonly name: string;
  isAlive: boolean;
  isPaused: boolean;
  /** Wall clock of its node minus the world's. */
  skewMs: number;
  /** How slowly its clock runs: 1.1 means that an hour of its own is 66 minutes. */
  readonly drift: number;
  readonly backlog: (() => void)[];
}

/** A stream of random decisions that no other stream disturbs. */
export interface Dice extends Random {
  /** True with that probability. */
  chance(probability: number): boolean;
  /** Whole number in [from, to]. */
  between(from: number, to: number): number;
  pick<T>(items: readonly T[]): T;
}

/** Time, processes and chance. */
export interface World {
  nowMs(): number;
  dice(stream: string): Dice;
  spawn(name: string, drift?: number): Process;
  /** Ends a life: nothing of it happens any more. */
  kill(process: Process): void;
  pause(process: Process): void;
  /** What fell due during the pause happens now, in order. */
  resume(process: Process): void;
  /** `process` null: the world's own doing (network, database, nemesis). */
  after(delayMs: number, process: Process | null, fire: () => void): () => void;
  clockOf(process: Process): Clock;
  /** This event has resolved promises: they run before the next event is taken. */
  stir(): void;
  /**
   * Notes a thing that happened; the digest of all notes tells whether two runs were the same.
   * `more` is asked for only when somebody listens.
   */
  note(text: string, more?: () => string): void;
  digest(): string;
  events(): number;
  /** Runs until the time is reached or `isOver`. */
  run(untilMs: number, isOver?: () => boolean): Promise<void>;
}

/** Hears each note, and when it was made (ms since the world began). */
export type Listener = (text: string, atMs: number) => void;

/** When every world begins (ms since 1970). */
export const startMs = 1_000_000_000;

/** Starts at a fixed time, so that logs of two runs can be compared. */
export function createWorld(seed: number, onNote: Listener | null = null): World {
  const heap: Entry[] = [];
  const dice = new Map<string, Dice>();
  let nowMs = startMs;
  let order = 0;
  let events = 0;
  let hash = 0x811c9dc5;
  let isStirred = false;

  function after(delayMs: number, process: Process | null, fire: () => void): () => void {
    order += 1;
    const dueMs = nowMs + Math.max(0, Math.ceil(delayMs));
    const entry: Entry = { dueMs, order, process, fire, isCancelled: false };
    push(heap, entry);
    return () => {
      entry.isCancelled = true;
    };
  }

  /** Time by the clock of a node, without the jumps. */
  function ownMs({ drift }: Process): number {
    return drift === 1 ? nowMs : startMs + (nowMs - startMs) / drift;
  }

  function perform(entry: Entry): void {
    const { process } = entry;
    if (entry.isCancelled || process?.isAlive === false) return;
    if (process?.isPaused) process.backlog.push(entry.fire);
    else entry.fire();
  }

  async function run(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    for (;;) {
      const first = heap[0];
      if (first === undefined || first.dueMs > untilMs || isOver()) break;
      pop(heap);
      nowMs = Math.max(nowMs, first.dueMs);
      events += 1;
      perform(first);
      // One turn of the real loop: every promise that this event has resolved has run afterwards.
      if (isStirred) await new Promise<void>((resolve) => setImmediate(resolve));
      isStirred = false;
    }
    if (heap[0] === undefined || heap[0].dueMs > untilMs) nowMs = Math.max(nowMs, untilMs);
  }

  return {
    nowMs: () => nowMs,
    dice(stream) {
      let found = dice.get(stream);
      if (found === undefined) {
        found = createDice(hashOf(`${seed}/${stream}`));
        dice.set(stream, found);
      }
      return found;
    },
    spawn: (name, drift = 1) => ({
      name,
      isAlive: true,
      isPaused: false,
      skewMs: 0,
      drift,
      backlog: [],
    }),
    kill(process) {
      process.isAlive = false;
      process.backlog.length = 0;
    },
    pause(process) {
      process.isPaused = true;
    },
    resume(process) {
      process.isPaused = false;
      for (const fire of process.backlog.splice(0)) after(0, process, fire);
    },
    after,
    clockOf: (process) => ({
      nowMs: () => Math.floor(ownMs(process)) + process.skewMs,
      monotonicMs: () => ownMs(process),
      after: (delayMs, fire) => after(delayMs * process.drift, process, fire),
      soon: (fire) => void after(0, process, fire),
    }),
    stir() {
      isStirred = true;
    },
    note(text, more) {
      hash = hashOf(text, Math.imul(hash ^ nowMs, 0x01000193));
      onNote?.(more === undefined ? text : `${text}: ${more()}`, nowMs - startMs);
    },
    digest: () => (hash >>> 0).toString(16),
    events: () => events,
    run,
  };
}

function createDice(seed: number): Dice {
  const random = seededRandom(seed);
  const next = () => random.next();
  return {
    next,
    chance: (probability) => next() < probability,
    between: (from, to) => from + Math.floor(next() * (to - from + 1)),
    pick: <T>(items: readonly T[]) => items[Math.floor(next() * items.length)] as T,
  };
}

/** FNV-1a. */
export function hashOf(text: string, from = 0x811c9dc5): number {
  let hash = from;
  for (let i = 0; i < text.length; i += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}

function push(heap: Entry[], entry: Entry): void {
  let slot = heap.length;
  heap.push(entry);
  while (slot > 0) {
    const up = (slot - 1) >> 1;
    const parent = heap[up];
    if (parent === undefined || !isBefore(entry, parent)) break;
    heap[slot] = parent;
    slot = up;
  }
  heap[slot] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let slot = 0;
  for (;;) {
    let down = 2 * slot + 1;
    let child = heap[down];
    if (child === undefined) break;
    const right = heap[down + 1];
    if (right !== undefined && isBefore(right, child)) {
      down += 1;
      child = right;
    }
    if (!isBefore(child, last)) break;
    heap[slot] = child;
    slot = down;
  }
  heap[slot] = last;
}
