/** The bundle, packed and run as on a bare machine: in an empty folder, with nothing in its environment, on an emulated GPU. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emulator } from '../node.ts';
import { pack } from '../pack.ts';

let home: string;
let bundle: string;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'tessera-bundle-'));
  bundle = join(home, 'gpu-bundle');
  await pack(bundle, { node: 'running', loader: 'chromium' });
}, 120_000);
afterAll(() => rmSync(home, { recursive: true, force: true }));

const run = (...args: string[]): string =>
  execFileSync(join(bundle, 'run'), args, {
    cwd: home,
    env: { PATH: '/bin:/usr/bin', VK_DRIVER_FILES: emulator.driver },
    encoding: 'utf8',
  });

describe('the GPU bundle', () => {
  it('holds all that it needs', () => {
    expect(readdirSync(bundle).sort()).toEqual(
      ['golden', 'lib', 'main.mjs', 'node', 'node_modules', 'run', 'torch_figures.py'].sort(),
    );
    const imports = readFileSync(join(bundle, 'main.mjs'), 'utf8').match(/^import .*/gm) ?? [];
    expect(imports.filter((line) => !/ from ["']node:/.test(line))).toEqual([]);
    expect(readdirSync(join(bundle, 'golden')).sort()).toEqual(
      ['families', 'models', 'ops', 'small', 'thin'].map((name) => `${name}.safetensors`),
    );
  });

  it('is small: Node apart, Dawn is most of it', () => {
    const paths = readdirSync(bundle, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
    const sizes = paths.map(({ parentPath, name }) => [name, statSync(join(parentPath, name)).size] as const);
    const of = (which: (name: string) => boolean) =>
      sizes.filter(([name]) => which(name)).reduce((sum, [, size]) => sum + size, 0);
    expect(of((name) => name !== 'node')).toBeLessThan(32e6);
    expect(of((name) => !/^node$|^dawn|^libvulkan/.test(name))).toBeLessThan(5e6);
  });

  it('prints golden cases, figures and a profile, and writes them down', () => {
    const printed = run('--tiny', '--cases', 'conv2d');
    const results = JSON.parse(readFileSync(join(bundle, 'results.json'), 'utf8'));
    expect(results.gpu.name).toMatch(/swiftshader/i);
    expect(results.golden.ops).toMatchObject({ failed: 0, left: 0 });
    expect(results.golden.ops.passed).toBeGreaterThan(3);
    expect(printed).toMatch(/ops: \d+ passed, 0 failed/);
    for (const { ours } of results.figures) expect(ours).toBeGreaterThan(0);
    expect(printed).toMatch(/matmul 64, f32 +[\d.]+ /);
    expect(printed).toMatch(/profile: MNIST step[\s\S]*kind +kernels +ms +share[\s\S]*conv forward/);
  }, 300_000);
});
