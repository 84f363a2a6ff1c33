/**
 * A whole training of the built page, told line by line, in a headless Chromium: on an emulated GPU the default takes twenty
 * minutes. It fails where fewer than 98 % of all test digits are right.
 *
 *     pnpm --filter example-webgl-page learn ['digits=60000&batch=128&epochs=3']
 */
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright';
import { build, preview } from 'vite';
import { chromiumFlags, findChromium } from '../../tools/setup/chromium.mjs';

const wanted = 98;
const query = process.argv[2] ?? 'digits=20000&batch=32&epochs=1';
const root = fileURLToPath(new URL('.', import.meta.url));

await build({ root, logLevel: 'error' });
const server = await preview({ root, logLevel: 'error', preview: { port: 0 } });
const settings = { executablePath: findChromium() ?? 'chromium', args: chromiumFlags, handleSIGINT: false };
const browser = await chromium.launch(settings);
let stopped = false;
process.once('SIGINT', () => {
  stopped = true;
  void browser.close(); // what waits for the page ends then
});
try {
  const page = await browser.newPage();
  const text = (id: string) => page.locator(`#${id}`).textContent().then(String);
  await page.goto(`${server.resolvedUrls?.local[0]}?test=10000&${query}`);
  const begin = performance.now();
  const tell = async () => {
    const [step, loss, test, rate] = await Promise.all(['step', 'loss', 'test', 'rate'].map(text));
    const minutes = ((performance.now() - begin) / 60_000).toFixed(1);
    console.log(`${minutes} min, step ${step}, loss ${loss}, right ${test} of the test digits, ${rate} digits/s`);
  };
  await page.getByRole('button', { name: 'Train', exact: true }).click({ timeout: 120_000 });
  console.log(await text('info'));
  while ((await text('status')) === 'training') {
    await page.waitForTimeout(20_000);
    await tell();
  }
  const [status, info, test] = await Promise.all(['status', 'info', 'test'].map(text));
  if (status !== 'learnt') throw new Error(`learn: the page is ${status}: ${info}`);
  if (!(Number.parseFloat(test as string) >= wanted)) throw new Error(`learn: ${test} right, wanted ${wanted} %`);
} catch (error) {
  if (!stopped) throw error;
  console.log('learn: stopped');
  process.exitCode = 130;
} finally {
  await browser.close();
  await server.close();
}
