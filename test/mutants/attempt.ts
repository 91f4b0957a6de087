/**
 * Runs one killer in a copy of the tree and tells what it found. Invariant: `found` is only said of a
 * suite that was loaded and ran; broken code, a missing server and a broken runner are told apart.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type Ended, runNode } from './child.ts';
import { type Killer, type KillerName, killers } from './killers.ts';
import { pathOf, patternOf, type TestPlace } from './sightings.ts';

/** What a killer made of the tree. */
export type Attempt =
  /** It failed: `what` names the test, or the seed and the rule; `by` is where that test stands. */
  | { readonly kind: 'found'; readonly what: string; readonly by?: TestPlace }
  /** `tests`: the paths of those that ran. */
  | { readonly kind: 'passed'; readonly tests: ReadonlySet<string> }
  /** The server that it needs is not on this machine. */
  | { readonly kind: 'absent' }
  /** It could not be run: that proves nothing. */
  | { readonly kind: 'broken'; readonly reason: string };

/** Some tests of a suite. */
export interface Selection {
  readonly files: readonly string[];
  /** Their paths. */
  readonly tests: readonly string[];
}

interface Report {
  readonly numTotalTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly ancestorTitles: readonly string[];
      readonly title: string;
    }[];
  }[];
}

/**
 * Tries one killer, or of a suite only the selected tests. `workers`: how many processes a suite may
 * use. A selection of which there is nothing is `absent`.
 */
export async function attempt(
  folder: string,
  name: KillerName,
  workers: number,
  selection?: Selection,
): Promise<Attempt> {
  const killer: Killer = killers[name];
  if (killer.kind === 'seeds') {
    const args = ['test/mutants/sim-share.ts', String(killer.seeds)];
    return seedsFound(await runNode(folder, args, killer.limitMs));
  }
  const { project, testMsMax, limitMs } = killer;
  const files = selection?.files ?? killer.files;
  const only = selection === undefined ? killer.only : patternOf(selection.tests);
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
  return suiteFound(await runNode(folder, args, limitMs), { folder, output });
}

function seedsFound({ exitCode, isLate, stdout, stderr }: Ended): Attempt {
  if (isLate) return { kind: 'found', what: 'hangs' };
  if (exitCode === 0) return { kind: 'passed', tests: new Set() };
  const line = stdout.trim().split('\n').at(-1) ?? '';
  if (exitCode !== 1 || !line.startsWith('{')) {
    return { kind: 'broken', reason: `the simulator did not run: ${lastLine(stderr)}` };
  }
  const { finding } = JSON.parse(line) as { finding: { seed: number; rule: string } };
  return { kind: 'found', what: `seed ${finding.seed}: ${finding.rule}` };
}

interface Outcome {
  readonly folder: string;
  readonly output: string;
}

function suiteFound(ended: Ended, { folder, output }: Outcome): Attempt {
  const { exitCode, isLate, stderr } = ended;
  if (isLate) return { kind: 'found', what: 'hangs' };
  let report: Report;
  try {
    report = JSON.parse(readFileSync(output, 'utf8')) as Report;
  } catch {
    return { kind: 'broken', reason: `no report was written: ${lastLine(stderr)}` };
  }
  const tests = report.testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map(({ status, fullName, ancestorTitles, title }) => ({
      ...{ status, fullName },
      by: { file: relative(folder, name), test: pathOf([...ancestorTitles, title]) },
    })),
  );
  const failed = tests.find((test) => test.status === 'failed');
  if (failed !== undefined) return { kind: 'found', what: failed.fullName, by: failed.by };
  const unloaded = report.testResults.find(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  );
  if (unloaded !== undefined) {
    return { kind: 'broken', reason: `${unloaded.name}: ${lastLine(unloaded.message)}` };
  }
  if (report.numTotalTests === 0) return { kind: 'broken', reason: 'there are no tests' };
  if (exitCode !== 0) return { kind: 'found', what: 'an error outside of tests' };
  const passed = tests.filter((test) => test.status === 'passed');
  if (passed.length === 0) return { kind: 'absent' };
  return { kind: 'passed', tests: new Set(passed.map(({ by }) => by.test)) };
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
}
