/**
 * backend-webgl beside TensorFlow.js' WebGL backend, in one Chromium page, taking turns.
 *
 *     pnpm bench:webgl [--rows PATTERN] [--turns N] [--json FILE]
 *
 * Without a GPU Chromium draws by an emulator: ratios hold there, times do not. A row that is lost is told with its cause.
 */
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { build } from 'esbuild';
import { chromium } from 'playwright';
import { chromiumFlags, findChromium } from '../../setup/chromium.mjs';
import { installPeers, peersHome } from '../peers.ts';
import { causes } from './causes.ts';
import type { Measured } from './page.ts';

const lost = ({ goal, ours, theirs }: Measured): boolean => ours / theirs > goal;
const causeOf = ({ name }: Measured): string => causes[name] ?? 'not known yet';

const line = (row: Measured): string => {
  const { name, goal, ours, theirs } = row;
  const ratio = ours / theirs;
  return `${name.padEnd(34)} ${ours.toFixed(2).padStart(9)} ${theirs.toFixed(2).padStart(9)} ${ratio.toFixed(2).padStart(6)} ${goal.toFixed(2).padStart(6)} ${lost(row) ? 'lost' : 'met'}`;
};

async function bench({ rows, turns, json }: { rows: string; turns: string; json?: string }): Promise<void> {
  installPeers();
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('./page.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    write: false,
    conditions: ['@tessera/source'],
    nodePaths: [`${peersHome}node_modules`],
    logLevel: 'error',
  });
  const server = createServer(({ url }, answer) => {
    const script = url === '/page.js';
    answer.setHeader('content-type', script ? 'text/javascript' : 'text/html');
    answer.end(script ? outputFiles[0]?.text : '<!doctype html><script type="module" src="/page.js"></script>');
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const browser = await chromium.launch({ executablePath: findChromium() ?? 'chromium', args: chromiumFlags });
  const measured: Measured[] = [];
  try {
    const page = await browser.newPage();
    await page.exposeFunction('tell', (row: Measured) => {
      measured.push(row);
      console.log(line(row));
    });
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    console.log(
      `${'ms'.padEnd(34)} ${'ours'.padStart(9)} ${'tfjs'.padStart(9)} ${'ratio'.padStart(6)} ${'goal'.padStart(6)}`,
    );
    await page.waitForFunction('globalThis.measure');
    await page.evaluate(`measure(${JSON.stringify(rows)}, ${Number(turns)}, tell)`);
    for (const row of measured.filter(lost)) console.log(`\n${row.name}: ${causeOf(row)}`);
    const rowsOut = measured.map((row) => ({
      ...row,
      verdict: lost(row) ? 'lost' : 'met',
      ...(lost(row) && { cause: causeOf(row) }),
    }));
    if (json) await writeFile(json, `${JSON.stringify(rowsOut, null, 2)}\n`);
  } finally {
    await browser.close();
    server.close();
  }
}

await new Command('bench:webgl')
  .option('--rows <pattern>', 'rows whose names match', '.')
  .option('--turns <count>', 'turns of a row', '7')
  .option('--json <file>', 'write the figures')
  .action(bench)
  .parseAsync();
