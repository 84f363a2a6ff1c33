/**
 * A stranger's backend: the example's files in an empty folder, npm, the tarballs of testkit and of what it needs. Its sources are
 * type-checked with `skipLibCheck: false`, stay under 400 lines, and pass the conformance suite.
 */
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bin, quiet, root } from '../check/exec.ts';
import { project, strangersConfig } from './consumer.ts';

const example = join(root, 'examples/custom-backend');
const mostLines = 400;

export function passSuite(tarballs: string[]): void {
  const folder = project('custom-backend', tarballs);
  const sources = readdirSync(join(example, 'src'));
  const lines = sources.reduce(
    (sum, file) => sum + readFileSync(join(example, 'src', file), 'utf8').split('\n').length - 1,
    0,
  );
  if (lines >= mostLines)
    throw new Error(`its sources have ${lines} lines; a small backend has fewer than ${mostLines}`);
  for (const part of ['src', 'test']) cpSync(join(example, part), join(folder, part), { recursive: true });
  const { compilerOptions } = strangersConfig;
  const config = {
    compilerOptions: { ...compilerOptions, module: 'esnext', moduleResolution: 'bundler' },
    include: ['src'],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const types = quiet(process.execPath, [bin('typescript', 'tsc'), '-p', folder], folder);
  if (!types.ok) throw new Error(`types, with skipLibCheck: false:\n${types.output}`);
  const ran = quiet(
    process.execPath,
    [join(folder, 'node_modules/vitest/vitest.mjs'), 'run', '--testTimeout=60000'],
    folder,
  );
  if (!ran.ok) throw new Error(ran.output);
}
