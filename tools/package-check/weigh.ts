/** `npm test -- --only sizes`: the table in sizes.ts, measured. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import type { Count } from '../check/count.ts';
import { root } from '../check/exec.ts';
import { runChecks } from '../check/named.ts';
import { sizes } from './sizes.ts';

const home = join(root, 'tools/package-check/sizes');

export interface Weight {
  minified: number;
  gzip: number;
  /** Gzipped bytes that wait for a dynamic import. */
  lazy: number;
  heaviest: string[];
}

/** Bytes of a program as a user ships it, and the inputs that weigh most in it. */
export async function weigh(entry: string): Promise<Weight> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: { app: entry },
    bundle: true,
    splitting: true,
    write: false,
    metafile: true,
    outdir: 'out',
    minify: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    logLevel: 'silent',
  });
  const eager = new Set<string>();
  const follow = (path: string): void => {
    if (eager.has(path)) return;
    eager.add(path);
    for (const { path: next, kind, external } of metafile.outputs[path]?.imports ?? [])
      if (kind === 'import-statement' && !external) follow(next);
  };
  follow('out/app.js');
  const gzip = (contents: Uint8Array) => gzipSync(contents, { level: 9 }).length;
  const bytes = (loaded: boolean, count: (contents: Uint8Array) => number) =>
    outputFiles
      .filter(({ path }) => eager.has(relative(root, path)) === loaded)
      .reduce((total, { contents }) => total + count(contents), 0);
  const inputs = [...eager].flatMap((path) => Object.entries(metafile.outputs[path]?.inputs ?? {}));
  const heaviest = inputs.sort(([, a], [, b]) => b.bytesInOutput - a.bytesInOutput).slice(0, 8);
  return {
    minified: bytes(true, (contents) => contents.length),
    gzip: bytes(true, gzip),
    lazy: bytes(false, gzip),
    heaviest: heaviest.map(([path, { bytesInOutput }]) => `${bytesInOutput} ${path}`),
  };
}

export async function checkSizes(): Promise<Count> {
  const report: Record<string, Omit<Weight, 'heaviest'> & { ceiling: number | null }> = {};
  const count = await runChecks(
    sizes.map(({ program, worker, what, ceiling }) => ({
      says: what,
      run: async () => {
        const parts = await Promise.all([join(home, `${program}.ts`), ...(worker ? [worker] : [])].map(weigh));
        const total = (of: (part: Weight) => number) => parts.reduce((sum, part) => sum + of(part), 0);
        const [minified, gzip, lazy] = [total((p) => p.minified), total((p) => p.gzip), total((p) => p.lazy)];
        report[program] = { minified, gzip, lazy, ceiling };
        const weight =
          `${gzip} bytes gzipped (${ceiling === null ? 'not held' : `at most ${ceiling}`}), ${minified} minified` +
          (lazy > 0 ? `, and ${lazy} gzipped that wait for a dynamic import` : '');
        if (ceiling !== null && gzip > ceiling)
          throw new Error(`${weight}; the heaviest:\n    ${parts.flatMap((part) => part.heaviest).join('\n    ')}`);
        return weight;
      },
    })),
  );
  mkdirSync(join(root, '.cache'), { recursive: true });
  writeFileSync(join(root, '.cache/sizes.json'), `${JSON.stringify(report, null, 2)}\n`);
  return count;
}
