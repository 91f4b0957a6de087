/**
 * Prints the closing line of a CI run from vitest's JSON report and the counts of the proofs; a
 * skipped test fails the run.
 */
import { readFileSync } from 'node:fs';

interface Report {
  readonly success: boolean;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numFailedTestSuites: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
}

interface Proofs {
  readonly passed: number;
  readonly failed: number;
}

const [, , testsPath = '', proofsPath = ''] = process.argv;
const report = JSON.parse(readFileSync(testsPath, 'utf8')) as Report;
const proofs = JSON.parse(readFileSync(proofsPath, 'utf8')) as Proofs;
const skipped = report.numPendingTests + report.numTodoTests;
// A file that fails to load has no tests of its own to count.
const failedTests =
  report.numFailedTests + (report.success ? 0 : Math.max(0, 1 - report.numFailedTests));
const failed = failedTests + proofs.failed;
if (skipped > 0) console.error(`ci: ${skipped} tests were skipped; here nothing may be`);
const tail = skipped > 0 ? `, ${skipped} skipped` : '';
console.log(`ci: ${report.numPassedTests} tests; ${proofs.passed} seeds, mutants and plans`);
console.log(`${report.numPassedTests + proofs.passed} passed, ${failed} failed${tail}`);
process.exitCode = failed > 0 || skipped > 0 || report.numPassedTests === 0 ? 1 : 0;
