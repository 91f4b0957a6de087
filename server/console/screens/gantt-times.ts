/**
 * When each branch of a transaction began, was decided about, and ended, made of what stands in the
 * log. Pure. Guard: what the log does not say is taken as late as it can have been, never earlier.
 */
import type { TimelineEntry } from '../../../client-sdk/protocol/desk.ts';
import type { BranchView, TransactionView } from '../../../client-sdk/protocol/requests.ts';

/** What a line of the picture is drawn of. */
export interface BranchTimes {
  readonly branch: BranchView;
  readonly startMs: number;
  /** Of one that is not over: null. */
  readonly endMs: number | null;
  /** Attempts that failed, what was done, and calls for a human, oldest first. */
  readonly marks: readonly TimelineEntry[];
}

/** From the first to the last moment of the picture. */
export interface Whole {
  readonly startMs: number;
  readonly endMs: number;
}

/** The share of the picture that may lie in the future: for attempts that are due soon. */
const futurePart = 0.2;

/** One for each branch, in the order of the view. */
export function timesOf(
  tx: TransactionView,
  entries: readonly TimelineEntry[],
): readonly BranchTimes[] {
  const byBranch = Map.groupBy(entries, ({ branchId }) => branchId);
  return tx.branches.map((branch) => {
    const own = byBranch.get(branch.branchId) ?? [];
    const marks = own.filter(({ kind }) => kind !== 'registered' && kind !== 'decided');
    const isOver = branch.operation === null && branch.state !== 'registered';
    const hasEnd = isOver && marks.length > 0;
    return {
      branch,
      startMs: startOf(tx, own, entries),
      endMs: hasEnd ? (marks.at(-1)?.atMs ?? null) : null,
      marks,
    };
  });
}

/** A step of a saga begins when the one before it is done; a branch when it is registered. */
function startOf(
  tx: TransactionView,
  own: readonly TimelineEntry[],
  entries: readonly TimelineEntry[],
): number {
  const [first] = own;
  if (tx.mode !== 'saga' || first === undefined) return first?.atMs ?? tx.startedAtMs;
  const before = entries.findLast(({ kind, seq, branchId, atMs }) => {
    const isOther = branchId !== first.branchId && kind === 'done';
    return isOther && seq < first.seq && atMs <= first.atMs;
  });
  return before?.atMs ?? tx.startedAtMs;
}

/** All that is known fits into it; an open transaction goes on until now, and a little further. */
export function wholeOf(
  tx: TransactionView,
  entries: readonly TimelineEntry[],
  nowMs: number,
): Whole {
  const startMs = Math.min(tx.startedAtMs, entries[0]?.atMs ?? tx.startedAtMs);
  const lastMs = Math.max(startMs + 1, entries.at(-1)?.atMs ?? 0);
  if (tx.finishedAtMs !== null) return { startMs, endMs: Math.max(lastMs, tx.finishedAtMs) };
  const soFarMs = Math.max(lastMs, nowMs);
  const boundMs = startMs + (soFarMs - startMs) / (1 - futurePart);
  const due = tx.branches.map(({ nextAttemptAtMs }) => nextAttemptAtMs ?? 0);
  const soonMs = due.filter((atMs) => atMs <= boundMs);
  return { startMs, endMs: Math.max(soFarMs, ...soonMs) };
}

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const steps: readonly number[] = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((count) => count * second),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * minute),
  ...[1, 2, 4, 12].map((count) => count * hour),
  ...[1, 2, 5, 10, 30].map((count) => count * day),
];
const ticksMax = 7;

/** Round spans from the start on, at most seven. */
export function ticksOf({ startMs, endMs }: Whole): readonly number[] {
  const lengthMs = endMs - startMs;
  const fits = (step: number) => lengthMs / step < ticksMax;
  const step = steps.find(fits) ?? Math.ceil(lengthMs / ticksMax);
  return Array.from({ length: Math.floor(lengthMs / step) + 1 }, (_, at) => at * step);
}
