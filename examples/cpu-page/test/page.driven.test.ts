/** The built page in Chromium, served in its three ways: with threads, with one worker, without WebAssembly. */
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright';
import { build, preview } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumFlags, findChromium } from '../../../tools/setup/chromium.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
let browser: Browser;
beforeAll(async () => {
  await build({ root, logLevel: 'error' });
  browser = await chromium.launch({ executablePath: findChromium() ?? 'chromium', args: chromiumFlags });
});
afterAll(() => browser?.close());

interface Seen {
  readonly page: Page;
  /** What the console, uncaught errors and failed requests said. */
  readonly complaints: string[];
}

/** Opens the page as `pnpm <way>` serves it. */
async function opened(way: string, use: (seen: Seen) => Promise<void>): Promise<void> {
  const server = await preview({ root, mode: way, logLevel: 'error', preview: { port: 0 } });
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('requestfailed', (request) => complaints.push(`${request.url()} failed`));
  try {
    await page.goto(server.resolvedUrls?.local[0] as string);
    await use({ page, complaints });
  } finally {
    await page.close();
    await server.close();
  }
}

const text = (page: Page, id: string) => page.locator(`#${id}`).textContent().then(String);
const epochs = async (page: Page) => Number(/epoch (\d+)/.exec(await text(page, 'progress'))?.[1] ?? 0);
const loss = async (page: Page) => Number(/loss ([\d.]+)/.exec(await text(page, 'progress'))?.[1] ?? Infinity);
const click = (page: Page, button: 'Train' | 'Stop') => page.getByRole('button', { name: button, exact: true }).click();

/** Starts to count frames; answers how many there were, and the longest wait for one as a share of the whole time. */
async function countFrames(page: Page): Promise<() => Promise<{ frames: number; longest: number }>> {
  await page.evaluate(() => {
    const seen: number[] = [performance.now()];
    const frame = (now: number) => {
      seen.push(now);
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    Object.assign(globalThis, { seen });
  });
  return () =>
    page.evaluate(() => {
      const times = [...(globalThis as unknown as { seen: number[] }).seen, performance.now()];
      const waits = times.slice(1).map((time, i) => time - (times[i] as number));
      return {
        frames: times.length - 2,
        longest: Math.max(...waits) / ((times.at(-1) as number) - (times[0] as number)),
      };
    });
}

const ways = {
  isolated: { isolated: true, says: /^\d+ threads?, SIMD, shared memory$/ },
  plain: { isolated: false, says: /^1 thread, SIMD$/ },
  strict: { isolated: false, says: /policy forbids WebAssembly.*reference backend/ },
};

describe.each(Object.entries(ways))('served %s', (way, { isolated, says }) => {
  it('trains off the UI thread, stops when told to and goes on', () =>
    opened(way, async ({ page, complaints }) => {
      expect(await page.evaluate(() => crossOriginIsolated)).toBe(isolated);
      await expect.poll(() => text(page, 'info'), { timeout: 20_000 }).toMatch(says);
      if (isolated) {
        const processors = await page.evaluate(() => navigator.hardwareConcurrency);
        expect(parseInt(await text(page, 'info'), 10)).toBe(Math.min(16, processors));
      }

      const framesSince = await countFrames(page);
      await click(page, 'Train');
      await expect.poll(() => epochs(page), { timeout: 20_000 }).toBeGreaterThan(0);
      const first = await loss(page);
      await expect.poll(() => loss(page), { timeout: 30_000 }).toBeLessThan(Math.min(0.3, first));
      await expect.poll(async () => (await framesSince()).frames, { timeout: 20_000 }).toBeGreaterThan(20);
      expect((await framesSince()).longest).toBeLessThan(0.5);

      await click(page, 'Stop');
      await expect.poll(() => text(page, 'train')).toBe('Train');
      const stopped = await epochs(page);
      await page.waitForTimeout(300);
      expect(await epochs(page)).toBe(stopped);
      await click(page, 'Train');
      await expect.poll(() => epochs(page), { timeout: 20_000 }).toBeGreaterThan(stopped);

      expect(complaints).toEqual([]);
    }));
});
