/**
 * Where the console is: the path below `/console` and its query, so that every view has an address
 * that can be sent to somebody. Moving is `history.pushState`; whoever listens renders anew.
 */
import { useEffect, useState } from 'preact/hooks';

/** A place. */
export interface Place {
  /** Below `/console`, in parts: `['transactions', 'order-17']`. */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
}

const base = '/console';
const moved = 'settle:moved';

/** The address of a place. Parts are encoded here. */
export function href(
  parts: readonly string[],
  query: Readonly<Record<string, string>> | URLSearchParams = {},
): string {
  const text = String(new URLSearchParams(query));
  const path = [base, ...parts.map(encodeURIComponent)].join('/');
  return text === '' ? path : `${path}?${text}`;
}

/** Goes there. `replace`: without a step in the history. */
export function go(to: string, how: 'push' | 'replace' = 'push'): void {
  if (how === 'push') history.pushState(null, '', to);
  else history.replaceState(null, '', to);
  dispatchEvent(new Event(moved));
}

/** Where we are; the component renders anew when that changes. */
export function usePlace(): Place {
  const [place, setPlace] = useState(here);
  useEffect(() => {
    const show = () => setPlace(here());
    addEventListener('popstate', show);
    addEventListener(moved, show);
    return () => {
      removeEventListener('popstate', show);
      removeEventListener(moved, show);
    };
  }, []);
  return place;
}

/** Links inside the console are steps, not loads; with a key held they are the browser's. */
export function followLinks(event: MouseEvent): void {
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (link === null || link.target !== '' || link.origin !== location.origin) return;
  if (!link.pathname.startsWith(base)) return;
  // A place on this page: the browser goes there.
  if (link.hash !== '' && link.pathname + link.search === location.pathname + location.search) {
    return;
  }
  event.preventDefault();
  go(link.pathname + link.search);
}

function here(): Place {
  const parts = location.pathname.slice(base.length).split('/').filter(Boolean);
  return { parts: parts.map(decoded), query: new URLSearchParams(location.search) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
