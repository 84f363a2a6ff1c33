/** A long training takes no more memory than a short one. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

// A process of its own: what the test runner itself allocates meanwhile is not the training's.
const program = fileURLToPath(new URL('soak.program.ts', import.meta.url));
const run = promisify(execFile);

it('ten thousand steps keep memory() and the process flat, while losses are dropped or read', async () => {
  const { stdout } = await run(process.execPath, [...process.execArgv, program]);
  const { collects, early, late, worst } = JSON.parse(stdout);
  expect(collects).toBe(true);
  expect(worst).toBeGreaterThan(0);
  expect(late.device - early.device).toBeLessThan(10_000);
  // Seen: 4 to 6 MB, of compiled code and the collector's slack, and none of it after 6,000 steps. 4 kB a step would be 32.
  expect(late.resident - early.resident).toBeLessThan(32_000_000);
});
