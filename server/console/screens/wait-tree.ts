/**
 * Waits as a tree: whoever is waited for, and below each who waits for it. Pure. Invariant: every wait
 * stands in it exactly once, in cycles, too.
 */
import type { LockGraphAnswer, LockWait } from '../../../client-sdk/protocol/moment.ts';

/** Whom somebody waits for, or who waits; by gid, or `connection 7 of shop/orders`. */
export interface WaitNode {
  readonly name: string;
  /** Null: a connection of which no global transaction is known. */
  readonly gid: string | null;
  /** What it waits for its parent for; null at the top. */
  readonly wait: LockWait | null;
  /** It stands above already, with those who wait for it. */
  readonly isAbove: boolean;
  readonly waiters: readonly WaitNode[];
}

/** First those who wait for nobody, then, of cycles, whoever began first. */
export function waitTree({ waits, transactions }: LockGraphAnswer): readonly WaitNode[] {
  const waiters = Map.groupBy(waits, targetOf);
  const waiting = new Set(waits.map(({ gid }) => gid));
  const gids = new Set(transactions.map(({ gid }) => gid));
  const ends = [...waiters.keys()].filter((name) => !waiting.has(name));
  const inCycles = transactions.map(({ gid }) => gid).filter((gid) => waiters.has(gid));
  const drawn = new Set<string>();
  const nodeOf = (name: string, wait: LockWait | null): WaitNode => {
    const isAbove = drawn.has(name);
    drawn.add(name);
    const own = isAbove ? [] : (waiters.get(name) ?? []);
    const gid = wait !== null || gids.has(name) ? name : null;
    return { name, gid, wait, isAbove, waiters: own.map((each) => nodeOf(each.gid, each)) };
  };
  const trees: WaitNode[] = [];
  for (const name of [...ends, ...inCycles]) if (!drawn.has(name)) trees.push(nodeOf(name, null));
  return trees;
}

function targetOf({ waitsFor, connection, database }: LockWait): string {
  return waitsFor ?? `connection ${connection} of ${database}`;
}
