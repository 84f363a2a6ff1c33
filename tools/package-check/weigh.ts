/** `npm test -- --only sizes`: the table in sizes.ts, measured. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { type Count, one, sum } from '../check/count.ts';
import { root } from '../check/exec.ts';
import { sizes } from './sizes.ts';

const home = join(root, 'tools/package-check/sizes');

/** Bytes of a program as a user ships it, and the inputs that weigh most in it. */
export async function weigh(file: string): Promise<{ minified: number; gzip: number; heaviest: string[] }> {
  const { outputFiles, metafile } = await build({
    entryPoints: [file],
    bundle: true,
    write: false,
    metafile: true,
    outdir: 'out',
    minify: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    // Reached in Node only; a page never asks for them.
    external: ['node:*'],
    logLevel: 'error',
  });
  const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs));
  const heaviest = inputs.sort(([, a], [, b]) => b.bytesInOutput - a.bytesInOutput).slice(0, 8);
  return {
    minified: outputFiles.reduce((total, { contents }) => total + contents.length, 0),
    gzip: outputFiles.reduce((total, { contents }) => total + gzipSync(contents, { level: 9 }).length, 0),
    heaviest: heaviest.map(([path, { bytesInOutput }]) => `${bytesInOutput} ${path}`),
  };
}

export async function checkSizes(): Promise<Count> {
  const counts: Count[] = [];
  const report: Record<string, { minified: number; gzip: number; ceiling: number | null }> = {};
  for (const { program, what, ceiling } of sizes) {
    const file = join(home, `${program}.ts`);
    if (!existsSync(file)) {
      console.error(`✗ ${what}: tools/package-check/sizes/${program}.ts is missing`);
      counts.push(one(false));
      continue;
    }
    try {
      const { minified, gzip, heaviest } = await weigh(file);
      const ok = ceiling === null || gzip <= ceiling;
      const limit = ceiling === null ? 'not held' : `ceiling ${ceiling}`;
      console.log(`${ok ? '✓' : '✗'} ${what}: ${gzip} bytes gzipped, ${minified} minified (${limit})`);
      if (!ok) console.error(heaviest.map((text) => `    ${text}`).join('\n'));
      report[program] = { minified, gzip, ceiling };
      counts.push(one(ok));
    } catch (error) {
      console.error(`✗ ${what}\n${error instanceof Error ? error.message : error}`);
      counts.push(one(false));
    }
  }
  mkdirSync(join(root, '.cache'), { recursive: true });
  writeFileSync(join(root, '.cache/sizes.json'), `${JSON.stringify(report, null, 2)}\n`);
  return sum(counts);
}
