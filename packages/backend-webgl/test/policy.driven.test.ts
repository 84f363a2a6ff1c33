/** Pages under content security policies: one without eval, in which it works, and one that keeps gpu.js out, which is told. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium } from 'playwright';
import { build, defaultClientConditions, preview } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { chromiumFlags, findChromium } from '../../../tools/setup/chromium.mjs';
import type { Answer } from './fixtures/policy-page/training';

const root = fileURLToPath(new URL('./fixtures/policy-page', import.meta.url));
let browser: Browser;
let outDir: string;
beforeAll(async () => {
  outDir = await mkdtemp(join(tmpdir(), 'webgl-policy-page-'));
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    resolve: { conditions: ['@tessera/source', ...defaultClientConditions] },
    worker: { format: 'es' },
    build: {
      ...{ outDir, emptyOutDir: true, target: 'es2022', modulePreload: false },
      rollupOptions: { output: { entryFileNames: 'main.js' } },
    },
  });
  browser = await chromium.launch({ executablePath: findChromium() ?? 'chromium', args: chromiumFlags });
}, 240_000);
afterAll(async () => {
  await browser?.close();
  await rm(outDir, { recursive: true, force: true });
});

/** What a call gives in the page under a policy, and what stood on the console. */
async function under(policy: string, call: string): Promise<{ answer: Answer; complaints: string[] }> {
  const headers = { 'Content-Security-Policy': policy };
  const server = await preview({
    ...{ root, configFile: false as const, logLevel: 'error' as const },
    build: { outDir },
    preview: { port: 0, headers },
  });
  const page = await browser.newPage();
  try {
    const complaints: string[] = [];
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    page.on('pageerror', ({ message }) => complaints.push(message));
    await page.goto(server.resolvedUrls?.local[0] as string);
    // Playwright waits by eval, which the policy forbids; asking from outside it does not.
    while (!(await page.evaluate('globalThis.inPage !== undefined'))) await new Promise((go) => setTimeout(go, 50));
    return { answer: (await page.evaluate(call)) as Answer, complaints };
  } finally {
    await page.close();
    await server.close();
  }
}

const strict = "default-src 'none'; script-src 'self'; worker-src 'self'";

it.each(['inPage()', 'inWorker()'])('trains without eval: %s', async (call) => {
  const { answer, complaints } = await under(strict, call);
  expect(answer.error).toBeUndefined();
  expect(answer.evalForbidden).toBe(true);
  expect(answer.losses?.[0]).toBeCloseTo(64, 3);
  expect(answer.losses?.[1]).toBeCloseTo(64 * 0.84 ** 2, 3);
  expect(complaints.filter((text) => !/unsafe-eval/.test(text))).toEqual([]);
});

it('names the directive that keeps gpu.js out, and the backends that would do', async () => {
  const { answer } = await under("default-src 'none'; script-src http://localhost:*/main.js", 'inPage()');
  expect(answer.error).toMatch(
    /^BackendError: webgl: .*content security policy.*script-src.*gpu.*\.js.*@tessera\/backend-webgpu.*@tessera\/backend-cpu/,
  );
});
