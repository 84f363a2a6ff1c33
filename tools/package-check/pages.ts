/**
 * backend-cpu in a user's bundle: its tarball, a program that starts the worker and multiplies, built by esbuild for
 * Node and for a page and by Vite for a page, then run: in Node, and in Chromium with and without shared memory.
 */
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { build as esbuild } from 'esbuild';
import { chromium } from 'playwright';
import { build as vite } from 'vite';
import type { Count } from '../check/count.ts';
import { quiet, root } from '../check/exec.ts';
import { runChecks } from '../check/named.ts';
import { chromiumFlags, findChromium } from '../setup/chromium.mjs';
import { project } from './consumer.ts';
import { packAll, withNeeds } from './tarballs.ts';

const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' };
const isolation = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };
const html = '<!doctype html><meta charset="utf-8"><title>page</title><script type="module" src="SCRIPT"></script>\n';

/** Opens a folder's index.html in Chromium; answers what the program reports in `globalThis.outcome`. */
async function open(folder: string, isolated: boolean): Promise<string> {
  const server = createServer(({ url = '/' }, response) => {
    const path = new URL(url, 'http://localhost').pathname;
    const file = join(folder, path === '/' ? 'index.html' : path);
    if (!existsSync(file)) return void response.writeHead(404).end();
    const headers = { 'Content-Type': types[extname(file)] ?? 'application/octet-stream' };
    response.writeHead(200, isolated ? { ...headers, ...isolation } : headers).end(readFileSync(file));
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const browser = await chromium.launch({ executablePath: findChromium() ?? 'chromium', args: chromiumFlags });
  try {
    const page = await browser.newPage();
    const said: string[] = [];
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', (error) => said.push(error.message));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const outcome = page.waitForFunction(() => (globalThis as { outcome?: string }).outcome, null, { timeout: 30_000 });
    return await outcome.then(
      (value) => value.jsonValue() as Promise<string>,
      (error: Error) => [error.message, ...said].join('\n'),
    );
  } finally {
    await browser.close();
    server.close();
  }
}

/** esbuild leaves worker URLs alone, so the worker is an entry of its own that lands beside the program. */
async function withEsbuild(folder: string, platform: 'node' | 'browser'): Promise<string> {
  const out = join(folder, `esbuild-${platform}`);
  await esbuild({
    absWorkingDir: folder,
    entryPoints: { app: './main.ts', worker: '@tessera/backend-cpu/worker' },
    outdir: out,
    bundle: true,
    minify: true,
    format: 'esm',
    platform,
    target: 'es2022',
    logLevel: 'error',
  });
  writeFileSync(join(out, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(out, 'index.html'), html.replace('SCRIPT', './app.js'));
  return out;
}

async function withVite(folder: string): Promise<string> {
  writeFileSync(join(folder, 'index.html'), html.replace('SCRIPT', './main.ts'));
  await vite({
    root: folder,
    configFile: false,
    logLevel: 'error',
    worker: { format: 'es' },
    build: { target: 'es2022' },
  });
  return join(folder, 'dist');
}

async function inNode(folder: string): Promise<string> {
  const { ok, output } = quiet(process.execPath, [join(folder, 'app.js')], folder);
  return ok ? (/^outcome: (.*)$/m.exec(output)?.[1] ?? output) : output;
}

/** The program came through, with shared memory exactly where the host allows it. */
async function expectOk(outcome: Promise<string>, shared: boolean): Promise<string> {
  const said = await outcome;
  if (!said.startsWith('ok')) throw new Error(said);
  if (!said.endsWith(`shared memory: ${shared}`)) throw new Error(`${said}, expected ${shared}`);
  return said;
}

export function checkPages({ browser }: { browser: boolean }): Promise<Count> {
  const folder = project('backend-cpu', withNeeds(packAll(), 'backend-cpu'));
  copyFileSync(join(root, 'tools/package-check/consumers/backend-cpu.page.ts'), join(folder, 'main.ts'));
  const skip = browser ? undefined : '--without-browser';
  return runChecks([
    {
      says: 'backend-cpu built by esbuild, in Node',
      run: () => withEsbuild(folder, 'node').then((out) => expectOk(inNode(out), true)),
    },
    ...[false, true].flatMap((isolated) => {
      const where = `in a page ${isolated ? 'with' : 'without'} cross-origin isolation`;
      const built = (build: Promise<string>) => build.then((out) => expectOk(open(out, isolated), isolated));
      return [
        { says: `backend-cpu built by esbuild, ${where}`, run: () => built(withEsbuild(folder, 'browser')), skip },
        { says: `backend-cpu built by Vite, ${where}`, run: () => built(withVite(folder)), skip },
      ];
    }),
  ]);
}
