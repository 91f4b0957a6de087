/**
 * What operators ask about this very moment: who is there, and who waits for whom. Answered from the
 * coordinator's memory and by participants that are asked meanwhile; nothing of it is kept.
 */
import type { HeldLock } from './undo.ts';
import type { EpochMs, Gid, Phase } from './words.ts';

/** `GET /v1/participants/ping?name=NAME&timeoutMs=N`. */
export interface PingRequest {
  /** A service, or the address of a participant of an open transaction; left out: all of them. */
  readonly name?: string;
  /** How long to wait for each: 50..10,000, default 2,000. */
  readonly timeoutMs?: number;
}

/** One process (over HTTP: one address) that was asked whether it is there. */
export interface PingView {
  /** The service, or the address. */
  readonly name: string;
  /** Null of an address, and of a service that nobody is connected for. */
  readonly instance: string | null;
  /**
   * `answered`: it is there. `unsupported`: it is there, and does not know the question. `noAnswer`: it
   * did not answer in time, which says nothing about what it was asked before. `unreachable`: nobody
   * could be asked.
   */
  readonly outcome: 'answered' | 'unsupported' | 'noAnswer' | 'unreachable';
  /** From question to answer; null without one. */
  readonly roundTripMs: number | null;
  /** Of its SDK; null when it did not say. */
  readonly version: string | null;
  /** In words, unless it has answered. */
  readonly detail: string | null;
}

/** By name. */
export interface PingAnswer {
  readonly pings: readonly PingView[];
  /** Services and addresses that were not asked, for one request asks 1,000 instances at most. */
  readonly left: number;
}

/** `GET /v1/locks/graph`: who waits for whom now. */
export interface LockGraphAnswer {
  /** By the coordinator's clock. */
  readonly atMs: EpochMs;
  /** The oldest first, at most 500. Empty: nobody waits for longer than 100 ms. */
  readonly waits: readonly LockWait[];
  /** Everybody in it, waiting or waited for, the oldest first. */
  readonly transactions: readonly LockedTransaction[];
  /** Those of each that wait for each other, perhaps through each other. */
  readonly cycles: readonly (readonly Gid[])[];
  /** Who was asked what it holds and did not say, so that something may be missing. */
  readonly unasked: readonly UnaskedHolder[];
  /** There is more than is shown. */
  readonly isCut: boolean;
}

/** One wait. */
export interface LockWait {
  /** Who waits. */
  readonly gid: Gid;
  /**
   * `lock`: a statement waits for a lock that somebody's open local transaction has. `decision`: a local
   * transaction waits until a gid is decided that has left undo rows of the same data rows.
   */
  readonly kind: 'lock' | 'decision';
  /**
   * Where: `service/resource`; the name under which services report it, when nobody has said what
   * it is called; null: not known.
   */
  readonly database: string | null;
  /** Whom it waits for; null: a connection of which no global transaction is known. */
  readonly waitsFor: Gid | null;
  /** Of `lock`: the connection that is in the way, as the database numbers it. */
  readonly connection: number | null;
  /** First reported then; it began up to 250 ms before. */
  readonly sinceMs: EpochMs;
  readonly isInCycle: boolean;
  /** It was chosen to end, so that a cycle does. */
  readonly givesWay: boolean;
}

/** A transaction of the graph. */
export interface LockedTransaction {
  readonly gid: Gid;
  /** The rest is null when the coordinator does not know it as open: it may not have begun it yet. */
  readonly name: string | null;
  readonly phase: Phase | null;
  readonly startedAtMs: EpochMs | null;
  readonly isWaiting: boolean;
  /** Its open local transactions, as far as they are known. */
  readonly connections: readonly { readonly database: string; readonly id: number }[];
  /** Rows of which it has left undo rows, the newest of each resource; at most 20. */
  readonly rows: readonly RowOfResource[];
  readonly isRowsCut: boolean;
}

/** A row that is held, and where. */
export interface RowOfResource extends HeldLock {
  /** `service/resource`. */
  readonly database: string;
}

/** A question that got no answer. */
export interface UnaskedHolder {
  /** `service/instance` or `service/resource`. */
  readonly who: string;
  readonly detail: string;
}
