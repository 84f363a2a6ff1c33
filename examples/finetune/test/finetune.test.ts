import { spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadSafetensors } from '@tessera/nn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadTiles, photographs } from '../src/photos';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tessera-finetune-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

const loader = new URL('../../../tools/loader/register.mjs', import.meta.url).href;
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

interface Outcome {
  readonly code: number | null;
  readonly lines: string[];
}
/** Runs the program; `interrupt`: sends Ctrl-C as soon as the progress bar shows. */
function finetune(args: readonly string[], { interrupt = false } = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--import', loader, '--conditions=@tessera/source', main, ...args]);
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
    child.on('exit', (code) => resolve({ code, lines: output.trim().split('\n') }));
  });
}
const small = ['--tile', '240', '--epochs', '3', '--seed', '3'];
/** What an epoch came to. */
const epochs = ({ lines }: Outcome) => lines.filter((line) => /^epoch \d: /.test(line));

describe('the program', () => {
  it('learns photos on a frozen backbone; Ctrl-C and --resume end in the bits of an unbroken run', async () => {
    const whole = await finetune([...small, '--out', at('whole')]);
    expect(whole.lines).toContain('51 tiles to learn, 17 for the test; 4,614 of 23,839,182 parameters train');
    expect(epochs(whole)).toHaveLength(3);
    expect(Number(/^accuracy (\d\.\d\d)$/.exec(whole.lines.at(-1) ?? '')?.[1])).toBeGreaterThan(0.4); // chance is 0.17
    expect(whole.code).toBe(0);

    await mkdir(at('broken'));
    await copyFile(at('whole/inception_v3.safetensors'), at('broken/inception_v3.safetensors')); // saves the converting
    const stopped = await finetune([...small, '--out', at('broken')], { interrupt: true });
    expect(stopped.lines.at(-1)).toMatch(/^stopped at step \d; go on with: npm start -- --resume --out /);
    expect(stopped.code).toBe(130);
    const resumed = await finetune(['--resume', '--out', at('broken')]);
    expect([...epochs(stopped), ...epochs(resumed)]).toEqual(epochs(whole));
    expect(resumed.lines.at(-1)).toBe(whole.lines.at(-1));
    const [ours, theirs] = await Promise.all(
      ['whole', 'broken'].map((name) => readFile(at(`${name}/head.safetensors`))),
    );
    expect(ours).toEqual(theirs);

    const { tensors: before } = loadSafetensors(await readFile(at('whole/inception_v3.safetensors')));
    const { tensors: after } = loadSafetensors(await readFile(at('whole/checkpoint.safetensors')));
    for (const key of ['Mixed_6e.branch_pool.conv.weight', 'Mixed_6e.branch_pool.bn.running_mean'])
      expect(await after.get(`model.backbone.${key}`)?.data()).toEqual(await before.get(key)?.data());
  }, 180_000);

  it('says what to do where there is nothing to resume, another run to resume, or an option is none', async () => {
    const nothing = await finetune(['--resume', '--out', at('nowhere')]);
    expect(nothing.lines.at(-1)).toMatch(/^LoadError: .*settings\.json could not be read/);
    expect(nothing.code).toBe(1);
    const other = await finetune(['--resume', '--seed', '4', '--out', at('whole')]);
    expect(other.lines.at(-1)).toBe(
      'ArgumentError: resume: the run was begun with --seed 3, not 4; leave it out, or start anew',
    );
    expect((await finetune(['--epochs', 'many'])).lines.join()).toContain('wants a whole number of at least 1');
  }, 120_000);
});

describe('the tiles', () => {
  const { train, test } = loadTiles(192);
  it('are of all photographs, three for learning to one for the test', () => {
    expect(train.image.shape).toEqual([78, 3, 192, 192]);
    expect(test.image.shape).toEqual([27, 3, 192, 192]);
    for (const { label } of [train, test]) expect(new Set(label.data).size).toBe(photographs.length);
  });
  it('are photographs: neighbours differ, and no tile is there twice', () => {
    const size = 3 * 192 * 192;
    const tiles = [train, test].flatMap(({ image, label }) =>
      Array.from(label.data, (_, i) => Buffer.from(image.data.slice(i * size, (i + 1) * size)).toString('base64')),
    );
    expect(new Set(tiles).size).toBe(105);
  });
});
