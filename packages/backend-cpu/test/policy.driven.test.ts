/** A page whose policy forbids WebAssembly, with workers and without: who computes, and what the console says. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium } from 'playwright';
import { build, defaultClientConditions, preview } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { chromiumFlags, findChromium } from '../../../tools/setup/chromium.mjs';

const root = fileURLToPath(new URL('./fixtures/policy-page', import.meta.url));
let browser: Browser;
let outDir: string;
beforeAll(async () => {
  outDir = await mkdtemp(join(tmpdir(), 'policy-page-'));
  // Workers in Vite's default format, one classic script each.
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    resolve: { conditions: ['@tessera/source', ...defaultClientConditions] },
    build: { outDir, emptyOutDir: true, target: 'es2022' },
  });
  browser = await chromium.launch({ executablePath: findChromium() ?? 'chromium', args: chromiumFlags });
});
afterAll(async () => {
  await browser?.close();
  await rm(outDir, { recursive: true, force: true });
});

interface Result {
  readonly reference: boolean;
  readonly inPlace: boolean;
  readonly value: number;
  readonly longest: number;
}

/** What `run` answers in a page with this policy, and the warnings meanwhile. */
async function served(policy: string, size: number): Promise<{ result: Result; warnings: string[] }> {
  const headers = { 'Content-Security-Policy': policy };
  const server = await preview({
    root,
    configFile: false,
    logLevel: 'error',
    build: { outDir },
    preview: { port: 0, headers },
  });
  const page = await browser.newPage();
  const warnings: string[] = [];
  page.on('console', (message) => message.type() === 'warning' && warnings.push(message.text()));
  try {
    await page.goto(server.resolvedUrls?.local[0] as string);
    await page.waitForFunction('globalThis.run');
    return { result: (await page.evaluate(`run(${size})`)) as Result, warnings };
  } finally {
    await page.close();
    await server.close();
  }
}

it('interprets in a worker, and leaves the UI thread free', async () => {
  const { result, warnings } = await served("default-src 'self'; script-src 'self'", 160);
  expect(result).toMatchObject({ reference: true, inPlace: false });
  expect(result.value).toBeCloseTo(1);
  expect(result.longest).toBeLessThan(0.5);
  expect(warnings).toEqual([expect.stringContaining('takes over, in a worker; if a content security policy')]);
});

it('computes in place where the policy forbids workers too', async () => {
  const { result, warnings } = await served("default-src 'self'; script-src 'self'; worker-src 'none'", 32);
  expect(result).toMatchObject({ reference: true, inPlace: true });
  expect(result.value).toBeCloseTo(1);
  expect(warnings).toEqual([expect.stringContaining('no worker starts')]);
});

it('computes with WebAssembly where the policy allows it', async () => {
  const { result, warnings } = await served("default-src 'self'; script-src 'self' 'wasm-unsafe-eval'", 32);
  expect(result).toMatchObject({ reference: false, inPlace: false });
  expect(warnings).toEqual([]);
});
