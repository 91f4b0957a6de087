/**
 * Makes a failing seed small: fewer transactions, fewer fault classes, fewer single transfers, fewer
 * single faults. A smaller run counts when it violates the same rule. Draws are independent enough
 * (see `faults.ts`) for most of what is left out not to matter; whatever does matter stays in.
 */
import type { BankRules } from './bank.ts';
import { runSeed, type SeedReport } from './run.ts';
import { type Spec, toWish } from './spec.ts';
import type { FaultClass } from './swarm.ts';

/** What came of shrinking. */
export interface Shrunk {
  readonly spec: Spec;
  /** Of the shrunk run. */
  readonly report: SeedReport;
  readonly runs: number;
}

/** How long to try, and under which planted weakness. */
export interface ShrinkOptions {
  readonly rules?: Partial<BankRules>;
  /** Ends the search; the smallest run so far is what is left. */
  readonly isTimeOver: () => boolean;
}

/** Shrinks a run that violates something. The spec must fail. */
export async function shrink(spec: Spec, options: ShrinkOptions): Promise<Shrunk> {
  const { rules = {}, isTimeOver } = options;
  let runs = 0;
  const run = (candidate: Spec) => {
    runs += 1;
    return runSeed({ ...toWish(candidate), rules });
  };
  const first = await run(spec);
  const [violation] = first.violations;
  if (violation === undefined) throw new Error('nothing is violated: there is nothing to shrink');
  const { rule } = violation;
  let best: Omit<Shrunk, 'runs'> = { spec: { ...spec, rule }, report: first };

  /** Takes the candidate if it fails in the same way. */
  async function attempt(candidate: Spec): Promise<boolean> {
    if (isTimeOver()) return false;
    const report = await run(candidate);
    if (report.violations[0]?.rule !== rule) return false;
    best = { spec: { ...candidate, rule }, report };
    return true;
  }

  await fewerTransactions();
  await fewerClasses();
  await fewerTransfers();
  await fewerFaults();
  return { ...best, runs };

  async function fewerTransactions(): Promise<void> {
    let low = 1;
    let high = best.report.swarm.transactions;
    while (low < high && !isTimeOver()) {
      const middle = (low + high) >> 1;
      if (await attempt({ ...best.spec, transactions: middle })) high = middle;
      else low = middle + 1;
    }
  }

  async function fewerClasses(): Promise<void> {
    for (const kind of Object.keys(best.report.swarm.faults) as FaultClass[]) {
      const off = [...(best.spec.off ?? []), kind];
      if (best.report.swarm.faults[kind] > 0) await attempt({ ...best.spec, off });
    }
  }

  async function fewerTransfers(): Promise<void> {
    const all = Array.from({ length: best.report.swarm.transactions }, (_, i) => i);
    await reduce(best.spec.transfers ?? all, (transfers) => ({ ...best.spec, transfers }));
  }

  async function fewerFaults(): Promise<void> {
    await reduce(best.report.faults, (only) => ({ ...best.spec, only }));
    // Who names the faults that strike need not name those that do not.
    const { off: _, ...spec } = best.spec;
    await attempt({ ...spec, only: best.report.faults });
  }

  /** ddmin: takes away ever smaller parts, as long as the rest still fails. */
  async function reduce<T>(items: readonly T[], toSpec: (left: readonly T[]) => Spec) {
    let left = items;
    let parts = 2;
    if (left.length > 0 && (await attempt(toSpec([])))) return;
    while (left.length > 1 && !isTimeOver()) {
      const size = Math.ceil(left.length / parts);
      let isSmaller = false;
      for (let from = 0; from < left.length; from += size) {
        const rest = [...left.slice(0, from), ...left.slice(from + size)];
        if (rest.length === 0 || !(await attempt(toSpec(rest)))) continue;
        left = rest;
        isSmaller = true;
        break;
      }
      if (isSmaller) parts = Math.max(2, parts - 1);
      else if (size === 1) return;
      else parts = Math.min(left.length, parts * 2);
    }
  }
}
