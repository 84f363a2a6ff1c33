/**
 * Four runs of the suites, all from unbuilt sources:
 *   node              packages/<name>/test/**, tools and examples, except *.browser.test.ts, *.page.test.ts and *.driven.test.ts
 *   browser           *.browser.test.ts and *.conformance.test.ts in Chromium, a page without SharedArrayBuffer; and
 *                     *.page.test.ts, long ones to which isolation makes no difference
 *   browser-isolated  the same files but the last in a page with COOP/COEP headers, so with threads
 *   browser-driven    *.driven.test.ts: in Node, driving a Chromium of their own from outside
 * A file named *.conformance.test.ts runs in the first three.
 */
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { chromiumFlags, findChromium } from './tools/setup/chromium.mjs';

const source = '@tessera/source';
const loader = new URL('./tools/loader/register.mjs', import.meta.url).href;
const resolve = { conditions: [source, 'module', 'browser', 'development|production'] };
const suites = ['packages', 'examples', 'tools'];

function browser(name: string, headers: Record<string, string>, endings: readonly string[]) {
  return {
    resolve,
    server: { headers },
    // Found only when a test imports it, it would have the page load anew in the middle of the run.
    optimizeDeps: { include: ['fast-check', '@tessera/backend-webgl > gpu.js'] },
    test: {
      name,
      include: [
        ...suites.flatMap((dir) => endings.map((ending) => `${dir}/*/test/**/*.${ending}.test.ts`)),
        `tools/vitest/${name}.ts`,
      ],
      testTimeout: 60_000,
      browser: {
        enabled: true,
        headless: true,
        screenshotFailures: false,
        provider: playwright({ launchOptions: { executablePath: findChromium() ?? 'chromium', args: chromiumFlags } }),
        instances: [{ browser: 'chromium' as const }],
      },
    },
  };
}

export default defineConfig({
  test: {
    projects: [
      {
        resolve: { conditions: [source] },
        ssr: { resolve: { conditions: [source, 'module', 'node', 'development|production'] } },
        test: {
          name: 'node',
          include: suites.map((dir) => `${dir}/*/test/**/*.test.ts`),
          exclude: [
            '**/node_modules/**',
            '**/dist/**',
            '**/*.browser.test.ts',
            '**/*.page.test.ts',
            '**/*.driven.test.ts',
          ],
          testTimeout: 60_000,
          pool: 'forks',
          // Worker threads that a test starts from a `.ts` URL inherit these, and so can load it.
          execArgv: ['--import', loader, `--conditions=${source}`, '--expose-gc'],
        },
      },
      browser('browser', {}, ['browser', 'conformance', 'page']),
      browser(
        'browser-isolated',
        { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
        ['browser', 'conformance'],
      ),
      {
        test: {
          name: 'browser-driven',
          include: suites.map((dir) => `${dir}/*/test/**/*.driven.test.ts`),
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
