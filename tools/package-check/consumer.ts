/**
 * A stranger's project: an empty folder, npm alone, the tarballs, and a small program that is type-checked with
 * `skipLibCheck: false`, without Node's types, and run.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import { bin, quiet, root } from '../check/exec.ts';

const here = join(root, 'tools/package-check/consumers');

/** Strict, with the types of the dependencies looked at too. */
export const strangersConfig = {
  compilerOptions: {
    target: 'ES2022',
    lib: ['ESNext', 'DOM', 'DOM.Iterable'],
    types: [],
    module: 'nodenext',
    moduleResolution: 'nodenext',
    strict: true,
    skipLibCheck: false,
    noEmit: true,
  },
  include: ['*.ts'],
};

/** An empty project with these tarballs installed by npm. */
export function project(name: string, tarballs: string[]): string {
  // Outside the checkout, or what is missing would be found in its node_modules.
  const home = mkdtempSync(join(tmpdir(), 'tessera-'));
  process.once('exit', () => rmSync(home, { recursive: true, force: true }));
  const folder = join(home, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: `use-${name}`, private: true, type: 'module' }));
  const flags = ['--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'];
  const { ok, output } = quiet('npm', ['install', ...flags, ...tarballs], folder);
  if (!ok) throw new Error(`npm install failed:\n${output}`);
  return folder;
}

/** Installs, type-checks and runs the consumer of a package; throws where one of them fails. */
export function consume(name: string, tarballs: string[]): void {
  const folder = project(name, tarballs);
  copyFileSync(join(here, `${name}.ts`), join(folder, 'main.ts'));
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(strangersConfig));
  const types = quiet(process.execPath, [bin('typescript', 'tsc'), '-p', folder], folder);
  if (!types.ok) throw new Error(`types, with skipLibCheck: false:\n${types.output}`);
  const { code } = transformSync(readFileSync(join(folder, 'main.ts'), 'utf8'), { loader: 'ts', target: 'node20' });
  writeFileSync(join(folder, 'main.js'), code);
  const ran = quiet(process.execPath, ['main.js'], folder);
  if (!ran.ok) throw new Error(`node main.js:\n${ran.output}`);
}
