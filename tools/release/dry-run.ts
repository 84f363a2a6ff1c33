/** `npm test -- --only release`: a release without its consequences. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Count } from '../check/count.ts';
import { bin, quiet, root } from '../check/exec.ts';
import { runChecks } from '../check/named.ts';
import { packagesOf } from '../rules/packages.ts';

const manifests = ['packages', 'examples', 'tools'];

/** The workspace's manifests and changesets in a repository of their own, so that versions can be bumped for real. */
function copyOfManifests(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-release-'));
  for (const file of ['package.json', 'pnpm-workspace.yaml', 'pnpm-lock.yaml', '.changeset'])
    cpSync(join(root, file), join(folder, file), { recursive: true });
  for (const dir of manifests)
    cpSync(join(root, dir), join(folder, dir), {
      recursive: true,
      filter: (path) => !/\/(src|test|dist|node_modules|fixtures|\.turbo|out)$/.test(path),
    });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, '.gitignore'), 'node_modules\n');
  const git = (...args: string[]) => {
    const { status, stderr } = spawnSync('git', ['-c', 'user.name=dry', '-c', 'user.email=dry@run', ...args], {
      cwd: folder,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
  };
  git('init', '--quiet', '--initial-branch=main');
  git('add', '--all');
  git('commit', '--quiet', '--no-verify', '--no-gpg-sign', '--message=dry run');
  return folder;
}

const versionsIn = (folder: string): Map<string, string> =>
  new Map(
    packagesOf(folder)
      .filter((entry) => !entry.private)
      .map(({ name }) => [
        name,
        (JSON.parse(readFileSync(join(folder, 'packages', name, 'package.json'), 'utf8')) as { version: string })
          .version,
      ]),
  );

/** Applies the changesets; a package may jump a major version only where a changeset says so. */
function bump(folder: string): string[] {
  const asked = readdirSync(join(folder, '.changeset'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => readFileSync(join(folder, '.changeset', file), 'utf8'))
    .join('\n');
  const before = versionsIn(folder);
  const { ok, output } = quiet(process.execPath, [bin('@changesets/cli', 'changeset'), 'version'], folder);
  if (!ok) throw new Error(output);
  return [...versionsIn(folder)].flatMap(([name, version]) => {
    const old = before.get(name) ?? '';
    if (old !== version) console.log(`  @tessera/${name} ${old} → ${version}`);
    const major = version.split('.')[0] !== old.split('.')[0];
    return major && !new RegExp(`@tessera/${name}["']?:\\s*major`).test(asked) ? [`@tessera/${name} ${version}`] : [];
  });
}

/** The pending changesets, and one that gives tensor a minor version: no dependent may be dragged to a major one. */
function checkVersions(): void {
  const folder = copyOfManifests();
  try {
    writeFileSync(join(folder, '.changeset/dry-run.md'), '---\n"@tessera/tensor": minor\n---\n\nA dry run.\n');
    const dragged = bump(folder);
    if (dragged.length > 0) throw new Error(`major versions that no changeset asks for: ${dragged.join(', ')}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function checkPublish(name: string): void {
  const args = ['publish', '--dry-run', '--no-git-checks'];
  const { ok, output } = quiet('pnpm', args, join(root, 'packages', name));
  if (!ok) throw new Error(output);
  const { exports } = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { default: string }>;
  };
  for (const entry of Object.values(exports)) {
    const file = (typeof entry === 'string' ? entry : entry.default).replace(/^\.\//, '');
    if (!file.includes('*') && !output.split('\n').some((line) => line.trimEnd().endsWith(` ${file}`)))
      throw new Error(`the tarball has no ${file}\n${output}`);
  }
}

export const checkRelease = (): Promise<Count> =>
  runChecks([
    { says: 'versions and changelogs from the changesets', run: checkVersions },
    ...packagesOf(root)
      .filter((entry) => !entry.private)
      .map(({ name }) => ({ says: `publish @tessera/${name}, dry`, run: () => checkPublish(name) })),
  ]);
