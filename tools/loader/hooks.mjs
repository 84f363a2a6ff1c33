/** Module hooks: find `./room` as `./room.ts` as the type checker does, and strip the types with esbuild. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';

const endings = ['.ts', '/index.ts'];

export async function resolve(specifier, context, next) {
  if (/^\.\.?(\/|$)/.test(specifier) && context.parentURL?.startsWith('file:')) {
    const url = new URL(specifier, context.parentURL).href;
    const path = fileURLToPath(url);
    if (!/\.[cm]?[jt]s$|\.json$|\.node$/.test(path)) {
      const ending = endings.find((end) => existsSync(path + end));
      if (ending) return next(url + ending, context);
    }
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!/\.ts(\?.*)?$/.test(url)) return next(url, context);
  const source = await readFile(new URL(url), 'utf8');
  const { code } = await transform(source, {
    loader: 'ts',
    target: 'node20',
    sourcemap: 'inline',
    sourcefile: fileURLToPath(url),
  });
  return { format: 'module', source: code, shortCircuit: true };
}
