// Prints "N passed, M failed, K skipped" from vitest's JSON report and the names of the steps that failed.
// Usage: node scripts/summarize-tests.mjs <report.json> [failed step …]
import { readFileSync } from 'node:fs';

const [reportPath, ...failedSteps] = process.argv.slice(2);
const { passed, failed, skipped } = count(reportPath);
const failedChecks = failedSteps.filter((name) => name !== 'tests').length;
// The runner can fail with no failed test: an unhandled rejection, a time limit, no report at all.
const unexplained = failedSteps.includes('tests') && failed === 0 ? 1 : 0;
const failures = failed + failedChecks + unexplained;

process.stdout.write(`${passed} passed, ${failures} failed, ${skipped} skipped\n`);
process.exitCode = failures === 0 && passed > 0 ? 0 : 1;

function count(path) {
  let report;
  try {
    report = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
  // A file that does not even load has no tests to count.
  const brokenFiles = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  ).length;
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}
