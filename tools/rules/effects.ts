/**
 * Nothing happens at import: each entry is bundled as a bare `import '@tessera/x'`, and tree-shaking must leave nothing.
 * The packages promise `sideEffects: false`; here that promise is set aside, so that the bundler looks at the code itself.
 * The judge is rolldown, which knows most that does nothing. (esbuild also keeps `1 << 18` and classes with static
 * members: no acts, but bytes, and those are weighed by tools/package-check.)
 */
import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import { rolldown } from 'rolldown';
import { packagesOf } from './packages.ts';
import type { Table } from './table.ts';

/** What a bare import of a source file leaves behind, file by file: empty where it has no effect. */
export async function residue(source: string): Promise<{ file: string; left: string }[]> {
  const bundle = await rolldown({
    input: 'bare',
    // Other packages answer for themselves.
    external: (path) => path !== 'bare' && !/^[./]/.test(path),
    treeshake: { moduleSideEffects: (_, external) => !external, propertyReadSideEffects: false },
    logLevel: 'silent',
    plugins: [
      {
        name: 'bare-import',
        resolveId: (path) => (path === 'bare' ? path : undefined),
        load: (path) => (path === 'bare' ? `import ${JSON.stringify(source)};` : undefined),
      },
    ],
  });
  const { output } = await bundle.generate({ format: 'esm', comments: false });
  await bundle.close();
  const modules = output.flatMap((part) => (part.type === 'chunk' ? Object.entries(part.modules) : []));
  return modules
    .map(([file, { code }]) => ({ file, left: (code ?? '').replace(/^\s*\/\/.*$/gm, '').trim() }))
    .filter(({ left }) => left !== '');
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
    try {
      for (const { file, left } of await residue(source)) {
        const lines = left.split('\n');
        const shown = lines.slice(0, 30).map((text) => `    ${text}`);
        if (lines.length > 30) shown.push(`    … ${lines.length - 30} more lines`);
        faults.push(`${specifier} acts at import: ${relative(root, file)}\n${shown.join('\n')}`);
      }
    } catch (error) {
      faults.push(`${specifier} does not bundle: ${error instanceof Error ? error.message : error}`);
    }
  }
  return faults;
}
