/**
 * The stream of what changes: one tick a second for all who listen, made once. Guards: a bounded
 * number of listeners; while nobody listens there is no timer and nothing is kept.
 */
import type { DeskEvent, Gid, OverviewView } from '../../client-sdk/protocol/index.ts';
import type { EngineSight } from '../engine/coordinator.ts';
import type { Clock } from '../runtime/clock.ts';

/** Hears what is sent; neither may throw. */
export interface Listener {
  hear(events: readonly DeskEvent[]): void;
  /** Nothing more comes. */
  ended(): void;
}

/** The stream. */
export interface Events {
  /**
   * Hears the overview at once, then every second. Returns how to leave (safe to repeat); null when
   * there are too many already, or it has ended.
   */
  listen(listener: Listener): (() => void) | null;
  /** Listeners now. */
  count(): number;
  /** Ends it for everybody. Safe to repeat. */
  close(): void;
}

/** What it needs. */
export interface EventsPorts {
  readonly clock: Clock;
  readonly watch: EngineSight['watch'];
  readonly overview: () => OverviewView;
}

const tickMs = 1_000;
/** Consoles of a large team; each gets a few KiB a second. */
export const listenersMax = 64;
/** More gids in a second than people can look at; `isCut` says that there were more. */
export const changedMax = 500;

/** Nobody listens yet. */
export function createEvents({ clock, watch, overview }: EventsPorts): Events {
  const listeners = new Set<Listener>();
  const changed = new Set<Gid>();
  let isCut = false;
  let isClosed = false;
  let stopWatching: (() => void) | null = null;
  let cancel: (() => void) | null = null;

  function note(gid: Gid): void {
    if (changed.size < changedMax) changed.add(gid);
    else if (!changed.has(gid)) isCut = true;
  }

  function arm(): void {
    cancel = clock.after(tickMs, () => {
      const events: DeskEvent[] = [overviewEvent(overview())];
      if (changed.size > 0) events.push({ kind: 'changed', gids: [...changed], isCut });
      changed.clear();
      isCut = false;
      for (const listener of [...listeners]) listener.hear(events);
      if (listeners.size > 0) arm();
    });
  }

  function rest(): void {
    cancel?.();
    stopWatching?.();
    cancel = null;
    stopWatching = null;
    changed.clear();
    isCut = false;
  }

  return {
    listen(listener) {
      if (isClosed || listeners.size >= listenersMax) return null;
      listeners.add(listener);
      if (listeners.size === 1) {
        stopWatching = watch(note);
        arm();
      }
      listener.hear([overviewEvent(overview())]);
      return () => {
        if (listeners.delete(listener) && listeners.size === 0) rest();
      };
    },
    count: () => listeners.size,
    close() {
      isClosed = true;
      const all = [...listeners];
      listeners.clear();
      rest();
      for (const listener of all) listener.ended();
    },
  };
}

/** The last whole second instead of all of them. */
function overviewEvent({ seconds, ...overview }: OverviewView): DeskEvent {
  const none = { transaction: 0, saga: 0 };
  const second = seconds.at(-1) ?? {
    atMs: overview.atMs,
    begun: none,
    committed: none,
    rolledBack: none,
  };
  return { kind: 'overview', overview: { ...overview, second } };
}
