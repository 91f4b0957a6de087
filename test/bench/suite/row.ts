/**
 * What a row of the suite is: something to measure, and what the figures should be. The verdict
 * follows from the limits alone, so that the target that is shown is the one that is judged by. A
 * figure that is missing holds nothing. Pure.
 */
import type { BenchResult } from '../report.ts';

/** Figures by name, with their unit at the end of the name; null: not measured. */
export type Figures = Readonly<Record<string, number | null>>;

/** What one figure should be. */
export interface Limit {
  readonly figure: string;
  readonly bound: 'least' | 'most';
  readonly value: number;
  /** It is asked for only where another figure, of the machine, is at least this. */
  readonly where: { readonly figure: string; readonly least: number } | null;
}

/** What a row has found. */
export interface Finding {
  readonly measured: Figures;
  /** Transactions that ended otherwise than they should, and what one of them said. */
  readonly failed: number;
  readonly firstError: string | null;
  /** What a reader must know to understand the figures. */
  readonly note?: string;
}

/** One row. */
export interface Row {
  /** For `--only`. */
  readonly name: string;
  /** For people. */
  readonly title: string;
  /** Empty: it is only shown. */
  readonly limits: readonly Limit[];
  /** Figures for the table, in this order. */
  readonly shown: readonly string[];
  /** Rejects when it cannot be measured. */
  run(bench: SuiteBench): Promise<Finding>;
}

/** What a row measures with. */
export interface SuiteBench {
  /** Of one round. */
  readonly seconds: number;
  /** A 10-minute run is one. */
  readonly isLong: boolean;
  /** So many transactions, or fewer where the suite is only tried out. */
  count(full: number): number;
  /** One measurement of `npm run bench` with these flags; the same flags are measured once. */
  measure(flags: string): Promise<BenchResult>;
  readonly signal: AbortSignal;
  /** Progress, for people who wait. */
  say(line: string): void;
}

/** The figure should be at least this, `where` another one is at least that. */
export function atLeast(figure: string, value: number, where: Limit['where'] = null): Limit {
  return { figure, bound: 'least', value, where };
}

/** The figure should be at most this. */
export function atMost(figure: string, value: number): Limit {
  return { figure, bound: 'most', value, where: null };
}

/** Whether all limits hold; null when there are none. */
export function verdict(limits: readonly Limit[], measured: Figures): boolean | null {
  if (limits.length === 0) return null;
  return limits.every((limit) => {
    const { figure, bound, value, where } = limit;
    // A condition that was not measured is no excuse.
    if (where !== null && (measured[where.figure] ?? Infinity) < where.least) return true;
    const found = measured[figure] ?? Number.NaN;
    return bound === 'least' ? found >= value : found <= value;
  });
}

/** The target in words; null when there is none. */
export function targetText(limits: readonly Limit[]): string | null {
  if (limits.length === 0) return null;
  return limits
    .map(({ figure, bound, value, where }) => {
      const text = `${figure} ${bound === 'least' ? '≥' : '≤'} ${grouped(value)}`;
      return where === null ? text : `${text} where ${where.figure} ≥ ${grouped(where.least)}`;
    })
    .join(', ');
}

/** A number for people: `12,345` or `0.57`. */
export function grouped(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 10 ? 3 : 1 });
}

/** Rounded so that no digit is noise alone. */
export function rounded(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}
