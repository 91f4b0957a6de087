/** Prints the closing line of a CI run from vitest's JSON report; a skipped test fails the run. */
import { readFileSync } from 'node:fs';

interface Report {
  readonly success: boolean;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numFailedTestSuites: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
}

const [, , path = ''] = process.argv;
const report = JSON.parse(readFileSync(path, 'utf8')) as Report;
const skipped = report.numPendingTests + report.numTodoTests;
// A file that fails to load has no tests of its own to count.
const failed =
  report.numFailedTests + (report.success ? 0 : Math.max(0, 1 - report.numFailedTests));
if (skipped > 0) console.error(`ci: ${skipped} tests were skipped; here nothing may be`);
const tail = skipped > 0 ? `, ${skipped} skipped` : '';
console.log(`${report.numPassedTests} passed, ${failed} failed${tail}`);
process.exitCode = failed > 0 || skipped > 0 || report.numPassedTests === 0 ? 1 : 0;
