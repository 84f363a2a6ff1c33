/** The tests of a page that learns the digits on a GPU, built and in a Chromium of its own: of this example and of webgl-page. */
import { mkdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright';
import { build, type PreviewServer, preview } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChromium } from '../../../tools/setup/chromium.mjs';

/** What tells one page from another. */
export interface LearningPage {
  /** The example's folder. */
  readonly root: string;
  /** The API that it needs, as the page spells it. */
  readonly api: string;
  /** Chromium's flags: with that API, emulated, and without it. */
  readonly flags: readonly string[];
  readonly without: readonly string[];
  /** What the page tells where the GPU was lost, and where there is none. */
  readonly lost: RegExp;
  readonly missing: RegExp;
}

export function describeLearningPage({ root, api, flags: emulated, without, lost, missing }: LearningPage): void {
  let server: PreviewServer;
  let address: string;
  beforeAll(async () => {
    await build({ root, logLevel: 'error' });
    server = await preview({ root, logLevel: 'error', preview: { port: 0 } });
    address = server.resolvedUrls?.local[0] as string;
  }, 120_000);
  afterAll(() => server?.close());

  /** Opens the page in a Chromium of its own. */
  async function opened(
    args: readonly string[],
    query: string,
    use: (page: Page, complaints: string[]) => Promise<void>,
  ) {
    const browser: Browser = await chromium.launch({ executablePath: findChromium() ?? 'chromium', args: [...args] });
    try {
      const context = await browser.newContext({ viewport: { width: 1100, height: 760 } });
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(error.message));
      await page.goto(address + query);
      await use(page, complaints);
    } finally {
      await browser.close();
    }
  }

  const text = (page: Page, id: string) => page.locator(`#${id}`).textContent().then(String);
  const step = async (page: Page) => Number.parseInt(await text(page, 'step'), 10) || 0;
  const click = (page: Page, name: 'Train' | 'Cancel' | 'Resume') =>
    page.getByRole('button', { name, exact: true }).click();

  describe('the page', () => {
    it('learns, is cancelled, and goes on, with another tab in front of it too', () =>
      opened(emulated, '?digits=64&batch=8&epochs=9', async (page, complaints) => {
        await expect.poll(() => text(page, 'status'), { timeout: 30_000 }).toBe('ready');
        expect(await text(page, 'info')).toMatch(/swiftshader/i);
        await click(page, 'Train');
        await expect.poll(() => step(page), { timeout: 60_000, interval: 200 }).toBeGreaterThan(1);
        expect(Number(await text(page, 'loss'))).toBeGreaterThan(0);

        await click(page, 'Cancel');
        await expect.poll(() => text(page, 'status'), { timeout: 20_000 }).toBe('cancelled');
        const cancelled = await step(page);
        await page.waitForTimeout(300);
        expect(await step(page)).toBe(cancelled);

        // Another tab in front: this page gets no frames, and goes on.
        await click(page, 'Resume');
        const other = await page.context().newPage();
        await other.bringToFront();
        await expect.poll(() => step(page), { timeout: 60_000, interval: 200 }).toBeGreaterThan(cancelled + 1);
        await other.close();
        await page.bringToFront();
        await expect.poll(() => text(page, 'test'), { timeout: 60_000 }).toMatch(/^\d+\.\d %$/);

        const folder = process.env['TESSERA_SCREENSHOTS'];
        if (folder) {
          await mkdir(folder, { recursive: true });
          await page.screenshot({ path: `${folder}/${basename(root)}.png`, fullPage: true });
        }
        const drawn = await page.locator('#curves').screenshot();
        expect(drawn.length).toBeGreaterThan(2000); // an empty one is a few hundred bytes
        expect(complaints).toEqual([]);
      }));

    it('takes a new GPU when the old one is lost, and goes on from the last epoch', () =>
      opened(emulated, '?digits=8&batch=4&epochs=50', async (page) => {
        await expect.poll(() => text(page, 'status'), { timeout: 30_000 }).toBe('ready');
        await click(page, 'Train');
        await expect.poll(() => step(page), { timeout: 60_000, interval: 200 }).toBeGreaterThan(2); // two steps an epoch
        const inspector = await (page.context().browser() as Browser).newBrowserCDPSession();
        await inspector.send('Browser.crashGpuProcess');
        await expect.poll(() => text(page, 'status'), { timeout: 30_000 }).toBe('the GPU was lost');
        expect(await text(page, 'info')).toMatch(lost);

        const before = await step(page);
        await click(page, 'Resume');
        await expect.poll(() => step(page), { timeout: 60_000, interval: 200 }).toBeGreaterThan(before);
      }));

    it(`says what is missing where there is no ${api}, and what an address asks for that it cannot do`, () =>
      opened(without, '', async (page, complaints) => {
        await expect
          .poll(() => text(page, 'info'), { timeout: 20_000 })
          .toMatch(new RegExp(`${api.replace('2', '').toLowerCase()}: `));
        expect(await text(page, 'info')).toMatch(missing);
        expect(await text(page, 'status')).toBe(`this page needs ${api}`);
        for (const name of ['train', 'cancel']) expect(await page.locator(`#${name}`).isDisabled()).toBe(true);

        await page.goto(`${address}?batch=many`);
        await expect.poll(() => text(page, 'status')).toBe('asked for what it cannot do');
        expect(await text(page, 'info')).toBe('address: batch is many, wants a whole number from 1 to 2048');
        expect(await page.locator('#train').isDisabled()).toBe(true);
        expect(complaints).toEqual([]);
      }));
  });
}
