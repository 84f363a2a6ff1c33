/** The program as people call it. */
import { spawn } from 'node:child_process';
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadDigits } from '../src/data';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tessera-mnist-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const loader = new URL('../../../tools/loader/register.mjs', import.meta.url).href;
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

interface Outcome {
  readonly code: number | null;
  readonly output: string;
  readonly last: string;
}
/** Runs it; `interrupt`: sends Ctrl-C as soon as the progress bar shows. */
function demo(args: readonly string[], { interrupt = false, env = {} } = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--import', loader, '--conditions=@tessera/source', main, ...args], {
      env: { ...process.env, ...env },
    });
    let output = '';
    let sent = false;
    const collect = (chunk: Buffer) => {
      output += chunk.toString();
      if (interrupt && !sent && output.includes('images/s')) {
        sent = true;
        child.kill('SIGINT');
      }
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('exit', (code) => resolve({ code, output, last: output.trim().split('\n').at(-1) ?? '' }));
  });
}
const at = (name: string) => join(folder, name);
const small = ['--limit', '640', '--epochs', '2'];

describe('npm run demo', () => {
  it('trains, writes its files, and ends with the accuracy; Ctrl-C and --resume change nothing, threads neither', async () => {
    const [whole, stopped] = await Promise.all([
      demo([...small, '--seed', '5', '--threads', '1', '--out', at('whole')]),
      demo([...small, '--seed', '5', '--threads', '2', '--out', at('broken')], { interrupt: true }),
    ]);
    expect(whole.last).toMatch(/^test accuracy 0\.\d{4}$/);
    expect(whole.code).toBe(0);
    expect((await readdir(at('whole'))).sort()).toEqual([
      'checkpoint.safetensors',
      'metrics.json',
      'report.html',
      'weights.safetensors',
    ]);

    expect(stopped.last).toMatch(/^stopped at step \d; go on with: npm run demo -- --resume$/);
    expect(stopped.code).toBe(130);
    expect(await readdir(at('broken'))).toEqual(['checkpoint.safetensors']);

    const resumed = await demo(['--resume', '--threads', '2', '--out', at('broken')]);
    expect(resumed.output).toMatch(/resuming at step \d of a run of 2 epochs with seed 5/);
    expect(resumed.last).toBe(whole.last);
    expect(
      Buffer.compare(await readFile(at('whole/weights.safetensors')), await readFile(at('broken/weights.safetensors'))),
    ).toBe(0);
    const [a, b] = await Promise.all(
      ['whole', 'broken'].map(async (name) => JSON.parse(await readFile(at(`${name}/metrics.json`), 'utf8'))),
    );
    expect(b.history.losses).toEqual(a.history.losses);
    expect(a.history.losses.length).toBe(10);

    const other = await demo(['--resume', '--seed', '6', '--out', at('broken')]);
    expect(other.code).toBe(1);
    expect(other.last).toBe(
      'ArgumentError: resume: the checkpoint was made with --seed 5, not 6; leave it out, or start anew',
    );
  });

  it('trains on a GPU what it trains on the processor; Ctrl-C and --resume work there, too', async () => {
    const tiny = ['--limit', '32', '--batch', '16', '--epochs', '1', '--seed', '5'];
    const [onCpu, stopped] = await Promise.all([
      demo([...tiny, '--out', at('on-cpu')]),
      demo([...tiny, '--backend', 'webgpu', '--out', at('on-gpu')], { interrupt: true }),
    ]);
    expect(onCpu.code).toBe(0);
    expect(stopped.last).toMatch(/^stopped at step [01]; go on with/);
    expect(await readdir(at('on-gpu'))).toEqual(['checkpoint.safetensors']);

    const resumed = await demo(['--resume', '--backend', 'webgpu', '--out', at('on-gpu')]);
    expect(resumed.output).not.toContain('may differ');
    expect(resumed.last).toMatch(/^test accuracy \d\.\d{4}$/);
    const [cpu, gpu] = await Promise.all(
      ['on-cpu', 'on-gpu'].map(async (name) => JSON.parse(await readFile(at(`${name}/metrics.json`), 'utf8'))),
    );
    expect(gpu.machine.backend).toBe('webgpu');
    expect(gpu.history.losses).toHaveLength(2);
    for (const [i, loss] of gpu.history.losses.entries()) expect(loss).toBeCloseTo(cpu.history.losses[i], 3);
    expect(await readFile(at('on-gpu/report.html'), 'utf8')).toContain(gpu.machine.device);
  }, 120_000);

  it('says where a folder cannot be made, what to install where there is no GPU, and that other bits may come of another backend', async () => {
    const [noFolder, none, other] = await Promise.all([
      demo([...small, '--out', join(main, 'out')]),
      demo(['--backend', 'webgpu', '--out', at('nowhere')], { env: { VK_DRIVER_FILES: '/nowhere/driver.json' } }),
      demo(['--resume', '--backend', 'cpu', '--out', at('on-gpu')]),
    ]);
    expect(noFolder.last).toMatch(/^ArgumentError: --out: the folder could not be made \(ENOTDIR.*\); choose another$/);
    expect(none.code).toBe(1);
    expect(none.last).toMatch(/^BackendError: webgpu: no adapter in Node; install a Vulkan driver and its loader/);
    expect(other.output).toContain('it was computed by backend webgpu, it is cpu');
  });

  it('classifies a picture with the weights it trained', async () => {
    const { image, label } = await loadDigits('t10k', 1);
    const png = new PNG({ width: 28, height: 28 });
    for (const [i, value] of image.data.entries()) png.data.set([255 - value, 255 - value, 255 - value, 255], 4 * i);
    await writeFile(at('seven.png'), PNG.sync.write(png));
    const { code, last, output } = await demo(['--image', at('seven.png'), '--out', at('whole')]);
    expect(label.data[0]).toBe(7);
    expect(last).toMatch(/^digit \d$/);
    expect(output.match(/%/g)?.length).toBe(3);
    expect(code).toBe(0);
  });

  it('says what to do where weights, picture or checkpoint are missing or damaged', async () => {
    const [noWeights, noCheckpoint, badOption] = await Promise.all([
      demo(['--image', at('seven.png'), '--out', at('nowhere')]),
      demo(['--resume', '--out', at('nowhere')]),
      demo(['--epochs', 'many']),
    ]);
    expect(noWeights.last).toMatch(/^LoadError: .*weights\.safetensors could not be read/);
    expect(noCheckpoint.last).toMatch(/^LoadError: .*checkpoint\.safetensors could not be read/);
    expect(badOption.output).toContain('wants a whole number of at least 1');
    await copyFile(at('whole/metrics.json'), at('nowhere/checkpoint.safetensors'));
    expect((await demo(['--resume', '--out', at('nowhere')])).last).toMatch(/^LoadError: loadSafetensors/);
  });
});
