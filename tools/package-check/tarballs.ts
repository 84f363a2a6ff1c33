/** What users get: each public package packed as it would be published. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { quiet, root } from '../check/exec.ts';
import { type Package, packagesOf } from '../rules/packages.ts';

export interface Tarball {
  package: Package;
  file: string;
}

/** Packs every public package into .cache/tarballs; needs the packages built. */
export function packAll(): Map<string, Tarball> {
  const folder = join(root, '.cache/tarballs');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const tarballs = new Map<string, Tarball>();
  for (const entry of packagesOf(root).filter((candidate) => !candidate.private)) {
    const file = join(folder, `${entry.name}.tgz`);
    const { ok, output } = quiet('pnpm', ['pack', '--out', file], join(root, 'packages', entry.name));
    if (!ok) throw new Error(`pnpm pack failed for ${entry.name}:\n${output}`);
    tarballs.set(entry.name, { package: entry, file });
  }
  return tarballs;
}

/** A package's tarball and those of all that it needs of the house. */
export function withNeeds(tarballs: Map<string, Tarball>, name: string, seen = new Set<string>()): string[] {
  const tarball = tarballs.get(name);
  if (!tarball || seen.has(name)) return [];
  seen.add(name);
  const needs = tarball.package.declared.filter((target) => target.startsWith('@tessera/'));
  return [tarball.file, ...needs.flatMap((target) => withNeeds(tarballs, target.replace('@tessera/', ''), seen))];
}
