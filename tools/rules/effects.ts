/**
 * Nothing happens at import: each entry is bundled as a bare `import '@tessera/x'`, and tree-shaking must leave nothing.
 * The packages promise `sideEffects: false`; here that promise is set aside, so that esbuild looks at the code itself.
 */
import { existsSync } from 'node:fs';
import { build, type Plugin } from 'esbuild';
import { packagesOf } from './packages.ts';
import type { Table } from './table.ts';

const lookInside: Plugin = {
  name: 'look-inside',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /.*/ }, async ({ path, resolveDir, kind, pluginData }) => {
      if (pluginData === 'resolving') return undefined;
      // Other packages answer for themselves.
      if (!/^[./]/.test(path)) return { path, external: true, sideEffects: false };
      const found = await resolve(path, { resolveDir, kind, pluginData: 'resolving' });
      return found.errors.length > 0 ? found : { path: found.path, sideEffects: true };
    });
  },
};

/** What importing a source file leaves behind: empty where it has no effect. */
export async function residue(source: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: `import ${JSON.stringify(source)};`, resolveDir: '/' },
    bundle: true,
    write: false,
    format: 'esm',
    target: 'esnext',
    treeShaking: true,
    tsconfigRaw: '{ "compilerOptions": { "verbatimModuleSyntax": true } }',
    plugins: [lookInside],
    logLevel: 'silent',
  });
  return (outputFiles[0]?.text ?? '').replace(/^\s*\/\/.*$/gm, '').trim();
}

/** Entries that act at import, with the code that does. */
export async function effectFaults(root: string, table: Table): Promise<string[]> {
  const faults: string[] = [];
  for (const { specifier, source } of packagesOf(root).flatMap(({ entries }) => entries)) {
    if (table.actsAtImport.includes(specifier)) continue;
    if (!existsSync(source)) {
      faults.push(`${specifier} has no source ${source}`);
      continue;
    }
    const left = await residue(source).catch((error: Error) => error);
    if (left === '') continue;
    if (left instanceof Error) {
      faults.push(`${specifier} does not bundle: ${left.message}`);
      continue;
    }
    const lines = left.split('\n');
    const shown = lines.slice(0, 30).map((text) => `    ${text}`);
    if (lines.length > 30) shown.push(`    … ${lines.length - 30} more lines`);
    faults.push(`${specifier} acts at import; what tree-shaking leaves:\n${shown.join('\n')}`);
  }
  return faults;
}
