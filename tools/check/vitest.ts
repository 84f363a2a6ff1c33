/** Runs vitest projects and reads their totals from its JSON report. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type Count, one, sum } from './count.ts';
import { bin, quiet, root, tool } from './exec.ts';

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: { name: string; status: string; message?: string; assertionResults: { status: string }[] }[];
}

/** Tests and the run itself. A file that could not be loaded, or a run that fails elsewhere, fails the run. */
export function vitest(label: string, projects: string[]): Count {
  const file = join(root, '.cache', `vitest-${label}.json`);
  rmSync(file, { force: true });
  const ok = tool('vitest', [
    'run',
    ...projects.map((project) => `--project=${project}`),
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${file}`,
  ]);
  if (!existsSync(file)) return one(false);
  return sum([one(ok), totals(JSON.parse(readFileSync(file, 'utf8')) as Report)]);
}

/** The tests of a report; a file that broke before its first test counts as one failure. */
export function totals(report: Report): Count {
  const broken = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((assertion) => assertion.status === 'failed'),
  ).length;
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/** The files of projects that are left out, each printed and counted as one skip. */
export function leftOut(projects: string[], reason: string): Count {
  const { ok, output } = quiet(process.execPath, [
    bin('vitest'),
    'list',
    '--filesOnly',
    '--json',
    ...projects.map((project) => `--project=${project}`),
  ]);
  if (!ok) {
    console.error(output);
    return one(false);
  }
  const files = JSON.parse(output.slice(output.indexOf('['))) as { file: string; projectName: string }[];
  for (const { file, projectName } of files) console.log(`skipped (${reason}): ${projectName} ${relative(root, file)}`);
  return { passed: 0, failed: 0, skipped: files.length };
}
