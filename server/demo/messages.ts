/**
 * What the demo and its child processes say to each other: settings go in as one JSON argument,
 * messages go over the IPC channel. Guards that a child knows nothing but this.
 */
import type { Bank, Run, Teller } from './workload.ts';

/** Settings of a participant process. */
export interface BankSettings {
  readonly bank: Bank;
  /** Base URL of the coordinator. */
  readonly url: string;
  /** Where the shards' files are. */
  readonly folder: string;
}

/** Settings of an initiator process. */
export interface TellerSettings {
  readonly teller: Teller;
  readonly url: string;
  /** Where its answers are written. */
  readonly folder: string;
  readonly run: Run;
  /** Transfers that it has in flight at once. */
  readonly inflight: number;
  /** It starts transfers with an index below this one, until it is told more. */
  readonly released: number;
}

/** From the demo to an initiator. */
export interface Release {
  readonly kind: 'release';
  readonly released: number;
}

/** What an initiator has heard so far, over all its lives. */
export interface Tally {
  readonly answered: number;
  readonly committed: number;
  readonly rolledBack: number;
  readonly abandoned: number;
  /** Answers that were unknown at first, and were settled by asking the coordinator. */
  readonly resolved: number;
}

/** From a child to the demo. */
export type ChildMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress'; readonly tally: Tally };

/** Name of the file that an initiator writes its answers to. */
export function answersFile(teller: Teller): string {
  return `${teller}.jsonl`;
}

/** Settings of this child process, from its command line. */
export function childSettings<Settings>(): Settings {
  // Parse boundary: the demo that started this process wrote it.
  return JSON.parse(process.argv[2] ?? '{}') as Settings;
}

/** Tells the demo. When the demo is gone there is nobody to tell, and the leash ends this process. */
export function tellDemo(message: ChildMessage): void {
  process.send?.(message, undefined, {}, () => {});
}
