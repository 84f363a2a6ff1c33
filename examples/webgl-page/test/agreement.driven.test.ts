/**
 * The network of the page learns on WebGL2 as it does on the CPU backend: from the CPU's state at each step loss and every gradient
 * agree, and it stays close on its own. `STEPS=200 pnpm vitest run --project browser-driven examples/webgl-page/test/agreement` for more.
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

const compared = 50;
const steps = Number(process.env['STEPS'] ?? compared);
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
  const [host, own] = saw.losses[compared - 1] as [number, number];
  expect(Math.abs(own / host - 1)).toBeLessThan(0.05);
});

it(`has learnt in ${steps} steps of 16 digits`, () => {
  const mean = (part: Answer['losses']) => part.reduce((sum, [, own]) => sum + own, 0) / part.length;
  console.log(`after ${steps} steps: ${100 * saw.accuracy} % right, ${saw.seconds.toFixed(0)} s`);
  expect(mean(saw.losses.slice(-10))).toBeLessThan(mean(saw.losses.slice(0, 10)) / 2);
  expect(saw.accuracy).toBeGreaterThan(steps < 200 ? 0.8 : 0.93);
});
