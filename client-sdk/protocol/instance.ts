/**
 * Questions that the coordinator asks one process about itself, over its own connection (or, `ping`
 * only, `POST {url}/ping`). They belong to no method and to no transaction; nothing is kept of them.
 */
import type { DatabaseConnection } from './requests.ts';
import type { Gid } from './words.ts';

/** The method of such a call: no method can be named so. */
export const instanceMethod = '-';

/** Connections that one question `holders` may name: its answer is a result, of 64 KiB at most. */
export const askedConnectionsMax = 256;

/** Answer to `ping`, which has no body. */
export interface Pong {
  /** Of the SDK. */
  readonly version: string;
}

/** `holders`: which of these connections have a local transaction of this process open. */
export interface HoldersQuestion {
  /** At most {@link askedConnectionsMax}. */
  readonly connections: readonly DatabaseConnection[];
}

/** An open local transaction, on one of the connections that were asked about. */
export interface HeldConnection extends DatabaseConnection {
  /** As the resource is called there. */
  readonly resource: string;
  readonly gid: Gid;
  /** For so long. */
  readonly openMs: number;
  /** Gids whose decision it waits for. */
  readonly awaits: readonly Gid[];
}

/** Its answer; connections that are not ours are left out. */
export interface HoldersAnswer {
  readonly held: readonly HeldConnection[];
}
