/** The bundle, packed and run as on a bare machine: in an empty folder, with nothing in its environment, on an emulated GPU. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
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

const env = { PATH: '/bin:/usr/bin', VK_DRIVER_FILES: emulator.driver };
const results = () => JSON.parse(readFileSync(join(bundle, 'results.json'), 'utf8'));

/** @throws Error with what it printed, where it ended with a fault */
function run(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(join(bundle, 'run'), args, { cwd: home, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${stdout}\n${stderr}`);
  return stdout;
}

/** Ends it by the signal when two golden cases have passed. */
async function runUntil(signal: NodeJS.Signals) {
  rmSync(join(bundle, 'results.json'), { force: true });
  const args = ['--tiny', '--parts', 'golden,figures'];
  const child = spawn(join(bundle, 'run'), args, { cwd: home, env, stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.on('data', (text) => {
    printed += text;
  });
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve)); // when its jobs are over, too
  await vi.waitUntil(() => existsSync(join(bundle, 'results.json')) && results().golden?.ops.passed > 1, {
    timeout: 60_000,
    interval: 100,
  });
  child.kill(signal);
  return { code: await closed, printed };
}

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

  it('prints golden cases, kernels, figures, a profile and what a tuner finds, and writes them down', () => {
    const printed = run(
      '--tiny',
      '--parts',
      'golden,training,kernels,figures,tuning',
      '--cases',
      '^conv2d/0$|^float32$|^matmul 1×1',
    );
    const { device, golden, training, kernels, figures, tuning } = results();
    expect(device['as it is'].name).toMatch(/swiftshader/i);
    expect(golden.ops).toMatchObject({ cases: 1, passed: 1, failed: 0, ended: null });
    expect(training.runs).toMatchObject({ cases: 1, passed: 1, failed: 0, ended: null });
    expect(kernels['as they are']).toMatchObject({ cases: 3, passed: 3, failed: 0, ended: null });
    expect(kernels['other ways']).toMatchObject({ cases: 3, passed: 3, failed: 0, ended: null });
    for (const { milliseconds, rms } of Object.values<{ milliseconds: number; rms: string }>(figures))
      expect([milliseconds > 0, Number(rms) > 0]).toEqual([true, true]);
    expect(printed).toMatch(/MNIST step[\s\S]*kind +kernels +ms +share[\s\S]*conv forward/);
    const { before, after, table } = tuning['matmul 64, f32'];
    expect([before > 0, after > 0, table.length, table[0].tried.length > 3]).toEqual([true, true, 1, true]);
    expect(printed).toMatch(/\ngolden ops: 1 passed, 0 failed\n/);
    expect(printed).toMatch(/\nmatmul 64, f32 +[\d.]+ +[\d.]+ +– +– .* ≤ 1000 ms: met\n/);
  }, 300_000);

  it('ends with a summary when it is asked to end, and keeps what it had found', async () => {
    const { code, printed } = await runUntil('SIGTERM');
    expect(code).toBe(1);
    expect(printed).toMatch(/\ngolden ops: \d+ passed, 0 failed, \d+ not reached \(stopped by SIGTERM\)\n/);
    expect(printed).toMatch(/\nMNIST step, batch 2 +–.*not measured\n/);
    expect(printed).toMatch(/\nMNIST step, batch 2: left out: stopped by SIGTERM\n/);
    expect(results().golden.ops.passed).toBeGreaterThan(1);
  }, 100_000);

  it('leaves a whole file and no process behind when it is killed', async () => {
    await runUntil('SIGKILL');
    expect(results().golden.ops.passed).toBeGreaterThan(1);
  }, 100_000);

  it('stops at an emulator, with what it saw', () => {
    expect(() => run()).toThrow(/is an emulator[\s\S]*VK_DRIVER_FILES/);
  });
});
