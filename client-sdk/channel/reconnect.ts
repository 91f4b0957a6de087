/**
 * Keeps one connection alive, for ever, until `stop`. It decides only *when* the next connection is
 * made; what is sent over it is the business of `channel.ts`.
 */
import type { Connection, ConnectionEvents } from './connection.ts';

/** The delay before attempt n is random between half and the whole of `min(maxMs, minMs · 2ⁿ)`. */
export interface Backoff {
  readonly minMs: number;
  readonly maxMs: number;
}

/** A connection that is made again and again. */
export interface Reconnecting {
  /** The one that is being made or is open; null between two of them. */
  readonly connection: Connection | null;
  /** It works: the next failure starts with the shortest delay again. */
  worked(): void;
  /** Closes it and makes no other. Resolves when the socket is gone. Safe to repeat. */
  stop(): Promise<void>;
}

/**
 * Opens the first connection now. `closed` of the events is called for each connection that ends,
 * before the delay for the next one starts.
 */
export function keepConnected(
  open: (events: ConnectionEvents) => Connection,
  events: ConnectionEvents,
  backoff: Backoff,
): Reconnecting {
  let connection: Connection | null = null;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  const stopped = Promise.withResolvers<void>();
  let isStopping = false;

  function attempt(): void {
    connection = open({ ...events, closed });
  }

  function closed(code: number, reason: string): void {
    connection = null;
    events.closed(code, reason);
    if (isStopping) stopped.resolve();
    else timer = setTimeout(attempt, delayMs(backoff, failures++));
  }

  attempt();
  return {
    get connection() {
      return connection;
    },
    worked() {
      failures = 0;
    },
    stop() {
      isStopping = true;
      clearTimeout(timer);
      if (connection === null) stopped.resolve();
      else connection.close();
      return stopped.promise;
    },
  };
}

/** Half of it fixed, so that it is never busy; half random, so that a fleet does not come back at once. */
function delayMs(backoff: Backoff, failures: number): number {
  const whole = Math.min(backoff.maxMs, backoff.minMs * 2 ** Math.min(failures, 16));
  return whole * (0.5 + Math.random() / 2);
}
