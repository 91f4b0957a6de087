/**
 * What changes while somebody looks: one stream of server-sent events for the whole page. Where a
 * coordinator has none, and while it is cut, a beat takes its place, so that every screen asks anew by
 * itself either way. Guards: a screen that is not looked at asks nothing.
 */
import { createContext } from 'preact';
import { useContext, useEffect, useRef, useState } from 'preact/hooks';
import type { DeskEvent } from '../../client-sdk/protocol/desk.ts';

/** `live`: events come. `beat`: they do not, and screens ask by themselves. */
export type LiveState = 'live' | 'beat';

/** What listeners hear: an event of the coordinator, or that it is time to look again. */
export type Heard = DeskEvent | { readonly kind: 'beat' };

/** The stream of one page. */
export interface Live {
  state(): LiveState;
  /** Returns how to stop. */
  hear(listener: (heard: Heard) => void): () => void;
  onState(listener: (state: LiveState) => void): () => void;
  close(): void;
}

const beatMs = 2_000;
const againMs = 10_000;
const path = '/v1/events';

/** Opens the stream, and opens it again for as long as the page is there. */
export function openLive(): Live {
  const listeners = new Set<(heard: Heard) => void>();
  const watchers = new Set<(state: LiveState) => void>();
  let state: LiveState = 'beat';
  let source: EventSource | null = null;
  let again: ReturnType<typeof setTimeout> | undefined;

  const say = (heard: Heard) => {
    if (document.hidden) return;
    for (const listener of listeners) listener(heard);
  };
  const become = (next: LiveState) => {
    if (next === state) return;
    state = next;
    for (const watcher of watchers) watcher(state);
  };
  const take = ({ data }: MessageEvent<string>) => {
    const event = eventIn(data);
    if (event !== null) say(event);
  };
  const open = () => {
    source = new EventSource(path);
    source.onopen = () => {
      become('live');
      say({ kind: 'beat' });
    };
    source.onmessage = take;
    for (const kind of ['overview', 'changed']) source.addEventListener(kind, take);
    source.onerror = () => {
      // A cut stream is opened again by the browser; a refusal (no such route) is not.
      become('beat');
      if (source?.readyState !== EventSource.CLOSED) return;
      clearTimeout(again);
      again = setTimeout(open, againMs);
    };
  };
  open();
  const beat = setInterval(() => {
    if (state !== 'live') say({ kind: 'beat' });
  }, beatMs);
  const wake = () => say({ kind: 'beat' });
  document.addEventListener('visibilitychange', wake);

  return {
    state: () => state,
    hear(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    onState(watcher) {
      watchers.add(watcher);
      return () => void watchers.delete(watcher);
    },
    close() {
      clearTimeout(again);
      clearInterval(beat);
      document.removeEventListener('visibilitychange', wake);
      source?.close();
    },
  };
}

/** Null: not one of ours. */
function eventIn(text: string): DeskEvent | null {
  try {
    const event: unknown = JSON.parse(text);
    if (event === null || typeof event !== 'object' || !('kind' in event)) return null;
    // The parse boundary: the coordinator says it in the words of the protocol.
    return event.kind === 'overview' || event.kind === 'changed' ? (event as DeskEvent) : null;
  } catch {
    return null;
  }
}

/** The stream, for every component below. */
export const LiveContext = createContext<Live | null>(null);

/** Calls `listener` for all that is heard, with the component's newest state. */
export function useHeard(listener: (heard: Heard) => void): void {
  const live = useContext(LiveContext);
  const newest = useRef(listener);
  newest.current = listener;
  useEffect(() => live?.hear((heard) => newest.current(heard)), [live]);
}

/** The time of this machine, anew with all that is heard while `isRunning`. */
export function useNow(isRunning: boolean): number {
  const [, setNow] = useState(0);
  useHeard(() => {
    if (isRunning) setNow(Date.now());
  });
  return Date.now();
}
