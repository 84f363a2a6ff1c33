/**
 * The network of the page learns on WebGL2 as it does on the CPU backend: from the CPU's state at each step loss and every gradient
 * agree, and on its own it stays close, and learns.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright';
import { build, defaultClientConditions, preview } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { chromiumFlags, findChromium } from '../../../tools/setup/chromium.mjs';
import type { Answer } from './agreement-page/main';

const [compared, steps] = [50, 200];
const root = fileURLToPath(new URL('./agreement-page', import.meta.url));
let outDir: string;
let saw: Answer;
beforeAll(async () => {
  outDir = await mkdtemp(join(tmpdir(), 'webgl-agreement-'));
  await build({
    ...{ root, configFile: false, logLevel: 'error' },
    resolve: { conditions: ['@tessera/source', ...defaultClientConditions] },
    worker: { format: 'es' },
    build: { outDir, emptyOutDir: true, target: 'es2022' },
  });
  const server = await preview({ root, configFile: false, logLevel: 'error', build: { outDir }, preview: { port: 0 } });
  const browser = await chromium.launch({ executablePath: findChromium() ?? 'chromium', args: chromiumFlags });
  try {
    const page = await browser.newPage();
    await page.goto(server.resolvedUrls?.local[0] as string);
    await page.waitForFunction('globalThis.agreement');
    saw = (await page.evaluate(`agreement(${compared}, ${steps})`)) as Answer;
  } finally {
    await browser.close();
    await server.close();
  }
}, 600_000);
afterAll(() => rm(outDir, { recursive: true, force: true }));

it(`agrees in loss and every gradient, from the CPU's state at each of ${compared} steps`, () => {
  expect(saw.off.length).toBe(compared * 15);
  expect(saw.off.filter(({ share }) => !(share <= 1))).toEqual([]);
});

it(`has a loss within 5 % of the CPU's after ${compared} steps of its own`, () => {
  const at = compared - 1;
  expect(Math.abs((saw.own[at] as number) / (saw.lead[at] as number) - 1)).toBeLessThan(0.05);
});

it(`has learnt in ${steps} steps of 16 digits`, () => {
  const mean = (part: readonly number[]) => part.reduce((sum, loss) => sum + loss, 0) / part.length;
  console.log(`after ${steps} steps: ${100 * saw.accuracy} % right, ${saw.seconds.toFixed(0)} s`);
  expect(saw.own.length).toBe(steps);
  expect(mean(saw.own.slice(-10))).toBeLessThan(mean(saw.own.slice(0, 10)) / 4);
  expect(saw.accuracy).toBeGreaterThan(0.93);
});
