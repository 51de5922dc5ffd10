/**
 * @file Adds up vitest's JSON reports and prints `N passed, N failed`; exits with 1 if anything failed.
 *
 *     node scripts/test-totals.mjs [--failed-steps <n>] <report.json>…
 *     node scripts/test-totals.mjs --any-failed <report.json>   exits with 0 if the report has failures
 */

import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'failed-steps': { type: 'string', default: '0' }, 'any-failed': { type: 'boolean' } },
});
const reports = positionals.filter((path) => existsSync(path)).map(totals);

if (values['any-failed']) {
  process.exit(reports.some(({ failed }) => failed > 0) ? 0 : 1);
}

const passed = reports.reduce((sum, report) => sum + report.passed, 0);
// A step that is no test suite (the checks, an example run) counts as one failure.
const failed = reports.reduce((sum, report) => sum + report.failed, Number(values['failed-steps']));
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

/** Tests passed and failed; a file that failed to load counts as one failed test. */
function totals(path) {
  const report = JSON.parse(readFileSync(path, 'utf8'));
  const unloaded = report.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.every((t) => t.status !== 'failed'),
  );
  return { passed: report.numPassedTests, failed: report.numFailedTests + unloaded.length };
}
