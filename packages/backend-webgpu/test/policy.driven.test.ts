/** A page whose policy forbids eval: trained in the page, in a worker with an OffscreenCanvas, and on after it was out of sight. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright';
import { build, defaultClientConditions, type PreviewServer, preview } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { composingFlags, findChromium } from '../../../tools/setup/chromium.mjs';

const root = fileURLToPath(new URL('./fixtures/policy-page', import.meta.url));
let browser: Browser;
let server: PreviewServer;
let outDir: string;
let page: Page;
const complaints: string[] = [];
beforeAll(async () => {
  outDir = await mkdtemp(join(tmpdir(), 'webgpu-policy-page-'));
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    resolve: { conditions: ['@tessera/source', ...defaultClientConditions] },
    build: { outDir, emptyOutDir: true, target: 'es2022' },
  });
  const headers = { 'Content-Security-Policy': "default-src 'none'; script-src 'self'; worker-src 'self'" };
  server = await preview({
    root,
    configFile: false,
    logLevel: 'error',
    build: { outDir },
    preview: { port: 0, headers },
  });
  browser = await chromium.launch({ executablePath: findChromium() ?? 'chromium', args: composingFlags });
  page = await browser.newPage();
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', ({ message }) => complaints.push(message));
  await page.goto(server.resolvedUrls?.local[0] as string);
  await until('globalThis.inPage !== undefined');
}, 240_000);
afterAll(async () => {
  await browser?.close();
  await server?.close();
  await rm(outDir, { recursive: true, force: true });
});

/** Playwright waits by eval, which the policy forbids; asking from outside it does not. */
async function until(condition: string): Promise<void> {
  while (!(await page.evaluate(condition))) await new Promise((resolve) => setTimeout(resolve, 50));
}

const losses = [64, 64 * 0.84 ** 2];

it('trains in the page without eval', async () => {
  const saw = (await page.evaluate('inPage()')) as { losses: number[]; evalForbidden: boolean };
  expect(saw.evalForbidden).toBe(true);
  expect(saw.losses[0]).toBeCloseTo(losses[0] as number, 3);
  expect(saw.losses[1]).toBeCloseTo(losses[1] as number, 3);
});

it('trains in a worker, and draws into its OffscreenCanvas', async () => {
  const saw = (await page.evaluate('inWorker()')) as { losses: number[]; pixel: number[]; error?: string };
  expect(saw.error).toBeUndefined();
  expect(saw.losses[1]).toBeCloseTo(losses[1] as number, 3);
  for (const value of saw.pixel) expect(Math.abs(value - 128)).toBeLessThan(2);
});

const [red, green, blue] = [
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
] as const;

it('takes pictures from canvas, bitmap and video frame without the host, and draws one', async () => {
  const saw = (await page.evaluate('pictures()')) as Record<string, unknown>;
  for (const exact of ['canvas', 'bitmap'])
    expect(saw[exact]).toEqual([
      [3, 6, 8],
      [red, blue, green],
    ]);
  for (const video of ['frame', 'external']) {
    const [shape, colors] = saw[video] as [number[], number[][]];
    expect(shape).toEqual([3, 6, 8]);
    // through the colors of a video, at half their resolution
    [red, blue, green].forEach((wanted, i) => {
      wanted.forEach((value, c) => {
        expect(Math.abs((colors[i]?.[c] as number) - value)).toBeLessThan(12);
      });
    });
  }
  expect(saw['refused']).toMatch(/has a context of another kind/);
  expect(saw['unsized']).toMatch(/give the size of an external texture/);
  expect(saw['drawn']).toEqual([red, blue, green]);
});

it('goes on where it was when the page was hidden and its scripts were halted', async () => {
  const session = await page.context().newCDPSession(page);
  await session.send('Debugger.enable');
  await page.evaluate('void keepTraining()');
  await until('progress.steps > 2');
  await page.evaluate('show(false)');
  const halted = new Promise((resolve) => session.once('Debugger.paused', resolve));
  await session.send('Debugger.pause');
  await halted; // as a page out of sight is: the GPU goes on, nobody takes what it sends
  await new Promise((resolve) => setTimeout(resolve, 500));
  await session.send('Debugger.resume');
  await page.evaluate('show(true)');
  const steps = (await page.evaluate('progress.steps')) as number;
  await until(`progress.steps > ${steps} + 2`);
  await page.evaluate('progress.stop = true');
  await until('progress.stopped');
  const { error, last } = (await page.evaluate('progress')) as { error: string; last: number };
  expect(error).toBe('');
  expect(last).toBeLessThan(losses[1] as number);
});

it('says nothing on the console but that the page tried eval', () => {
  expect(complaints.filter((text) => !/unsafe-eval/.test(text))).toEqual([]);
});
