/**
 * Runs one killer in a copy of the tree and tells what it found. Invariant: `found` is only said of a
 * suite that was loaded and ran; broken code, a missing server and a broken runner are told apart.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Ended, runNode } from './child.ts';
import { type Killer, type KillerName, killers } from './killers.ts';

/** What a killer made of the tree. */
export type Attempt =
  /** It failed: `what` names the test, or the seed and the rule. */
  | { readonly kind: 'found'; readonly what: string }
  | { readonly kind: 'passed' }
  /** The server that it needs is not on this machine. */
  | { readonly kind: 'absent' }
  /** It could not be run: that proves nothing. */
  | { readonly kind: 'broken'; readonly reason: string };

interface Report {
  readonly numPassedTests: number;
  readonly numTotalTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

/** Tries one killer. `workers`: how many processes a suite may use. */
export async function attempt(folder: string, name: KillerName, workers: number): Promise<Attempt> {
  const killer: Killer = killers[name];
  if (killer.kind === 'seeds') {
    const args = ['test/mutants/sim-share.ts', String(killer.seeds)];
    return seedsFound(await runNode(folder, args, killer.limitMs));
  }
  const { project, files, only, testMsMax, limitMs } = killer;
  const output = join(folder, 'report.json');
  rmSync(output, { force: true });
  const args = [
    'node_modules/vitest/vitest.mjs',
    ...['run', '--project', project, ...files],
    ...['--bail', '1', '--reporter', 'json', '--outputFile', output],
    ...['--maxWorkers', String(workers)],
    ...(only === undefined ? [] : ['--testNamePattern', only]),
    ...(testMsMax === undefined ? [] : ['--testTimeout', String(testMsMax)]),
  ];
  return suiteFound(await runNode(folder, args, limitMs), output);
}

function seedsFound({ exitCode, isLate, stdout, stderr }: Ended): Attempt {
  if (isLate) return { kind: 'found', what: 'hangs' };
  if (exitCode === 0) return { kind: 'passed' };
  const line = stdout.trim().split('\n').at(-1) ?? '';
  if (exitCode !== 1 || !line.startsWith('{')) {
    return { kind: 'broken', reason: `the simulator did not run: ${lastLine(stderr)}` };
  }
  const { finding } = JSON.parse(line) as { finding: { seed: number; rule: string } };
  return { kind: 'found', what: `seed ${finding.seed}: ${finding.rule}` };
}

function suiteFound({ exitCode, isLate, stderr }: Ended, output: string): Attempt {
  if (isLate) return { kind: 'found', what: 'hangs' };
  let report: Report;
  try {
    report = JSON.parse(readFileSync(output, 'utf8')) as Report;
  } catch {
    return { kind: 'broken', reason: `no report was written: ${lastLine(stderr)}` };
  }
  const failed = report.testResults
    .flatMap((file) => file.assertionResults)
    .find((test) => test.status === 'failed');
  if (failed !== undefined) return { kind: 'found', what: failed.fullName };
  const unloaded = report.testResults.find(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  );
  if (unloaded !== undefined) {
    return { kind: 'broken', reason: `${unloaded.name}: ${lastLine(unloaded.message)}` };
  }
  if (report.numTotalTests === 0) return { kind: 'broken', reason: 'there are no tests' };
  if (exitCode !== 0) return { kind: 'found', what: 'an error outside of tests' };
  return report.numPassedTests === 0 ? { kind: 'absent' } : { kind: 'passed' };
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
}
