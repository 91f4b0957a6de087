/**
 * What the demo says at the end: a table with the ledger check for people, or one JSON object.
 * Pure text; nothing is decided here but the words.
 */
import { tableLines } from '../cli/table.ts';
import type { Paint } from '../cli/terminal.ts';
import type { Finding } from './check.ts';
import { waitsPerCommit, waitsPerTransaction } from './counters.ts';
import type { DemoResult } from './run-demo.ts';
import type { Run } from './workload.ts';

/** Violations that are listed; the rest is counted. */
const violationsShownMax = 20;

/** The object of `--json`. Money is in cents, rates are per second, times in seconds. */
export function jsonReport(run: Run, result: DemoResult): Readonly<Record<string, unknown>> {
  const { finding, kills, counters, seconds, settlingSeconds, resolved } = result;
  const { violations, ...figures } = finding;
  return {
    transfers: run.transfers,
    ...figures,
    kills: kills.length,
    violations: violations.length,
    ...(violations.length === 0 ? {} : { wrong: violations.slice(0, violationsShownMax) }),
    resolvedByAsking: resolved,
    txPerSecond: rateOf(run, seconds),
    durableWaitsPerTx: waitsPerTransaction(counters),
    durableWaitsPerCommit: waitsPerCommit(counters),
    seconds: rounded(seconds),
    settlingSeconds: rounded(settlingSeconds),
    seed: run.seed,
  };
}

/** Lines for people. `paint` colours a text, where that is wanted. */
export function reportLines(
  run: Run,
  result: DemoResult,
  paint: (paint: Paint, text: string) => string,
): readonly string[] {
  const { finding, seconds, settlingSeconds, kills, resolved, counters } = result;
  const waits = waitsPerTransaction(counters);
  const good = (isGood: boolean, yes: string, no: string) =>
    isGood ? paint('green', yes) : paint('red', no);
  const { committed, rolledBack, open, attention, moneyBefore, moneyAfter, residue } = finding;
  const rows: readonly (readonly string[])[] = [
    ['transfers', String(run.transfers), `${rateOf(run, seconds)}/s, ${rounded(seconds)} s`],
    ['committed', String(committed), ''],
    ['rolled back', String(rolledBack), 'no money, closed account, abandoned, or lost in a kill'],
    ['still open', String(open), good(open === 0, 'all decided', 'not decided')],
    ['attention', String(attention), good(attention === 0, 'none', 'someone has to look')],
    ['kill -9', String(kills.length), killsByTarget(result)],
    ['unknown answers', String(resolved), 'settled by asking the coordinator'],
    ['money before', euros(moneyBefore), ''],
    ['money after', euros(moneyAfter), good(finding.conserved, 'conserved', 'NOT conserved')],
    ['still reserved', String(residue), good(residue === 0, 'nothing', 'money is held')],
    ['durable waits', `${waits.transaction} / ${waits.saga}`, 'per transaction / per saga'],
    ['settling', `${rounded(settlingSeconds)} s`, 'until the abandoned ones were rolled back'],
  ];
  return [
    ...tableLines([paint('bold', 'What'), paint('bold', 'Count'), ''], rows),
    '',
    ...verdictLines(finding, good),
  ];
}

function verdictLines(
  { violations, committed, rolledBack }: Finding,
  good: (isGood: boolean, yes: string, no: string) => string,
): readonly string[] {
  if (violations.length === 0) {
    const all = `${committed} did all of their branches, ${rolledBack} none`;
    return [`Ledger check: ${good(true, 'holds', '')}. ${all}; each row agrees with its outcome.`];
  }
  const shown = violations.slice(0, violationsShownMax);
  const more = violations.length - shown.length;
  return [
    `Ledger check: ${good(false, '', 'BROKEN')}, ${violations.length} things are wrong:`,
    ...shown.map(({ gid, what }) => `  ${gid ?? 'money'}: ${what}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

function killsByTarget({ kills }: DemoResult): string {
  const counts = new Map<string, number>();
  for (const { target } of kills) counts.set(target, (counts.get(target) ?? 0) + 1);
  return [...counts].map(([target, count]) => `${target} ${count}`).join(', ');
}

function rateOf(run: Run, seconds: number): number {
  return seconds > 0 ? Math.round(run.transfers / seconds) : 0;
}

function rounded(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}

function euros(cents: number): string {
  return `${(cents / 100).toFixed(2)}`;
}
