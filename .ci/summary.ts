/**
 * Prints the closing line of a CI run from vitest's JSON report and the counts of the proofs. Nothing
 * may be left out here: a test that was skipped counts as failed, and so does a file in which none ran.
 */
import { existsSync, readFileSync } from 'node:fs';

interface Assertion {
  readonly status: string;
  readonly fullName: string;
  readonly failureMessages?: readonly string[];
}

interface Report {
  readonly success: boolean;
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly Assertion[];
  }[];
}

interface Proofs {
  readonly passed: number;
  readonly failed: number;
}

/** Null when the run ended before it could write: that is a failure like any other. */
function read<T>(path: string): T | null {
  // Parse boundary: the files are written by vitest and by proof.ts.
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as T) : null;
}

/** With the beginning of what it said: the log of a CI run may be cut, and this is its end. */
function reasonOf({ status, failureMessages = [] }: Assertion): string {
  if (status !== 'failed') return 'was not run, and here every test must be';
  const lines = failureMessages.flatMap((message) => message.split('\n'));
  return ['failed', ...lines.slice(0, linesOfReason)].join('\n    ');
}

const linesOfReason = 30;
const [, , testsPath = '', proofsPath = ''] = process.argv;
const report = read<Report>(testsPath);
const proofs = read<Proofs>(proofsPath) ?? { passed: 0, failed: 1 };
const files = report?.testResults ?? [];
const tests = files.flatMap(({ assertionResults }) => assertionResults);
const bad = tests.filter(({ status }) => status !== 'passed');
// One that does not load, or whose only suite is skipped, has no test to its name.
const empty = files.filter(({ assertionResults }) => assertionResults.length === 0);
const failures = [
  ...bad.map((test) => `${test.fullName}: ${reasonOf(test)}`),
  ...empty.map(({ name }) => `${name}: no test of it was run`),
];
if (report === null || tests.length === 0) failures.push('the tests were not run');
else if (!report.success && failures.length === 0) failures.push('an error outside of any test');

for (const failure of failures) console.error(`ci: ${failure}`);
const passed = tests.length - bad.length;
const failed = failures.length + proofs.failed;
console.log(`ci: ${passed} tests; ${proofs.passed} seeds, mutants and plans`);
console.log(`${passed + proofs.passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
