/** One measurement from its flags to its result: scene, rounds, medians. Nothing of it stays. */
import type { BenchOptions } from './flags.ts';
import { type BenchResult, resultOf, roundLine } from './report.ts';
import { type Measured, type Round, runRounds } from './run.ts';
import { setStage } from './stage.ts';

/** What was measured. */
export interface Measurement {
  readonly measured: Measured;
  readonly result: BenchResult;
  /** With complete profiles; null: none were taken. */
  readonly profileFolder: string | null;
}

/** Measures. Throws Missing without a server, and when `signal` aborts. */
export async function measureOnce(
  options: BenchOptions,
  { signal, say }: { readonly signal: AbortSignal; readonly say: (line: string) => void },
): Promise<Measurement> {
  const stage = await setStage(options, signal);
  const tell = (name: string, round: Round): void => say(roundLine(name, round));
  try {
    const measured = await runRounds(stage, options, tell, signal);
    return { measured, result: resultOf(options, measured), profileFolder: stage.profileFolder };
  } finally {
    await stage.close();
  }
}
