/** `npm test -- --only sizes`: the table in sizes.ts, measured. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import type { Count } from '../check/count.ts';
import { root } from '../check/exec.ts';
import { runChecks } from '../check/named.ts';
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
  const report: Record<string, { minified: number; gzip: number; ceiling: number | null }> = {};
  const count = await runChecks(
    sizes.map(({ program, what, ceiling }) => ({
      says: what,
      run: async () => {
        const { minified, gzip, heaviest } = await weigh(join(home, `${program}.ts`));
        report[program] = { minified, gzip, ceiling };
        const weight = `${gzip} bytes gzipped, ${minified} minified (${ceiling === null ? 'not held' : `at most ${ceiling}`})`;
        if (ceiling !== null && gzip > ceiling)
          throw new Error(`${weight}; the heaviest:\n    ${heaviest.join('\n    ')}`);
        return weight;
      },
    })),
  );
  mkdirSync(join(root, '.cache'), { recursive: true });
  writeFileSync(join(root, '.cache/sizes.json'), `${JSON.stringify(report, null, 2)}\n`);
  return count;
}
