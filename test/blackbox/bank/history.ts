/**
 * The history: what every process asked and was told, one JSON line each, written before the next
 * thing happens so that kill -9 loses none. A lost answer is `info`, never `fail`; a process that
 * dies leaves its `invoke` without a completion, which means the same.
 */
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Shard } from './cast.ts';
import type { Transfer } from './transfers.ts';
import type { WalletTransfer } from './wallet-transfers.ts';

/** An account as a reader saw it, in cents. */
export interface AccountSeen {
  readonly shard: Shard;
  readonly account: string;
  readonly cents: number;
  readonly held: number;
}

interface Line<Type, F, Value> {
  /** Milliseconds since 1970; all processes are on one machine. */
  readonly t: number;
  readonly process: string;
  readonly type: Type;
  readonly f: F;
  /** Null for reads. For `fault`: what was done to whom. */
  readonly gid: string | null;
  readonly value: Value;
}

/** `value` of a completion: the code that came with it. */
export type HistoryLine =
  | Line<'invoke', 'transfer', Transfer | WalletTransfer>
  | Line<'ok' | 'fail' | 'info', 'transfer', string>
  | Line<'invoke', 'read', number>
  | Line<'ok', 'read', { readonly number: number; readonly accounts: readonly AccountSeen[] }>
  | Line<'info', 'fault', string>;

type WithoutStamp<L> = L extends HistoryLine ? Omit<L, 't' | 'process'> : never;

/** Appends lines of one process. A line is in the page cache when `write` returns. */
export interface HistoryWriter {
  write(line: WithoutStamp<HistoryLine>): void;
  close(): void;
}

export function openHistory(file: string, process: string): HistoryWriter {
  const descriptor = openSync(file, 'a');
  return {
    write: (line) =>
      void writeSync(descriptor, `${JSON.stringify({ t: Date.now(), process, ...line })}\n`),
    close: () => closeSync(descriptor),
  };
}

const suffix = '.history.jsonl';

export function historyFile(folder: string, name: string): string {
  return join(folder, `${name}${suffix}`);
}

/** All lines of all processes, by time. A line that a kill cut off in the middle is left out. */
export function readHistory(folder: string): readonly HistoryLine[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(suffix))
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'))
    .flatMap((text) => {
      try {
        // Parse boundary: these files are written by `openHistory`; what was cut off is no JSON.
        return [JSON.parse(text) as HistoryLine];
      } catch {
        return [];
      }
    })
    .sort((one, other) => one.t - other.t);
}
