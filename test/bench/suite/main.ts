/**
 * `npm run bench -- --suite`: runs the rows one after another, says of each what it measured and
 * whether its target holds, and, asked to, writes docs/performance.md. A target that is missed is
 * reported and fails nothing: speed is the machine's, too. Only figures that mean nothing do.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { measureOnce } from '../measure.ts';
import type { BenchResult } from '../report.ts';
import { machineText, withTable } from './docs.ts';
import { readSuiteFlags, type SuiteOptions } from './flags.ts';
import {
  closingLine,
  isSound,
  jsonLine,
  markdownTable,
  measuredText,
  type Outcome,
  verdictText,
} from './outcome.ts';
import { plot } from './plot.ts';
import { type Row, type SuiteBench, targetText } from './row.ts';
import { rows } from './rows.ts';
import { optionsOf } from './scene.ts';

/** Where a run says what. */
export interface SuitePorts {
  readonly signal: AbortSignal;
  /** Progress and verdicts, for people. */
  readonly say: (line: string) => void;
  /** The result. */
  readonly print: (line: string) => void;
}

/** Whether the figures mean something; or what is wrong with the flags. Throws when interrupted. */
export async function runSuite(
  args: readonly string[],
  ports: SuitePorts,
): Promise<'sound' | 'unsound' | { readonly wrong: string }> {
  const options = readSuiteFlags(
    args,
    rows.map(({ name }) => name),
  );
  if (typeof options === 'string') return { wrong: options };
  const bench = suiteBench(options, ports);
  const outcomes: Outcome[] = [];
  for (const row of rows) {
    if (options.only !== null && !options.only.includes(row.name)) continue;
    ports.say(`\n== ${row.name}: ${row.title}`);
    const outcome = await runRow(row, bench);
    outcomes.push(outcome);
    ports.say(`   ${measuredText(outcome)}`);
    ports.say(`   target: ${targetText(row.limits) ?? 'none'} ${verdictText(outcome)}`);
    if (options.isJson) ports.print(jsonLine(outcome));
  }
  ports.print(options.isJson ? closingLine(outcomes) : markdownTable(outcomes));
  if (options.writesDocs) writeDocs(outcomes);
  return outcomes.every(isSound) ? 'sound' : 'unsound';
}

async function runRow(row: Row, bench: SuiteBench): Promise<Outcome> {
  bench.signal.throwIfAborted();
  try {
    return { row, found: await row.run(bench) };
  } catch (error) {
    bench.signal.throwIfAborted();
    return { row, found: { error: error instanceof Error ? error.message : String(error) } };
  }
}

function suiteBench(options: SuiteOptions, { signal, say }: SuitePorts): SuiteBench {
  const results = new Map<string, BenchResult>();
  return {
    seconds: options.seconds,
    isLong: options.isLong,
    count: (full) => Math.ceil((full * options.sizePercent) / 100),
    async measure(flags) {
      const known = results.get(flags);
      if (known !== undefined) return known;
      say(`   npm run bench -- ${flags} --seconds ${options.seconds}`);
      const { result } = await measureOnce(optionsOf(flags, options.seconds), { signal, say });
      results.set(flags, result);
      return result;
    },
    signal,
    say,
  };
}

function writeDocs(outcomes: readonly Outcome[]): void {
  const folder = join(import.meta.dirname, '..', '..', '..', 'docs');
  const page = join(folder, 'performance.md');
  const text = withTable(readFileSync(page, 'utf8'), outcomes, machineText(Date.now()));
  writeFileSync(page, text);
  writeFileSync(join(folder, 'performance.svg'), plot(outcomes));
}
