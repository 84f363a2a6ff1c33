/**
 * The one check: every step in order, all runners summed, and last a line `N passed, N failed` alone.
 *
 *     npm test -- [--without-browser] [--only <step>]…
 *
 * A step counts as one check passed or failed; a step that runs vitest also adds its tests.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Count, line, sum } from './count.ts';
import { steps } from './steps.ts';

const { values } = parseArgs({
  options: {
    'without-browser': { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
  },
});

const unknown = values.only.filter((name) => !steps.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(`check: no step ${unknown.join(', ')}; the steps are ${steps.map((step) => step.name).join(', ')}`);
  process.exit(2);
}

const asked = steps.filter((step) => values.only.length === 0 || values.only.includes(step.name));
const chosen = steps.filter(
  (step) => asked.includes(step) || (step.name === 'build' && asked.some(({ built }) => built)),
);
const report: { name: string; count: Count; seconds: number }[] = [];
mkdirSync('.cache', { recursive: true });

for (const { name, says, run } of chosen) {
  console.log(`\n── ${name}: ${says}`);
  const start = performance.now();
  let count: Count;
  try {
    count = await run({ browser: !values['without-browser'] });
  } catch (error) {
    console.error(error);
    count = { passed: 0, failed: 1, skipped: 0 };
  }
  report.push({ name, count, seconds: (performance.now() - start) / 1000 });
}

console.log('');
for (const { name, count, seconds } of report) {
  console.log(`${count.failed > 0 ? '✗' : '✓'} ${name.padEnd(9)} ${seconds.toFixed(1).padStart(6)} s  ${line(count)}`);
}
const total = sum(report.map(({ count }) => count));
writeFileSync('.cache/check.txt', `${line(total)}\n`);
console.log(`\n${line(total)}`);
process.exit(total.failed > 0 ? 1 : 0);
