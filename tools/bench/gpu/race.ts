/** One page of Chromium in which ours, tfjs-webgpu and jax-js take turns on the same GPU; on an emulated one ratios are all there is. */
import { build } from 'esbuild';
import { type Browser, chromium, type Page } from 'playwright';
import { findChromium } from '../../setup/chromium.mjs';
import type { Contestant } from '../contestant.ts';
import type { Contest, Racer } from '../peers/contest.ts';
import type { Row } from '../rows.ts';

const atLeastTheirs = [{ of: 'peers', atLeast: 1 }] as const;

/** Fixed before they are measured. Small: an emulated GPU does half a GFLOP a second. */
export const raceRows: readonly Row[] = [
  {
    name: 'MNIST step, batch 16',
    work: { op: 'mnist', batch: 16 },
    unit: 'images/s',
    limit: null,
    goals: atLeastTheirs,
  },
  {
    name: 'ResNet-18 forward, 64², batch 1',
    work: { op: 'network', net: 'resnet18', batch: 1, pass: 'forward', size: 64 },
    unit: 'images/s',
    limit: null,
    goals: atLeastTheirs,
  },
  {
    name: 'matmul 512',
    work: { op: 'matmul', a: [512, 512], b: [512, 512] },
    unit: 'GFLOP/s',
    limit: null,
    goals: atLeastTheirs,
  },
];

/** WebGPU on SwiftShader where there is no GPU. */
const flags = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
];

export interface Race {
  readonly contestants: readonly Contestant[];
  /** Those that did not start, and why. */
  readonly absent: Readonly<Record<string, string>>;
  /** As the page's adapter calls itself. */
  readonly adapter: string;
  close(): Promise<void>;
}

/** @throws Error where there is no Chromium, or it has no WebGPU */
export async function startRace(racers: readonly Racer[]): Promise<Race> {
  const { outputFiles } = await build({
    entryPoints: [new URL('../peers/contest.ts', import.meta.url).pathname],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    conditions: ['@tessera/source'],
    external: ['node:*', ...(racers.length > 1 ? [] : ['@jax-js/*', '@tensorflow/*'])],
    logLevel: 'error',
  });
  const code = outputFiles[0]?.text ?? '';
  const browser: Browser = await chromium.launch({ executablePath: findChromium() ?? 'chromium', args: flags });
  try {
    const page = await browser.newPage();
    await page.route('http://localhost/**', (route) =>
      route.request().url().endsWith('/contest.js')
        ? route.fulfill({ contentType: 'text/javascript', body: code })
        : route.fulfill({ contentType: 'text/html', body: '<script type="module" src="/contest.js"></script>' }),
    );
    await page.goto('http://localhost/');
    await page.waitForFunction(() => 'contest' in globalThis, undefined, { timeout: 30_000 });
    const adapter = await page.evaluate(async () => {
      const found = await navigator.gpu?.requestAdapter();
      return found ? `${found.info.vendor} ${found.info.architecture}` : null;
    });
    if (adapter === null) throw new Error('this Chromium has no WebGPU adapter');
    const contestants: Contestant[] = [];
    const absent: Record<string, string> = {};
    for (const name of racers) {
      try {
        contestants.push(await inPage(page, name));
      } catch (error) {
        absent[name] = error instanceof Error ? (error.message.split('\n')[0] as string) : String(error);
      }
    }
    return { contestants, absent, adapter, close: () => browser.close() };
  } catch (error) {
    await browser.close();
    throw error;
  }
}

async function inPage(page: Page, name: Racer): Promise<Contestant> {
  return {
    name,
    version: await page.evaluate(
      (racer) => (globalThis as unknown as { contest: Contest }).contest.version(racer),
      name,
    ),
    prepare: (work) =>
      page.evaluate(([racer, what]) => (globalThis as unknown as { contest: Contest }).contest.prepare(racer, what), [
        name,
        work,
      ] as const),
    run: (times) =>
      page.evaluate(([racer, count]) => (globalThis as unknown as { contest: Contest }).contest.run(racer, count), [
        name,
        times,
      ] as const),
    close: () => {},
  };
}
